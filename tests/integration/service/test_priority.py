"""Which of the runs that wait comes first, and who may say so."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.postgres import Postgres
from tests.support.service import Running, small_service

from leadline.events import ENGINE
from leadline.ports.access import LOCAL, Role

ABOVE = {"question": "How deep is the harbour?", "web": False, "priority": 3}
WEEKLY = {"name": "weekly", "when": "every Monday 08:00"}


@pytest.mark.parametrize("path", ["/v1/research", "/v1/schedules"])
async def test_only_who_runs_the_service_goes_before_others(service: Running, tenant: str, path: str) -> None:
    more = WEEKLY if path.endswith("schedules") else {}

    async def asked(whose: str, role: Role, priority: Any) -> tuple[int, Any]:
        answer = await (await service.caller(whose, role)).post(path, {**ABOVE, **more, "priority": priority})
        return answer.status, answer.body.get("code", answer.body.get("priority", answer.body.get("options")))

    good = 201 if more else 202
    for whose, role in [(tenant, Role.RESEARCHER), (tenant, Role.ADMIN), (LOCAL, Role.RESEARCHER)]:
        assert await asked(whose, role, 1) == (403, "not_permitted")
        status, told = await asked(whose, role, -10)
        assert (status, -10 in (told, told["priority"] if more else None)) == (good, True)
    status, told = await asked(LOCAL, Role.ADMIN, 10)
    assert (status, 10 in (told, told["priority"] if more else None)) == (good, True)
    for priority in (11, -11, 1.5, "1", None):
        assert (await asked(LOCAL, Role.ADMIN, priority))[0] == 422


async def test_the_same_request_again_is_the_same_whatever_it_says_of_no_priority(
    service: Running, tenant: str
) -> None:
    client = await service.caller(tenant)
    bodies: list[dict[str, Any]] = [{}, {"priority": 0}, {"priority": -1}]
    plain = {"question": "How deep?", "web": False}
    answers = [await client.post("/v1/research", {**plain, **more}, Idempotency_Key="k1") for more in bodies]
    assert [answer.status for answer in answers] == [202, 202, 422]
    assert answers[0].body["id"] == answers[1].body["id"]


@pytest.mark.server("postgres")
@pytest.mark.xdist_group("postgres")
async def test_workers_take_by_priority_and_tenants_in_turn(postgres: Postgres, tmp_path: Path) -> None:
    url = await asyncio.to_thread(postgres.store)
    program = "import sys; from leadline.accounts import migrations; migrations.up(sys.argv[1])"
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program, url], check=True)
    async with small_service(tmp_path, {"store": url, "engine": "postgres"}) as running:
        many, few = await running.caller("many"), await running.caller("few")
        operator = await running.caller(LOCAL, Role.ADMIN)
        asked: dict[str, str] = {}
        for name, client, priority in [
            ("later", many, -4),
            ("many 1", many, 0),
            ("many 2", many, 0),
            ("many 3", many, 0),
            ("few 1", few, 0),
            ("few 2", few, 0),
            ("latest", few, -5),
            ("urgent", operator, 5),
        ]:
            asked[await client.research(name, web=False, priority=priority)] = name
        store = running.services.platform.store
        order = []
        for _ in asked:
            run = await store.claim("w", lease=60, engines=[ENGINE])
            assert run is not None
            order.append(asked[run.id])
    assert order == ["urgent", "many 1", "few 1", "many 2", "few 2", "many 3", "later", "latest"]
