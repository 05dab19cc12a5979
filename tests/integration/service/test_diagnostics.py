"""`GET /v1/diagnostics`: who sees what of how the service is."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.service import Answer, Running, small_service

from leadline.ops.doctor import Diagnosis, Look, read_diagnosis
from leadline.ports.access import LOCAL, Action, Role
from leadline.service.routes import diagnostics
from leadline.testing import Reply, ScriptedServer

PATH = "/v1/diagnostics"
SECRET = "geheim-geheim-99"


async def test_operators_see_causes_other_admins_only_what_works(tmp_path: Path) -> None:
    async with ScriptedServer(lambda _: Reply(text="ready"), key=SECRET) as server:
        flags = {"model__urls": server.url, "model__name": "scripted", "model__api_key": "not-the-key-1"}
        async with small_service(tmp_path, {**flags, "scholar__providers": ""}) as running:
            told = await (await running.caller(LOCAL, Role.ADMIN)).get(PATH)
            outline = await (await running.caller("acme", Role.ADMIN)).get(PATH)
    assert (told.status, outline.status) == (200, 200)
    full = told.body["checks"]
    assert {"model_service", "tool_services", "cache", "resources", "store", "queue", "blobs"} <= set(full)
    assert full["model_service"]["status"] == "unhealthy"
    assert full["model_service"]["next"] == "leadline init"
    assert "not-the-key-1" not in told.raw.decode()
    assert read_diagnosis(told.body).failed == ("model_service",)
    short = outline.body["checks"]
    assert short["model_service"] == {"status": "unhealthy", "response_valid": False}
    assert "`service.operators`" in outline.body["note"]
    assert "note" not in told.body
    assert set(short["tool_services"]) == {"search", "visit", "scholar", "python"}
    assert {name for one in _leaves(short) for name in one} <= {"status", "latency_ms", "response_valid"}
    assert server.url.encode() not in outline.raw
    assert str(tmp_path).encode() not in outline.raw


def _leaves(checks: dict[str, Any]) -> list[dict[str, Any]]:
    return [leaf for one in checks.values() for leaf in ([one] if "status" in one else one.values())]


async def test_a_person_asks_a_service_elsewhere(tmp_path: Path) -> None:
    async with small_service(tmp_path, {"scholar__providers": ""}) as running:
        key = await running.key(LOCAL, Role.ADMIN)
        text, code = await _doctor(running, key, tmp_path)
    assert code == 0, text
    assert "-     model_service" in text
    assert str(tmp_path) in text  # what the service says of its own data folder
    assert key not in text


async def _doctor(running: Running, key: str, home: Path) -> tuple[str, int | None]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "leadline", "doctor", "--server", running.url),
        env={"HOME": str(home), "PATH": os.environ["PATH"], "LEADLINE_SERVER__KEY": key},
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    return told.decode(), process.returncode


async def test_who_runs_the_service_is_set_where_it_is(tmp_path: Path, looks: list[Look]) -> None:
    async with small_service(tmp_path, {"service__operators": "ops,acme"}) as running:
        for tenant in ("acme", "ops"):
            assert "note" not in (await _ask(running, tenant)).body
        note = (await _ask(running, LOCAL)).body["note"]
        # No scope opens it: an admin makes keys of any scope.
        key = await running.key("other", Role.ADMIN, scopes=frozenset(Action))
        assert (await running.client(key).get(PATH)).body["note"] == diagnostics.LESS
    assert note == diagnostics.LESS + diagnostics.NOT_PAID
    assert [look.paid for look in looks] == [True, False]


async def test_a_person_of_another_tenant_is_told_why_there_are_no_causes(tmp_path: Path) -> None:
    async with small_service(tmp_path, {"scholar__providers": ""}) as running:
        told, code = await _doctor(running, await running.key("acme", Role.ADMIN), tmp_path)
    assert code == 0, told
    assert f"note: {diagnostics.LESS}" in told
    assert str(tmp_path) not in told


async def test_only_admins_may_ask(tmp_path: Path) -> None:
    async with small_service(tmp_path, {}) as running:
        for role in (Role.READER, Role.RESEARCHER):
            assert (await (await running.caller("acme", role)).get(PATH)).status == 403
        key = await running.key("acme", Role.ADMIN, scopes=frozenset({Action.RUNS_READ}))
        assert (await running.client(key).get(PATH)).status == 403
        assert (await running.client("ll_none").get(PATH)).status == 401


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Look]:
    """What was examined; nothing is."""
    made: list[Look] = []

    async def examine(look: Look) -> Diagnosis:
        made.append(look)
        return Diagnosis(at="2026-01-31T00:00:00+00:00", findings={})

    monkeypatch.setattr(diagnostics, "examine", examine)
    return made


async def test_one_look_answers_all_who_ask_at_once(tmp_path: Path, looks: list[Look]) -> None:
    async with small_service(tmp_path, {}) as running:
        asked = [await (await running.caller(tenant, Role.ADMIN)).get(PATH) for tenant in (LOCAL, "acme", LOCAL)]
        assert [answer.status for answer in asked] == [200, 200, 200]
        assert len(looks) == 1


async def test_only_operators_may_have_paid_for_what_costs_money(tmp_path: Path, looks: list[Look]) -> None:
    async with small_service(tmp_path, {}) as running:
        await _ask(running, "acme")
        await _ask(running, LOCAL)
    assert [look.paid for look in looks] == [False, True]


async def _ask(running: Running, tenant: str) -> Answer:
    answer = await (await running.caller(tenant, Role.ADMIN)).get(f"{PATH}?paid=true")
    assert answer.status == 200
    return answer
