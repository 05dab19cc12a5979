"""The facts on which decisions rest are still so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.blocking("starts a process")
def test_squeezing_whitespace_would_save_next_to_nothing() -> None:
    program = [sys.executable, str(ROOT / "benchmarks" / "whitespace.py")]
    told = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60).stdout
    documents = re.match(r"(\d+) documents", told)
    assert documents is not None
    assert int(documents[1]) >= 20
    saved = [float(share) for share in re.findall(r"([\d.]+)%", told)]
    assert len(saved) == 4
    assert max(saved) < 5.0
