"""Streams of events: clients that come and go, many at once, slow ones, and a process that leaves."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.quick import within
from tests.support.service import Client, Event, Running, small_service

from leadline.domain import Plan, Step
from leadline.events import Entry, PlanMade
from leadline.testing import Reply, Rule, ScriptedServer


def with_model(server: ScriptedServer) -> dict[str, str]:
    return {"model__urls": server.url, "model__name": "scripted", "model__context": "32768"}


@pytest.fixture
async def slow_model() -> AsyncIterator[ScriptedServer]:
    """A model that talks for a second or two."""
    text = "The harbour is deep. " * 40
    async with ScriptedServer([Rule(reply=Reply(text=text, delay=0.05, chunk=16))]) as server:
        yield server


def durable(events: list[Event]) -> list[Event]:
    return [event for event in events if event.event != "progress"]


async def read(client: Client, run_id: str, *, after: int, most: int) -> tuple[list[Event], bool]:
    """Return at most so many events and whether the stream ended; then go without a word."""
    events: list[Event] = []
    async with client.stream(run_id, after=after) as stream:
        for _ in range(most):
            event = await stream.next()
            if event is None:
                return events, True
            events.append(event)
    return events, False


async def test_clients_that_come_and_go_miss_nothing_and_see_nothing_twice(
    tmp_path: Path, slow_model: ScriptedServer
) -> None:
    async with small_service(tmp_path, with_model(slow_model)) as service:
        client = await service.caller("acme")
        run_id = await client.research(strategy="react", budget={"steps": 3})
        seen: list[int] = []
        ended, lives = False, 0
        while not ended:
            lives += 1
            events, ended = await read(client, run_id, after=seen[-1] if seen else 0, most=lives)
            seen += [int(event.id) for event in durable(events)]
        whole = [item["seq"] for item in (await client.get(f"/v1/research/{run_id}/journal?limit=500")).body["items"]]
        assert seen == whole
        assert lives > 3
        after = await client.get(f"/v1/research/{run_id}/events", Last_Event_ID=str(whole[-1]))
        assert after.status == 204


async def test_live_text_has_no_number_and_is_not_kept(tmp_path: Path, slow_model: ScriptedServer) -> None:
    async with small_service(tmp_path, with_model(slow_model)) as service:
        client = await service.caller("acme")
        run_id = await client.research(strategy="react", budget={"steps": 1})
        async with client.stream(run_id) as stream:
            events = await stream.all()
        live = [event for event in events if event.event == "progress"]
        assert live
        assert all(not event.id and event.data["run_id"] == run_id for event in live)
        async with client.stream(run_id) as stream:
            assert [event.event for event in await stream.all()] == [event.event for event in durable(events)]


async def test_every_process_streams_every_run_whoever_carries_it(
    store: dict[str, str], tenant: str, tmp_path: Path, slow_model: ScriptedServer
) -> None:
    flags = {**store, **with_model(slow_model)}
    async with small_service(tmp_path, flags) as first, small_service(tmp_path, flags) as second:
        key = await first.key(tenant)
        one, two = first.client(key), second.client(key)
        run_id = await one.research(strategy="react", budget={"steps": 2})
        async with one.stream(run_id) as here, two.stream(run_id) as there, asyncio.TaskGroup() as group:
            tasks = [group.create_task(here.all()), group.create_task(there.all())]
        page = (await two.get(f"/v1/research/{run_id}/journal?limit=500")).body["items"]
        for task in tasks:
            assert [event.data for event in durable(task.result())] == page


async def test_many_clients_follow_one_run_and_all_see_the_same(tmp_path: Path) -> None:
    async with small_service(tmp_path, {}) as service:
        client = await service.caller("acme")
        run_id = await client.research()

        async def follow() -> list[str]:
            async with client.stream(run_id) as stream:
                return [event.id for event in durable(await stream.all())]

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(follow()) for _ in range(200)]
        (told,) = {tuple(task.result()) for task in tasks}
        assert list(told) == [str(number) for number in range(1, len(told) + 1)]
        assert service.services.streams.held == 0


async def test_streams_of_a_key_and_of_all_are_counted(tmp_path: Path) -> None:
    flags = {"service__key_streams": "1", "service__streams": "2"}
    async with small_service(tmp_path, flags) as service:
        clients = [await service.caller("acme") for _ in range(3)]
        run_id = (await service.held_elsewhere("acme")).id
        path = f"/v1/research/{run_id}/events"
        async with clients[0].stream(run_id):
            again = await clients[0].get(path)
            assert (again.status, again.body["code"]) == (429, "key_streams")
            assert int(again.headers["Retry-After"]) >= 1
            async with clients[1].stream(run_id):
                third = await clients[2].get(path)
                assert (third.status, third.body["code"]) == (503, "streams")
        await held(service, 0)


async def test_a_silent_stream_says_that_it_is_there(tmp_path: Path) -> None:
    async with small_service(tmp_path, {"service__heartbeat_seconds": "0.1"}) as service:
        client = await service.caller("acme")
        run = await service.held_elsewhere("acme")
        async with client.stream(run.id, after=1) as stream:
            reading = asyncio.create_task(stream.next())
            await asyncio.wait({reading}, timeout=0.65)
            reading.cancel()
            assert stream.beats >= 3
            assert stream.retry == [2_000]


@pytest.mark.parametrize("ends", ["key", "tenant"])
async def test_a_stream_ends_with_its_key(ends: str, tmp_path: Path) -> None:
    async with small_service(tmp_path, {"service__heartbeat_seconds": "0.1"}) as service:
        key = await service.key("acme")
        client, accounts = service.client(key), service.services.accounts
        run = await service.held_elsewhere("acme")
        async with client.stream(run.id, after=1) as stream:
            reading = asyncio.create_task(stream.next())
            await asyncio.wait({reading}, timeout=0.35)
            assert not reading.done()
            if ends == "key":
                await accounts.keys.revoke("acme", key.split("_")[1])
            else:
                await accounts.tenants.disable("acme", disabled=True)
            async with asyncio.timeout(10):
                assert await reading is None
        assert (await client.get(f"/v1/research/{run.id}/events")).status == 401
        await held(service, 0)


async def test_a_client_that_does_not_read_is_cut_and_may_come_back(tmp_path: Path) -> None:
    async with small_service(tmp_path, {"service__slow_seconds": "0.3"}) as service:
        key = await service.key("acme")
        run = await service.held_elsewhere("acme")
        step = Step(text="x" * 400_000)
        for _ in range(20):
            entries = [Entry(at=time.time(), branch="", event=PlanMade(plan=Plan(steps=(step,))))]
            await service.services.platform.store.append(run.id, run.fence, entries)
        got, cut = await not_reading(service, run.id, key)
        assert cut
        assert got < 8_000_000
        async with service.client(key).stream(run.id, after=1) as stream:
            events = [await stream.next() for _ in range(20)]
        assert [event.id for event in events if event] == [str(number) for number in range(2, 22)]


async def not_reading(service: Running, run_id: str, key: str) -> tuple[int, bool]:
    """Follow a run without reading until the service has had enough; return the bytes that came, and whether it cut."""
    loop = asyncio.get_running_loop()
    request = f"GET /v1/research/{run_id}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n"
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.setblocking(False)
        await loop.sock_connect(slow, ("127.0.0.1", int(service.url.rpartition(":")[2])))
        await loop.sock_sendall(slow, request.encode())
        await held(service, 1)
        await held(service, 0)
        got = bytearray()
        with suppress(ConnectionError):
            while part := await loop.sock_recv(slow, 1 << 20):
                got += part
        return len(got), not got.endswith(b"0\r\n\r\n")


async def held(service: Running, count: int) -> None:
    """Wait until the service holds so many streams."""
    async with asyncio.timeout(10):
        while service.services.streams.held != count:  # noqa: ASYNC110 the service tells nobody
            await asyncio.sleep(0.01)


async def test_a_process_that_leaves_sends_its_clients_elsewhere(tmp_path: Path) -> None:
    async with small_service(tmp_path, {}) as service:
        client = await service.caller("acme")
        run = await service.held_elsewhere("acme")
        async with client.stream(run.id, after=1) as stream:
            service.leaving.begin()
            with within(1):
                assert await stream.all() == []
            assert stream.retry == [2_000, 250]
        assert (await client.get("/readyz")).status == 503
