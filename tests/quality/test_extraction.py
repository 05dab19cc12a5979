"""Floors for the main text of pages; lowering one is a decision, not a fix."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FLOORS = {"aeb": 0.955, "trafilatura": 0.92}
_MODULE = """
from leadline.extract.registry import extract

def text(html, url):
    return extract(html, name=url, declared="text/html").text
"""


@pytest.mark.quality
@pytest.mark.shared_data
@pytest.mark.parametrize("name", FLOORS)
def test_articles_are_read_well(shared_data: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "ours.py").write_text(_MODULE, encoding="utf-8")
    scorer = shared_data / "extract" / "score_extract.py"
    command = [sys.executable, str(scorer), "ours:text", "--set", name]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path).stdout
    score = re.search(r"F1 ([0-9.]+).*raised 0", output)
    assert score is not None, output
    assert float(score[1]) >= FLOORS[name], output
