"""The commands for tenants, keys, schedules, secrets and the audit log, in this process, on a real file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.accounts import KEY, OLD_KEY

from leadline.accounts.keys import credential_of
from leadline.cli.main import main
from leadline.ports.access import LOCAL
from leadline.ports.holdings import Due
from leadline.settings import Settings
from leadline.wiring.accounts import open_accounts

Ran = tuple[int, str, str]
Leadline = Callable[..., Ran]


@pytest.fixture
def leadline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Leadline:
    def run(*words: str) -> Ran:
        code = main([*words, "--data-dir", str(tmp_path / "data")])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_keys_whole_life(leadline: Leadline) -> None:
    assert leadline("tenants", "create", "acme", "--name", "Acme")[0] == 0
    code, out, err = leadline("keys", "create", "--tenant", "acme", "--name", "lap", "--role", "researcher")
    made = credential_of(out.strip())
    assert code == 0
    assert made is not None
    assert made.secret not in err
    code, out, _ = leadline("keys", "rotate", made.id, "--tenant", "acme", "--grace", "1")
    assert code == 0
    rotated = credential_of(out.strip())
    assert rotated is not None
    # A runbook knows the key alone: whose it is, is looked up.
    assert leadline("keys", "revoke", made.id)[0] == 0
    _, out, _ = leadline("keys", "list", "--tenant", "acme", "--format", "json")
    rows = {row["id"]: row for row in map(json.loads, out.splitlines())}
    assert rows[made.id]["revoked_at"] is not None
    assert rows[rotated.id]["role"] == "researcher"
    assert rotated.secret not in out
    _, out, _ = leadline("audit", "--tenant", "acme", "--format", "json")
    actions = [json.loads(line)["deed"]["action"] for line in out.splitlines()]
    assert actions == ["keys:revoke", "keys:rotate", "keys:create", "tenants:create"]


def test_what_went_wrong_is_written_down_too(leadline: Leadline) -> None:
    code, out, err = leadline("keys", "revoke", "0" * 16)
    assert (code, out) == (2, "")
    assert err == f"leadline: no such key: {'0' * 16}\n"
    _, out, _ = leadline("audit", "--format", "json")
    assert json.loads(out)["deed"]["outcome"] == "failed"


def test_the_log_is_checked_against_a_kept_hash(leadline: Leadline) -> None:
    leadline("tenants", "disable", "local")
    leadline("tenants", "enable", "local")
    code, out, _ = leadline("audit", "--verify")
    entry, head = out.split()
    assert (code, entry) == (0, "2")
    assert leadline("audit", "--verify", "--entry", entry, "--hash", head)[0] == 0
    code, _, err = leadline("audit", "--verify", "--entry", entry, "--hash", "0" * 64)
    assert code == 8
    assert "entry 2" in err
    assert leadline("audit", "--verify", "--entry", "1")[0] == 2


def test_a_schedules_whole_life(leadline: Leadline) -> None:
    code, out, err = leadline(
        "schedules", "add", "What is new?", "--every", "Monday 08:00", "--zone", "Europe/Berlin", "--web"
    )
    schedule = out.strip()
    assert code == 0
    assert "first at" in err
    assert "paused" in leadline("schedules", "pause", schedule)[2]
    assert "next at" in leadline("schedules", "resume", schedule)[2]
    _, out, _ = leadline("schedules", "list", "--format", "json")
    row = json.loads(out)
    assert (row["when"], row["zone"], row["options"]["web"]) == ("every Monday 08:00", "Europe/Berlin", True)
    assert leadline("schedules", "remove", schedule)[0] == 0
    assert leadline("schedules", "list")[:2] == (0, "")


def test_why_a_schedule_rests_by_itself_is_listed(leadline: Leadline, tmp_path: Path) -> None:
    schedule = leadline("schedules", "add", "What is new?", "--every", "hour", "--corpus", "papers")[1].strip()

    async def rest() -> None:
        async with open_accounts(Settings(data_dir=tmp_path / "data")) as accounts:
            found = await accounts.schedules.get(LOCAL, schedule)
            due = Due(schedule=found, at=0.0, fence=0, run_id="r1")
            await accounts.schedules.rest(due, reason="no such corpus: papers")

    asyncio.run(rest())
    assert "paused: no such corpus: papers" in leadline("schedules", "list")[1]
    leadline("schedules", "pause", schedule)
    assert "no such corpus" in leadline("schedules", "list")[1]
    leadline("schedules", "resume", schedule)
    assert "no such corpus" not in leadline("schedules", "list")[1]


@pytest.mark.parametrize(
    "words",
    [
        ("schedules", "add", "x", "--every", "moonday"),
        ("schedules", "add", "x", "--cron", "0 0 30 2 *"),
        ("schedules", "add", "x", "--every", "hour", "--zone", "Nowhere"),
        ("schedules", "add", "x"),
        ("schedules", "add", "x", "--every", "hour", "--cron", "* * * * *"),
        ("tenants", "create", "Not A Word"),
        ("tenants", "create", "local"),
        ("keys", "create", "--name", "x", "--role", "reader", "--scope", "keys:manage"),
        ("keys", "create", "--name", "x", "--role", "reader", "--tenant", "nobody"),
    ],
)
def test_a_mistake_is_told_in_one_line(leadline: Leadline, words: tuple[str, ...]) -> None:
    code, out, err = leadline(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_secrets_are_never_printed(leadline: Leadline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key.txt").write_text("s3cret-value\n", encoding="utf-8")
    set_it = ("secrets", "set", "search.serper", "--file", str(tmp_path / "key.txt"))
    code, _, err = leadline(*set_it)
    assert code == 3
    assert "LEADLINE_SECRETS__KEY" in err
    monkeypatch.setenv("LEADLINE_SECRETS__KEY", OLD_KEY)
    told = [leadline(*set_it), leadline("secrets", "list"), leadline("audit"), leadline("settings")]
    assert all(code == 0 for code, _, _ in told)
    assert "s3cret" not in repr(told)
    assert OLD_KEY not in repr(told)
    monkeypatch.setenv("LEADLINE_SECRETS__KEY", KEY)
    monkeypatch.setenv("LEADLINE_SECRETS__OLD_KEYS", OLD_KEY)
    assert leadline("secrets", "rotate")[1] == "1 secret encrypted anew\n"
    assert leadline("secrets", "remove", "search.serper")[0] == 0


def test_a_priority_is_for_runs_that_wait(leadline: Leadline, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("The harbour is five fathoms deep.")
    code, out, err = leadline("ask", "How deep?", "--docs", str(tmp_path / "notes.txt"), "--priority", "-1")
    assert (code, out) == (2, "")
    assert err == "leadline: `--priority` is for runs that wait at a service: name it with `--server URL`\n"
    code, _, err = leadline("schedules", "add", "q", "--every", "6 hours", "--web", "--priority", "7")
    assert code == 0, err
    (row,) = leadline("schedules", "list", "--format", "json")[1].splitlines()
    assert json.loads(row)["options"]["priority"] == 7
    assert leadline("schedules", "add", "q", "--every", "6 hours", "--priority", "11")[0] == 2


def test_only_what_something_asks_for_is_kept_as_a_secret(
    leadline: Leadline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_SECRETS__KEY", KEY)
    key = tmp_path / "key.txt"
    key.write_text("sk-own\n")
    code, _, err = leadline("secrets", "set", "search.serper", "--file", str(key))
    assert (code, "rests until they do" in err) == (0, True)
    code, _, err = leadline("secrets", "set", "scholar.openalex", "--file", str(key))
    assert (code, "rests" in err) == (0, False)
    for name in ("serper", "model.main", "search.wikipedia"):
        code, _, err = leadline("secrets", "set", name, "--file", str(key))
        assert (code, "nothing asks for a secret" in err) == (2, True)
