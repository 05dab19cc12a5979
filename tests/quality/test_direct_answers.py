"""Direct answers over short everyday documents: none that is wrong, and most of those that stand there plainly.

Each document of `short_documents.jsonl` is asked for what it says and for what it does not. A
question without an answer must get no direct answer, however near its words come.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from leadline import Leadline
from leadline.settings import load

# All are researched once, by one process, and take as long as they take.
pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("extractive")]

RIGHT: Final = 0.75
"""Share of the questions that a document answers plainly whose direct answer must be right."""

TRAPS: Final = 80
"""Questions at least whose answer is in no document."""


class Told(NamedTuple):
    """A question, the words its answer must hold, if there is one, and the direct answer it got."""

    question: str
    wanted: str | None
    answer: str


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[Told]:
    """Ask every question once, each of its own document alone."""
    return asyncio.run(_asked(tmp_path_factory.mktemp("short")))


async def _asked(folder: Path) -> list[Told]:
    rows = Path(__file__).with_name("short_documents.jsonl").read_text(encoding="utf-8").splitlines()
    found: list[Told] = []
    async with Leadline(load(flags={"data_dir": str(folder / "data")})) as engine:
        for row in map(json.loads, rows):
            home = folder / row["name"].replace(".", "_")
            home.mkdir()
            (home / row["name"]).write_text(row["text"], encoding="utf-8")
            corpus = await engine.corpus([home])
            for asked in row["asked"]:
                run = await engine.start(asked["question"], options=engine.options(corpora=(corpus,)))
                report = await engine.result(run)
                found.append(Told(asked["question"], asked["answer"], report.answer))
    return found


def test_no_direct_answer_is_wrong(told: list[Told]) -> None:
    assert sum(one.wanted is None for one in told) >= TRAPS
    wrong = [one for one in told if one.answer and (one.wanted is None or one.wanted not in one.answer)]
    assert not wrong


def test_what_stands_there_plainly_is_answered_first(told: list[Told]) -> None:
    plain = [one for one in told if one.wanted is not None]
    missed = [one.question for one in plain if one.wanted and one.wanted not in one.answer]
    assert len(plain) - len(missed) >= RIGHT * len(plain), missed


def test_no_direct_answer_breaks_off_at_a_semicolon(told: list[Told]) -> None:
    assert not [one for one in told if one.answer.endswith((";", "；", ",", "，"))]
