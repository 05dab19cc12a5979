"""Carrying the journal to a log: in order, at least once, by one process, and in nobody's way."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from tests.contract.test_run_store import entry, eventually, new, seen
from tests.support.shipping import LOG, MemoryLog, away, shipper

from leadline.domain import Plan
from leadline.errors import StoreUnavailable
from leadline.eventlog import shipper as module
from leadline.eventlog.jsonl import JsonLines
from leadline.eventlog.shipper import Shipper
from leadline.events import PlanMade
from leadline.ports import Lag, Run
from leadline.resilience import Owned
from leadline.tasks.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore.open(tmp_path / "runs.db") as opened:
        yield opened


@asynccontextmanager
async def running(*shippers: Shipper) -> AsyncIterator[Owned]:
    async with Owned("tests") as owned:
        for number, one in enumerate(shippers):
            owned.start(one.run(), name=str(number))
        yield owned


async def filled(store: SqliteStore, *names: str, steps: int = 10) -> list[Run]:
    runs = [await store.create(new(name), owner="w") for name in names]
    for step in range(steps):
        for run in runs:
            await store.append(run.id, run.fence, [seen(step)])
    return runs


def failing_of(one: Shipper) -> str | None:
    return one.failing


async def until(log: MemoryLog, count: int) -> None:
    async def there() -> bool:
        return len(log.firsts) >= count

    await eventually(there)


async def test_everything_is_shipped_once_and_in_order(store: SqliteStore) -> None:
    await filled(store, "a", "b")
    log = MemoryLog()
    async with running(shipper(store, log)):
        await until(log, 22)
        await filled(store, "c", steps=3)
        await until(log, 26)
    assert log.found == log.firsts
    for name, count in (("a", 11), ("b", 11), ("c", 4)):
        assert [seq for run, seq in log.found if run == name] == list(range(1, count + 1))
    assert await store.lag(LOG) == Lag()


async def test_news_are_shipped_soon(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 30.0)
    log = MemoryLog()
    async with running(shipper(store, log)):
        await asyncio.sleep(0.2)
        await filled(store, "a", steps=1)
        await until(log, 2)


async def test_an_idle_shipper_does_not_wake_itself(store: SqliteStore) -> None:
    await filled(store, "a")
    log = MemoryLog()
    reads = 0
    feed = store.feed

    async def counted(after: str, *, limit: int) -> object:
        nonlocal reads
        reads += 1
        return await feed(after, limit=limit)

    store.feed = counted  # type: ignore[method-assign, assignment]  # counts
    async with running(shipper(store, log, lease=30.0)):
        await until(log, 11)
        await asyncio.sleep(0.8)
    assert reads <= 6


async def test_drain_ships_what_is_there(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 4)
    await filled(store, "a")
    log = MemoryLog()
    assert await shipper(store, log).drain() == 11
    assert await shipper(store, log, "two").drain() == 0
    assert log.found == [("a", seq) for seq in range(1, 12)]


# --- one at a time


async def test_of_several_processes_one_ships(store: SqliteStore) -> None:
    await filled(store, "a", "b")
    log = MemoryLog()
    async with running(shipper(store, log, "one"), shipper(store, log, "two"), shipper(store, log, "three")):
        await until(log, 22)
        await filled(store, "c")
        await until(log, 33)
    assert log.found == log.firsts


async def test_another_goes_on_when_one_ends(store: SqliteStore) -> None:
    await filled(store, "a")
    first, second = MemoryLog(), MemoryLog()
    async with running(shipper(store, second, "two", lease=30.0)) as owned:
        await until(second, 11)
        waiting = shipper(store, first, "one", lease=0.3)
        owned.start(waiting.run(), name="waits")
        await asyncio.sleep(0.3)
    async with running(shipper(store, first, "three")):
        await filled(store, "b", steps=1)
        await until(first, 2)
    assert first.found == [("b", 1), ("b", 2)]


async def test_one_who_slept_past_the_lease_notes_nothing(store: SqliteStore) -> None:
    await filled(store, "a")
    slow, other = MemoryLog(), MemoryLog()
    slow.hangs.clear()
    async with running(shipper(store, slow, "slow", lease=0.2), shipper(store, other, "other", lease=0.2)):
        await until(other, 11)
        await filled(store, "b", steps=2)
        await until(other, 14)
        slow.hangs.set()
        await until(slow, 11)  # it delivers late, what the other has shipped already
        await filled(store, "c", steps=2)

        async def all_there() -> bool:
            return len(set(slow.found) | set(other.found)) == 17 and await store.lag(LOG) == Lag()

        await eventually(all_there)
    both = slow.found + other.found
    assert set(slow.found) & {("b", 3), ("b", 2)} == set()
    assert len([name for name in both if name[0] == "c"]) == 3


# --- a log that fails


async def test_a_log_that_is_away_holds_up_no_run(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    log = MemoryLog()
    log.failure = away()
    one = shipper(store, log)
    with caplog.at_level(logging.INFO, "leadline.eventlog"):
        async with running(one):
            await filled(store, "a", steps=50)

            async def failed() -> bool:
                return log.deliveries >= 5

            await eventually(failed)
            assert failing_of(one) == "the log is away"
            assert (await store.lag(LOG)).rows == 51
            log.failure = None
            await until(log, 51)
            assert failing_of(one) is None
    assert log.found == [("a", seq) for seq in range(1, 52)]
    told = [record.getMessage() for record in caplog.records]
    assert told.count("event_log_failed") == told.count("event_log_reached") == 1


async def test_a_log_that_took_a_part_gets_the_whole_again(store: SqliteStore) -> None:
    await filled(store, "a")
    log = MemoryLog()
    log.failure, log.partly = away(), 4
    async with running(shipper(store, log)):
        await until(log, 4)
        log.failure = None
        await until(log, 11)
    assert log.firsts == [("a", seq) for seq in range(1, 12)]
    assert log.found.count(("a", 5)) == 1


async def test_drain_tells_of_a_log_that_is_away_and_lets_others_try(store: SqliteStore) -> None:
    await filled(store, "a")
    log = MemoryLog()
    log.failure = away()
    with pytest.raises(StoreUnavailable):
        await shipper(store, log, lease=30.0).drain()
    log.failure = None
    assert await shipper(store, log, "two").drain() == 11


# --- crashes


async def test_a_death_between_delivery_and_note_leaves_no_gap(store: SqliteStore, tmp_path: Path) -> None:
    """The delivery is made again, with the same names; and so after every further death."""
    (run,) = await filled(store, "a")
    path = tmp_path / "log.jsonl"
    deaths = 3
    for _ in range(deaths):
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.shipping", tmp_path / "runs.db", path),
            cwd=ROOT,
            stderr=subprocess.PIPE,
        )
        _, told = await child.communicate()
        assert child.returncode == -9, told
        await store.append(run.id, run.fence, [seen(1)])
        await asyncio.sleep(0.7)  # its lease
    async with JsonLines.open(path) as sink:
        assert await shipper(store, sink).drain() == 11 + deaths
    events = [orjson.loads(line) for line in await asyncio.to_thread(lambda: path.read_bytes().splitlines())]
    firsts: dict[int, object] = {}
    for event in events:
        assert firsts.setdefault(event["seq"], event) == event
    assert list(firsts) == list(range(1, 12 + deaths))
    assert len(events) == 11 + 12 + 13 + 14


async def test_texts_stay_here(store: SqliteStore) -> None:
    """What is shipped by default holds nothing that a person or a model wrote."""
    run = await store.create(new("a"), owner="w")
    await store.append(run.id, run.fence, [entry(PlanMade(plan=Plan(steps=())))])
    taken: list[bytes] = []

    class Keeps(MemoryLog):
        async def deliver(self, messages: object) -> None:
            taken.extend(message.value for message in messages)  # type: ignore[attr-defined]  # messages

    await shipper(store, Keeps()).drain()
    assert len(taken) == 2
    assert b"Wie tief" not in b"".join(taken)
