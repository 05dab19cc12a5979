from __future__ import annotations

import asyncio

from leadline.events import Progress, Record, RunWaiting
from leadline.hub import BACKLOG, FOR_RECORDS, Hub


def record(seq: int) -> Record:
    return Record(seq=seq, at=0.0, branch="", event=RunWaiting(reason=""))


LIVE = Progress(run_id="a", branch="", kind="text", text="x")


async def test_listeners_hear_of_their_run_alone_in_order() -> None:
    hub = Hub()
    with hub.listening("a") as one, hub.listening("a") as two, hub.listening("b") as other:
        hub.record("a", "local", record(1))
        hub.progress(LIVE)
        hub.record("a", "local", record(2))
        hub.ended("a")
        for listener in (one, two):
            assert [await listener.take() for _ in range(4)] == [record(1), LIVE, record(2), None]
        hub.ended("b")
        assert await other.take() is None


async def test_who_waits_is_woken() -> None:
    hub = Hub()
    with hub.listening("a") as listener:
        async with asyncio.TaskGroup() as group:
            taking = group.create_task(listener.take())
            await asyncio.sleep(0)
            hub.record("a", "local", record(1))
        assert taking.result() == record(1)


async def test_a_slow_listener_misses_live_text_first_and_always_hears_the_end() -> None:
    hub = Hub()
    with hub.listening("a") as listener:
        for _ in range(BACKLOG):
            hub.progress(LIVE)
        for seq in range(1, FOR_RECORDS + 10):
            hub.record("a", "local", record(seq))
        hub.ended("a")
        taken = []
        while (item := await listener.take()) is not None:
            taken.append(item)
    assert sum(isinstance(item, Progress) for item in taken) == BACKLOG - FOR_RECORDS
    assert [item.seq for item in taken if isinstance(item, Record)] == list(range(1, FOR_RECORDS + 1))


def test_nobody_listening_is_no_trouble() -> None:
    hub = Hub()
    with hub.listening("a"):
        pass
    hub.record("a", "local", record(1))
    hub.progress(LIVE)
    hub.ended("a")
