"""The limiter, and each fault of a semaphore with a dictionary beside it."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable, Coroutine

import pytest

from leadline.errors import ModelRateLimited
from leadline.model.concurrency import Limiter, Limits
from leadline.model.fair import FairQueue
from leadline.resilience import Deadline


async def spin() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def holding(limiter: Limiter, done: asyncio.Event, log: list[str]) -> Callable[[str, str], Coroutine[None, None, None]]:
    async def hold(tenant: str, run: str) -> None:
        with await limiter.acquire(tenant=tenant, run=run):
            log.append(f"{tenant}{run}")
            await done.wait()

    return hold


async def test_five_of_ten_taken_leaves_five_at_once() -> None:
    limiter = Limiter(Limits(process=10))
    permits = [await limiter.acquire() for _ in range(5)]
    async with asyncio.timeout(10):
        permits += [await limiter.acquire(seconds=0.0) for _ in range(5)]
    assert limiter.counts.active == 10
    with pytest.raises(ModelRateLimited):
        await limiter.acquire(seconds=0.01)


async def test_the_same_run_twice_is_counted_twice() -> None:
    limiter = Limiter(Limits(process=4))
    with await limiter.acquire(run="r"), await limiter.acquire(run="r"):
        assert limiter.counts.runs == {"r": 2}
    assert limiter.counts.runs == {}
    assert limiter.counts.active == 0


async def test_releasing_twice_is_releasing_once() -> None:
    limiter = Limiter(Limits(process=1))
    permit = await limiter.acquire()
    permit.release()
    permit.release()
    await limiter.acquire()
    assert limiter.counts.active == 1


async def test_a_slot_that_comes_free_is_handed_over_in_that_moment() -> None:
    limiter = Limiter(Limits(process=1))
    first = await limiter.acquire()
    waiting = asyncio.get_running_loop().create_task(limiter.acquire())
    await spin()
    first.release()
    assert limiter.counts.active == 1, "nobody else can take it in between"
    (await waiting).release()
    assert limiter.counts.active == 0


async def test_tenants_take_turns_however_many_calls_one_of_them_makes() -> None:
    limiter = Limiter(Limits(process=1))
    order: list[str] = []

    async def call(name: str) -> None:
        with await limiter.acquire(tenant=name[0]):
            order.append(name)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(call(f"a{number}"))
        for number in range(2):
            group.create_task(call(f"b{number}"))
    assert order == ["a0", "a1", "b0", "a2", "b1", "a3", "a4", "a5"]


async def test_a_run_and_a_tenant_have_limits_of_their_own() -> None:
    limiter = Limiter(Limits(process=5, tenant=3, run=2))
    done, log = asyncio.Event(), list[str]()
    hold = holding(limiter, done, log)
    async with asyncio.TaskGroup() as group:
        for tenant, run in (("a", "1"), ("a", "1"), ("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("b", "4")):
            group.create_task(hold(tenant, run))
        await spin()
        # The third call of a run and the fourth of a tenant wait; those behind them do not.
        assert log == ["a1", "a1", "a2", "b4"]
        assert limiter.counts.waiting == 3
        done.set()
    assert sorted(log) == sorted(["a1", "a1", "a1", "a2", "a3", "b1", "b4"])
    assert limiter.counts.active == 0


async def test_beyond_the_bound_a_caller_is_told_when_to_come_again() -> None:
    limiter = Limiter(Limits(process=1, waiting=3, waiting_tenant=2))
    permit = await limiter.acquire()
    loop = asyncio.get_running_loop()
    waiters = [loop.create_task(limiter.acquire(tenant="a")) for _ in range(2)]
    await spin()
    with pytest.raises(ModelRateLimited) as caught:
        await limiter.acquire(tenant="a")
    assert caught.value.retry_after is not None
    waiters.append(loop.create_task(limiter.acquire(tenant="b")))
    await spin()
    with pytest.raises(ModelRateLimited):
        await limiter.acquire(tenant="c")
    permit.release()
    for waiter in (waiters[0], waiters[2], waiters[1]):  # tenants take turns
        (await waiter).release()


async def test_a_waiter_that_leaves_takes_nothing_with_it() -> None:
    limiter = Limiter(Limits(process=1))
    permit = await limiter.acquire()
    loop = asyncio.get_running_loop()
    leaving, staying = loop.create_task(limiter.acquire()), loop.create_task(limiter.acquire())
    await spin()
    # Handed over and cancelled in the same moment: the permit goes on to the next.
    permit.release()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    (await asyncio.wait_for(staying, 20)).release()
    assert (limiter.counts.active, limiter.counts.waiting) == (0, 0)


async def test_work_that_never_got_a_slot_was_never_made() -> None:
    limiter = Limiter(Limits(process=1))
    made: list[int] = []

    async def work() -> int:
        made.append(1)
        return 7

    assert await limiter.run(work) == 7
    with warnings.catch_warnings(), await limiter.acquire():
        warnings.simplefilter("error")  # a coroutine that nobody awaits would warn
        with pytest.raises(ModelRateLimited):
            await limiter.run(work, deadline=Deadline(0.01))
        task = asyncio.get_running_loop().create_task(limiter.run(work))
        await spin()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gc.collect()
    assert made == [1]


async def test_a_failure_gives_the_slot_back() -> None:
    limiter = Limiter(Limits(process=1))

    async def fails() -> None:
        raise ValueError("no")

    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            await limiter.run(fails, run="r")
    assert limiter.counts.active == 0


def test_the_queue_keeps_order_within_a_tenant_and_turns_between() -> None:
    queue: FairQueue[str] = FairQueue()
    for entry in ("a1", "a2", "b1", "c1", "a3"):
        queue.push(entry[0], entry)
    queue.remove("c", "c1")
    queue.remove("c", "c1")
    assert len(queue) == 4
    assert queue.take(lambda entry: entry != "a1") == "a2"
    assert [queue.take(lambda _entry: True) for _ in range(4)] == ["b1", "a1", "a3", None]
    assert list(queue) == []
