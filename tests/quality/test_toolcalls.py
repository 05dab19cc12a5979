"""Floors for reading calls and damaged JSON from model text; lowering one is a decision, not a fix."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

CALL_FLOORS = {"hermes": 45, "hermes-derived": 63, "tongyi-code": 29}
JSON_FLOOR = 217


def scored(folder: Path, function: str, *options: str) -> str:
    scorer = folder / "toolcalls" / "score_toolcalls.py"
    command = [sys.executable, str(scorer), f"leadline.research.parse:{function}", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.quality
@pytest.mark.shared_data
def test_calls_in_raw_model_text(shared_data: Path) -> None:
    output = scored(shared_data, "extract_calls")
    right = {name: int(count) for name, count in re.findall(r"^ +(\S+) +(\d+) of", output, re.MULTILINE)}
    assert ", 0 raised" in output
    for family, floor in CALL_FLOORS.items():
        assert right[family] >= floor, output


@pytest.mark.quality
@pytest.mark.shared_data
def test_damaged_json(shared_data: Path) -> None:
    output = scored(shared_data, "parse_json", "--kind", "json")
    right = re.search(r"(\d+) of \d+ right", output)
    assert right is not None
    assert int(right[1]) >= JSON_FLOOR, output
