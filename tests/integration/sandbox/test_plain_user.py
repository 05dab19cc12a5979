"""The same designs for a plain user: no user ids to choose from, no control groups, the user's own files in sight."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.timeout(120)
@pytest.mark.server("bwrap")
@pytest.mark.parametrize("design", ["bwrap", "landlock"])
def test_the_suite_holds_for_a_plain_user(design: str) -> None:
    program = "import sys; sys.path[:0] = sys.argv.pop().split(':'); from tests.integration.sandbox.plain_child import main; main(sys.argv[1])"
    ran = subprocess.run(
        [sys.executable, "-c", program, design, f"{ROOT}:{ROOT / 'src'}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        cwd="/",
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["user"] != 0
    assert told["failed"] == {}
    assert told["probes"] > 50
