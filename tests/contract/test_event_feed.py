"""What every run store promises as the outbox of an event log; runs over each of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import cast

import orjson
import pytest
from tests.contract.test_run_store import DONE, LEASE, SHORT, entry, eventually, new, refused, seen

from leadline.errors import LeaseLost
from leadline.events import RunStarted
from leadline.ports import Fed, Lag, RunStore, Store, Turn

Opener = Callable[..., AbstractAsyncContextManager[RunStore]]
LOG = "jsonl:/a"


@pytest.fixture
def outbox(store: RunStore) -> Store:
    return cast("Store", store)


async def given(store: Store, after: str = "", *, limit: int = 1000) -> Sequence[Fed]:
    """Return a page that is there, or will be: rows come into the feed a moment after their commit."""
    found = await eventually(lambda: store.feed(after, limit=limit))
    return cast("Sequence[Fed]", found)


async def everything(store: Store, *, least: int, limit: int = 1000) -> list[Fed]:
    """Read from the beginning, page by page, until `least` rows were there and no more come."""
    found: list[Fed] = []
    place = ""

    async def page() -> Sequence[Fed]:
        return await store.feed(place, limit=limit)

    while rows := await page() or (await given(store, place, limit=limit) if len(found) < least else ()):
        assert len(rows) <= limit + 100
        found += rows
        place = rows[-1].place
    return found


def names(rows: Sequence[Fed]) -> list[tuple[str, int]]:
    return [(row.run_id, row.seq) for row in rows]


async def turn_of(store: Store, owner: str, *, lease: float = LEASE) -> Turn:
    turn = await store.ship(LOG, owner, lease=lease)
    assert turn is not None
    return turn


# --- the feed


async def test_a_row_is_given_as_it_is_stored(outbox: Store) -> None:
    await outbox.create(new("r1", tenant="acme"), owner="w")
    (row,) = await given(outbox)
    (record,) = await outbox.records("r1")
    assert (row.run_id, row.tenant, row.seq, row.at, row.branch) == ("r1", "acme", 1, record.at, "")
    assert row.type == RunStarted.type
    assert row.body is not None
    assert orjson.loads(row.body)["question"]["text"] == "Wie tief? 有多深？"


async def test_a_large_body_is_given_whole(outbox: Store) -> None:
    run = await outbox.create(new("r1", options=new("x").options), owner="w")
    await outbox.append("r1", run.fence, [seen(number) for number in range(40)])
    rows = await everything(outbox, least=41)
    assert [row.seq for row in rows] == list(range(1, 42))
    assert [orjson.loads(row.body or b"")["round"] for row in rows[1:]] == list(range(40))


async def test_runs_are_mixed_and_each_is_in_order(outbox: Store) -> None:
    runs = [await outbox.create(new(f"r{n}", tenant=f"t{n % 2}"), owner="w") for n in range(4)]
    for number in range(5):
        async with asyncio.TaskGroup() as group:
            for run in runs:
                group.create_task(outbox.append(run.id, run.fence, [seen(number), seen(number)]))
    for limit in (1000, 7, 1):
        rows = await everything(outbox, least=44, limit=limit)
        assert sorted(set(names(rows))) == [(f"r{n}", seq) for n in range(4) for seq in range(1, 12)]
        for run in runs:
            own = [row.seq for row in rows if row.run_id == run.id]
            assert list(dict.fromkeys(own)) == list(range(1, 12))


async def test_behind_the_last_place_only_news_are_given(outbox: Store) -> None:
    run = await outbox.create(new("r1"), owner="w")
    last = (await everything(outbox, least=1))[-1].place
    assert list(await outbox.feed(last, limit=10)) == []
    await outbox.append("r1", run.fence, [seen(1)])
    rows = await given(outbox, last)
    assert names(rows) == [("r1", 2)]


async def test_deleting_the_newest_runs_hides_nothing_that_follows(outbox: Store) -> None:
    kept = await outbox.create(new("kept"), owner="w")
    for name in ("a", "b"):
        run = await outbox.create(new(name), owner="w")
        await outbox.append(name, run.fence, [seen(1), seen(2), entry(DONE)])
    last = (await everything(outbox, least=9))[-1].place
    for name in ("a", "b"):
        await outbox.delete(name, tenant="acme")
    assert list(await outbox.feed(last, limit=10)) == []
    await outbox.append("kept", kept.fence, [seen(1), seen(2)])
    assert names(await given(outbox, last)) == [("kept", 2), ("kept", 3)]


async def writes(store: Store, number: int) -> None:
    chance = random.Random(number)
    run = await store.create(new(f"r{number}"), owner=f"w{number}")
    for step in range(15):
        await store.append(run.id, run.fence, [seen(step)] * chance.randint(1, 3))
        await asyncio.sleep(chance.random() / 200)


async def reads_along(store: Store, done: asyncio.Event) -> set[tuple[str, int]]:
    """Read on and on from where it stood, and see that no row comes before its run's last one."""
    found: set[tuple[str, int]] = set()
    place, idle = "", 0
    while idle < 3:
        rows = await store.feed(place, limit=20)
        for row in rows:
            assert row.seq == 1 or (row.run_id, row.seq - 1) in found
            found.add((row.run_id, row.seq))
        place = rows[-1].place if rows else place
        idle += done.is_set() and not rows
        await asyncio.sleep(0.005 if rows else 0.05)
    return found


async def test_who_reads_along_misses_nothing(opener: Opener) -> None:
    """Many write through two connections meanwhile."""
    async with opener() as first, opener() as second:
        stores = [cast("Store", first), cast("Store", second)]
        done = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(reads_along(stores[0], done))
            writers = [group.create_task(writes(stores[number % 2], number)) for number in range(12)]
            await asyncio.wait(writers)
            done.set()
        records = {f"r{number}": await second.records(f"r{number}") for number in range(12)}
    assert reading.result() == {(name, record.seq) for name, found in records.items() for record in found}


# --- who ships


async def test_one_ships_at_a_time(opener: Opener) -> None:
    async with opener() as first, opener() as second:
        one, other = cast("Store", first), cast("Store", second)
        turn = await turn_of(one, "a")
        assert turn.place == ""
        assert await other.ship(LOG, "b", lease=LEASE) is None
        assert await other.ship("another log", "b", lease=LEASE) is not None
        assert await turn_of(one, "a") == turn
        await one.release(LOG, turn)
        assert (await turn_of(other, "b")).fence > turn.fence


async def test_a_silent_shipper_is_followed_and_refused(outbox: Store) -> None:
    await outbox.create(new("r1"), owner="w")
    last = (await everything(outbox, least=1))[-1].place
    old = await turn_of(outbox, "a", lease=SHORT)
    newer = cast("Turn", await eventually(lambda: outbox.ship(LOG, "b", lease=LEASE)))
    assert await refused(LeaseLost, outbox.shipped(LOG, old._replace(place=last), lease=LEASE))
    await outbox.release(LOG, old)
    assert await outbox.ship(LOG, "a", lease=LEASE) is None
    await outbox.shipped(LOG, newer._replace(place=last), lease=LEASE)
    await outbox.release(LOG, newer)
    assert await refused(LeaseLost, outbox.shipped(LOG, newer, lease=LEASE))
    assert (await turn_of(outbox, "a")).place == last


async def test_noting_renews_the_right(outbox: Store) -> None:
    turn = await turn_of(outbox, "a", lease=SHORT)
    await outbox.shipped(LOG, turn, lease=LEASE)
    await asyncio.sleep(SHORT * 2)
    assert await outbox.ship(LOG, "b", lease=LEASE) is None


# --- lag


async def test_the_lag_counts_what_is_not_shipped(outbox: Store) -> None:
    assert await outbox.lag(LOG) == Lag()
    run = await outbox.create(new("r1"), owner="w")
    await outbox.append("r1", run.fence, [seen(1), seen(2)])
    lag = await outbox.lag(LOG)
    assert lag.rows == 3
    assert lag.seconds > 1_000_000  # these events say that they are from 1970
    rows = await everything(outbox, least=3)
    turn = await turn_of(outbox, "a")
    await outbox.shipped(LOG, turn._replace(place=rows[-1].place), lease=LEASE)
    assert await outbox.lag(LOG) == Lag()
    assert (await outbox.lag("another log")).rows == 3
