"""Finish, cancel, approve: over any process, within a second."""

from __future__ import annotations

from pathlib import Path

from tests.support.quick import within
from tests.support.service import Client, small_service

from leadline.domain import ToolCall
from leadline.testing import Fault, Reply, Rule, ScriptedServer

SEARCH = ToolCall(name="search", arguments={"query": "Skerryvore lighthouse"}, id="s")


def settings(server: ScriptedServer, store: dict[str, str]) -> dict[str, str]:
    return {**store, "model__urls": server.url, "model__name": "scripted", "model__context": "32768"}


async def seen(client: Client, run_id: str, type: str) -> None:
    """Wait until an event of this type happened."""
    async with client.stream(run_id) as stream:
        while (event := await stream.next()) is not None and event.event != type:
            pass


async def is_cancelled(client: Client, run_id: str) -> None:
    with within(1.5):
        assert (await client.post(f"/v1/research/{run_id}/cancel")).status == 202
        run = await client.ended(run_id)
        assert (run["state"], run["stop_reason"]) == ("cancelled", "cancelled")


async def test_a_run_is_cancelled_within_a_second_by_any_process(
    store: dict[str, str], tenant: str, tmp_path: Path
) -> None:
    async with ScriptedServer([Reply(fault=Fault.HANG_BEFORE_HEADERS)]) as server:
        flags = settings(server, store)
        async with small_service(tmp_path, flags) as one, small_service(tmp_path, flags) as two:
            key = await one.key(tenant)
            clients = [one.client(key), two.client(key)]
            for client in clients:  # one of them carries it, the other does not
                run_id = await clients[0].research(strategy="react")
                await seen(clients[0], run_id, "model_asked")
                await is_cancelled(client, run_id)
                again = await client.post(f"/v1/research/{run_id}/cancel")
                assert (again.status, again.body["code"]) == (409, "wrong_state")


async def test_a_run_is_told_to_write_now_by_any_process(store: dict[str, str], tenant: str, tmp_path: Path) -> None:
    script = [
        Rule(reply=Reply(tool_calls=(SEARCH,)), turn=0, times=1),
        Rule(reply=Reply(fault=Fault.HANG_BEFORE_HEADERS), turn=1, times=1),
        Rule(reply=Reply(text="The lighthouse was first lit in 1844.")),
    ]
    async with (
        ScriptedServer(script) as server,
        small_service(tmp_path, settings(server, store)) as one,
        small_service(tmp_path, settings(server, store)) as two,
    ):
        key = await one.key(tenant)
        client = one.client(key)
        run_id = await client.research(strategy="react")
        await seen(client, run_id, "tool_answered")
        with within(3):
            told = await two.client(key).post(f"/v1/research/{run_id}/finish")
            assert (told.status, told.body["flag"]) == (202, "finish")
            run = await client.ended(run_id)
            assert (run["state"], run["stop_reason"]) == ("done", "finished_early")
        assert (await client.get(f"/v1/research/{run_id}/report")).status == 200


async def test_a_plan_waits_for_a_person_who_changes_it(store: dict[str, str], tenant: str, tmp_path: Path) -> None:
    plan = '{"steps": ["When was it lit?", "Who designed it?"]}'
    async with (
        ScriptedServer([Rule(reply=Reply(text=plan))]) as server,
        small_service(tmp_path, settings(server, store)) as service,
    ):
        client = await service.caller(tenant)
        run_id = await client.research(strategy="plan", approve=True, budget={"steps": 4})
        await seen(client, run_id, "run_waiting")
        waiting = (await client.get(f"/v1/research/{run_id}")).body
        assert waiting["asks"]["for"] == "plan"
        assert waiting["asks"]["plan"] == ["When was it lit?", "Who designed it?"]
        finish = await client.post(f"/v1/research/{run_id}/finish")
        assert (finish.status, finish.body["code"]) == (409, "run_waits")
        wrong = await client.post(f"/v1/research/{run_id}/approve", {"answer": "yes"})
        assert wrong.status == 400
        changed = await client.post(f"/v1/research/{run_id}/approve", {"plan": ["Who designed it?"]})
        assert changed.status == 202
        run = await client.ended(run_id)
        assert run["state"] == "done"
        again = await client.post(f"/v1/research/{run_id}/approve", {"approve": True})
        assert (again.status, again.body["code"]) == (409, "wrong_state")

        second = await client.research(strategy="plan", approve=True)
        await seen(client, second, "run_waiting")
        await client.post(f"/v1/research/{second}/approve", {"reject": True})
        assert (await client.ended(second))["state"] == "cancelled"
