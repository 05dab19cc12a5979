"""The page of crashes names every scenario that is played, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.crashes import SCENARIOS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "operations-crashes.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| (.+?) \| ([a-z, ]+) \| (\d+) \| ([\d-]+) \|$", re.MULTILINE)
ELSEWHERE = {"service-killed": ("tests/e2e/test_nginx.py", "test_a_service_dies_under_streams_and_no_event_is_lost")}


def test_every_scenario_stands_there_with_its_engines_and_size() -> None:
    told = {
        name: (tuple(engines.split(", ")), int(runs), 0.0 if seconds == "-" else float(seconds))
        for name, _what, engines, runs, seconds in ROW.findall(PAGE.read_text(encoding="utf-8"))
    }
    for name, (file, test) in ELSEWHERE.items():
        assert told.pop(name)
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")
    assert told == {one.id: (one.engines, one.runs, one.seconds) for one in SCENARIOS}
