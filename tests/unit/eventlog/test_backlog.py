"""Single messages to a log: never waited for, bounded, delivered in order."""

from __future__ import annotations

import asyncio
import threading
from random import Random
from typing import Any

import orjson
import pytest
from tests.contract.test_run_store import eventually
from tests.support.shipping import MemoryLog, away

from leadline.eventlog import backlog as module
from leadline.eventlog.backlog import Backlog
from leadline.resilience import Backoff, SystemClock


def backlog(log: MemoryLog, **changes: Any) -> Backlog:
    values: dict[str, Any] = {"clock": SystemClock(), "random": Random(1), "backoff": Backoff(base=0.01, cap=0.02)}
    return Backlog(log, **(values | changes))


def send(to: Backlog, seq: int, run: str = "a") -> bool:
    return to.send(run.encode(), orjson.dumps({"run": run, "seq": seq}))


async def test_messages_of_all_threads_arrive_each_threads_in_order() -> None:
    log = MemoryLog()

    def many(run: str, to: Backlog) -> None:
        for seq in range(500):
            assert send(to, seq, run)

    async with backlog(log) as sending:
        threads = [threading.Thread(target=many, args=(run, sending)) for run in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
    assert len(log.found) == 1500
    for run in "abc":
        assert [seq for name, seq in log.found if name == run] == list(range(500))
    assert sending.dropped == 0


async def test_what_finds_no_room_is_counted_and_dropped() -> None:
    log = MemoryLog()
    log.failure = away()
    async with backlog(log, most=5) as sending:
        assert [send(sending, seq) for seq in range(8)] == [True] * 5 + [False] * 3
        assert (len(sending), sending.dropped) == (5, 3)
        log.failure = None

        async def empty() -> bool:
            return not len(sending)

        await eventually(empty)
        assert send(sending, 9)
    assert log.found == [("a", seq) for seq in (0, 1, 2, 3, 4, 9)]


async def test_the_end_waits_a_while_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_SECONDS", 0.1)
    log = MemoryLog()
    log.hangs.clear()
    async with backlog(log) as sending:
        send(sending, 1)
        send(sending, 2)
    assert sending.dropped == 2
    assert not send(sending, 3)
    assert log.found == []
