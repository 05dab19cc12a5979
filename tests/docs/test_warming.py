"""The schedule that docs/tools.md shows for `cache warm`: commands that exist, units that systemd takes, times that fit."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from tests.support.commands import parsed

from leadline.cache.types import POLICIES, Category
from leadline.cli.cache import seconds_of, warm

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tools.md"
TEXT = PAGE.read_text(encoding="utf-8")
CRON, INI = (re.findall(rf"^```{kind}\n(.*?)```", TEXT, re.DOTALL | re.MULTILINE) for kind in ("cron", "ini"))
COMMANDS = [
    line.split("leadline cache warm ", 1)[1] for line in "".join(CRON + INI).splitlines() if "cache warm" in line
]
UNITS = {
    name: body.strip() + "\n"
    for name, body in re.findall(
        r"^# /etc/systemd/system/(\S+)\n(.*?)(?=^# |\Z)", "".join(INI), re.DOTALL | re.MULTILINE
    )
}


def asked(command: str) -> dict[str, object]:
    return parsed(warm, "warm", command.split()).params


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pass_looks_ahead_as_far_as_the_next_one_and_no_further_than_answers_live(command: str) -> None:
    before = seconds_of(str(asked(command)["before"]))
    minutes = {int(found) for found in re.findall(r"^\*/(\d+) |OnCalendar=\*:0/(\d+)", "".join(CRON + INI))[0] if found}
    assert before == 60 * max(minutes)
    assert before < 0.9 * POLICIES[Category.SEARCH].soft
    assert asked(command)["budget_usd"] == 0.05


def test_both_kinds_of_schedule_do_the_same() -> None:
    assert len(COMMANDS) == 2
    assert asked(COMMANDS[0]) == asked(COMMANDS[1])
    assert "OnCalendar=*:0/10\n" in UNITS["leadline-warm.timer"]
    assert CRON[0].startswith("*/10 * * * * ")


@pytest.mark.server("systemd")
def test_systemd_itself_takes_the_units(tmp_path: Path) -> None:
    assert set(UNITS) == {"leadline-warm.service", "leadline-warm.timer"}
    for name, body in UNITS.items():
        (tmp_path / name).write_text(body.replace("/opt/leadline/bin/leadline", "/bin/true"), encoding="utf-8")
    paths = sorted(map(str, tmp_path.iterdir()))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, check=False, timeout=30
    )
    told = [line for line in (done.stdout + done.stderr).splitlines() if "leadline-warm" in line]
    assert told == []
