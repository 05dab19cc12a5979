"""`--server URL`: the commands, as programs of their own, against a service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.support.remote_cli import Program
from tests.support.service import QUESTION, Running

pytestmark = pytest.mark.xdist_group("client")


async def test_a_question_is_answered_by_the_service_as_it_would_be_here(
    running: Running, program: Program, leadline: Program, tmp_path: Path
) -> None:
    asked = await program("ask", QUESTION, "--web", "--strategy", "extractive", "--format", "json", "--length", "short")
    assert asked.code == 0, asked.err
    run_id = json.loads(asked.out)["run_id"]
    run = await running.services.runs.get(run_id, tenant="acme")
    assert asked.out.encode().strip() == await running.services.evidence.form(run, "json")
    assert run.options.length.value == "short"
    assert not (tmp_path / "here").exists()

    shown, listed, verified, exported = [
        await leadline(*words)
        for words in (
            ("show", "last"),
            ("runs", "--format", "json"),
            ("verify", run_id[:12]),
            ("export", "last", "-o", "all.zip"),
        )
    ]
    assert shown.out.encode() == await running.services.evidence.form(run, "md")
    row = json.loads(listed.out)
    assert (row["id"], row["state"], row["question"]) == (run_id, "done", QUESTION)
    assert verified.out.startswith("every quote stands: ")
    assert exported.code == 0
    assert (await leadline("verify", "all.zip")).code == 0
    raw = await leadline("show", run_id, "--raw")
    assert [json.loads(line)["type"] for line in raw.out.splitlines()][-1] == "run_finished"


async def test_a_batch_is_worked_off_by_the_service(running: Running, program: Program, tmp_path: Path) -> None:
    rows = "".join(json.dumps({"id": f"q{n}", "question": f"{QUESTION} {n}"}) + "\n" for n in range(2))
    await asyncio.to_thread((tmp_path / "q.jsonl").write_text, rows)

    done = await program(
        "batch", "q.jsonl", "--out", "a.jsonl", "--web", "--strategy", "extractive", "--concurrency", "2"
    )

    assert done.code == 0, done.err
    answers = [json.loads(line) for line in (await asyncio.to_thread((tmp_path / "a.jsonl").read_text)).splitlines()]
    assert {answer["id"] for answer in answers} == {"q0", "q1"}
    assert len(await running.services.platform.store.runs(tenant="acme")) == 2


async def test_keys_of_the_tenant_are_managed(running: Running, leadline: Program) -> None:
    made = await leadline("keys", "create", "--name", "laptop", "--role", "reader")
    assert made.out.startswith("ll_")
    reader = running.client(made.out.strip())
    assert (await reader.get("/v1/research")).status == 200
    listed = [json.loads(line) for line in (await leadline("keys", "list", "--format", "json")).out.splitlines()]
    laptop = next(key for key in listed if key["name"] == "laptop")

    revoked = await leadline("keys", "revoke", laptop["id"])

    assert revoked.code == 0
    assert (await reader.get("/v1/research")).status == 401
    refused = await leadline("keys", "list", "--tenant", "globex")
    assert refused.code == 2


async def test_failures_are_one_line_and_the_familys_exit_code(
    leadline: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = await leadline("show", "rnobody")
    ended = await leadline("cancel", "rnobody")
    away = await leadline("runs", "--server", "http://127.0.0.1:9/nothing?x")
    here_only = await leadline("ask", QUESTION, "--web", "--dry-run")

    monkeypatch.setenv("LEADLINE_SERVER__KEY", "ll_wrong")
    denied = await leadline("runs")

    assert [told.code for told in (unknown, ended, denied, away, here_only)] == [2, 2, 11, 3, 2]
    assert all(len(told.err.strip().splitlines()) == 1 for told in (unknown, ended, denied, away, here_only))
