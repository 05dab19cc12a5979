from __future__ import annotations

from dataclasses import replace

import pytest

from leadline.api.warming import WarmReport
from leadline.cache.types import Category
from leadline.cli.cache import CATEGORIES, figures_text, seconds_of, warm_text
from leadline.errors import InputError
from leadline.wiring.caching import CacheFigures, Space


def test_spans_of_time() -> None:
    assert [seconds_of(span) for span in ("90m", "12h", "7d", "2w", "1.5D")] == [
        5_400,
        43_200,
        604_800,
        1_209_600,
        129_600,
    ]
    for wrong in ("7", "d", "0d", "-1d", "7y", "7 d"):
        with pytest.raises(InputError):
            seconds_of(wrong)


def test_the_command_knows_every_category() -> None:
    assert set(CATEGORIES) == set(Category)


def test_figures_and_outcomes_are_told_to_a_person() -> None:
    spaces = {Space("acme", "page"): 2, Space("public", "search"): 1_200}
    told = figures_text(CacheFigures(place="sqlite://", entries=1_202, bytes=3_400_000, spaces=spaces))
    assert told.splitlines()[0] == "sqlite://: 1,202 answers, 3.4 MB"
    assert [line.split() for line in told.splitlines()[1:]] == [["search", "public", "1,200"], ["page", "acme", "2"]]
    done = WarmReport(loaded=3, fresh=2, failed=1, skipped=0, usd=0.25, led=True)
    assert warm_text(done).startswith("3 loaded, 2 were there, 1 failed, 0 left out; $0.25")
    assert "another process" in warm_text(replace(done, led=False))
