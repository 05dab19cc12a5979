"""Schedules over HTTP: made, listed, rested, forgotten; what could not be asked is refused at once."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.service import Running

from leadline.ports.access import Role
from leadline.ports.holdings import Due
from leadline.service.routes import schedules

WEEKLY = {"question": "What changed at Skerryvore?", "name": "Skerryvore", "when": "every Monday 08:00"}


async def test_a_schedule_is_made_rests_goes_on_and_is_forgotten(service: Running, tenant: str) -> None:
    client = await service.caller(tenant)
    made = await client.post("/v1/schedules", {**WEEKLY, "zone": "Europe/Berlin", "web": True, "sites": ["a.example"]})
    assert made.status == 201, made.raw
    schedule = made.body
    assert schedule["options"] == {"web": True, "sites": ["a.example"]}
    assert schedule["next_at"] is not None
    assert (await client.get("/v1/schedules")).body == [schedule]
    path = f"/v1/schedules/{schedule['id']}"
    assert (await client.ask("PATCH", path, {"paused": True})).body["next_at"] is None
    assert (await client.ask("PATCH", path, {"paused": False})).body["next_at"] == schedule["next_at"]
    assert (await client.get(path)).body == schedule
    assert (await client.ask("DELETE", path)).status == 204
    assert (await client.get(path)).status == 404


async def test_why_a_schedule_rests_by_itself_is_told_until_it_goes_on(service: Running, tenant: str) -> None:
    client, accounts = await service.caller(tenant), service.services.accounts
    made = (await client.post("/v1/schedules", WEEKLY)).body
    assert made["reason"] is None
    schedule = await accounts.schedules.get(tenant, made["id"])
    due = Due(schedule=schedule, at=0.0, fence=0, run_id="r1")
    await accounts.schedules.rest(due, reason="no such corpus: papers")
    path = f"/v1/schedules/{made['id']}"
    resting = (await client.get(path)).body
    assert (resting["next_at"], resting["reason"]) == (None, "no such corpus: papers")
    assert (await client.ask("PATCH", path, {"paused": False})).body["reason"] is None


async def test_what_became_of_the_last_run_is_told(service: Running, tenant: str) -> None:
    client, accounts = await service.caller(tenant), service.services.accounts
    made = (await client.post("/v1/schedules", WEEKLY)).body
    assert made["last_state"] is None
    run = (await client.post("/v1/research", {"question": "What changed?", "urls": [], "web": True})).body
    schedule = await accounts.schedules.get(tenant, made["id"])
    due = Due(schedule=schedule, at=0.0, fence=0, run_id=run["id"])
    await accounts.schedules.fired(due, run_id=run["id"])
    path = f"/v1/schedules/{made['id']}"
    states = {"queued", "running", "waiting", "done", "failed", "cancelled"}
    assert (await client.get(path)).body["last_state"] in states
    state = (await client.ended(run["id"]))["state"]
    (listed,) = (await client.get("/v1/schedules")).body
    assert (listed["last_run"], listed["last_state"]) == (run["id"], state)
    assert (await client.ask("DELETE", f"/v1/research/{run['id']}")).status == 204
    assert (await client.get(path)).body["last_state"] is None


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"when": "every now and then"}, 400),
        ({"zone": "Europe/Atlantis"}, 400),
        ({"strategy": "react"}, 400),
        ({"corpora": ["none"]}, 404),
        ({"continues": "rnone"}, 404),
        ({"every": "Monday"}, 422),
        ({"name": "a\nb"}, 422),
    ],
)
async def test_what_could_not_be_asked_is_refused_at_once(
    service: Running, tenant: str, wrong: dict[str, Any], status: int
) -> None:
    client = await service.caller(tenant)
    answer = await client.post("/v1/schedules", {**WEEKLY, **wrong})
    assert answer.status == status, answer.raw
    assert (await client.get("/v1/schedules")).body == []


async def test_a_tenant_has_only_so_many(service: Running, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "MOST", 1)
    client, reader = await service.caller(tenant), await service.caller(tenant, Role.READER)
    assert (await client.post("/v1/schedules", WEEKLY)).status == 201
    assert (await client.post("/v1/schedules", WEEKLY)).status == 409
    assert len((await reader.get("/v1/schedules")).body) == 1
    assert (await reader.post("/v1/schedules", WEEKLY)).status == 403
