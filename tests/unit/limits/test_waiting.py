"""The limiter on a clock that moves when told to: what many callers at many keys get, exactly."""

from __future__ import annotations

import asyncio

import pytest

from leadline.errors import LimitReached
from leadline.limits.memory import MemoryLedger
from leadline.limits.turns import ServiceTurns
from leadline.limits.types import Limit
from leadline.limits.waiting import MOST_HOLD, GcraLimiter
from leadline.testing.clock import FakeClock


def made() -> tuple[FakeClock, GcraLimiter]:
    clock = FakeClock()
    return clock, GcraLimiter(MemoryLedger(monotonic=clock.monotonic), clock=clock, monotonic=clock.monotonic)


async def passed(clock: FakeClock, seconds: float) -> None:
    """Let time pass in small steps, so that everybody wakes in time."""
    for _ in range(round(seconds * 100)):
        await clock.advance(0.01)


def worst_second(times: list[float]) -> int:
    return max(sum(at <= other < at + 1 - 1e-6 for other in times) for at in times)


async def test_the_wide_limit_holds_over_many_narrow_ones() -> None:
    clock, limiter = made()
    times: list[float] = []

    async def tenant(name: str) -> None:
        for _ in range(4):
            await limiter.acquire([Limit(key="provider", rate=10), Limit(key=name, rate=2)], deadline=60)
            times.append(clock.now())

    async with asyncio.TaskGroup() as tenants:
        for number in range(10):
            tenants.create_task(tenant(f"t{number}"))
        await passed(clock, 6)
    assert len(times) == 40
    assert worst_second(times) <= 12
    assert times[-1] - times[0] <= 4.5


async def test_one_tenants_queue_does_not_eat_anothers_share() -> None:
    clock, limiter = made()
    provider = Limit(key="provider", rate=10)
    slow = [asyncio.create_task(limiter.acquire([provider, Limit(key="slow", rate=1)], deadline=60)) for _ in range(20)]
    await passed(clock, 0.1)
    begun = clock.now()
    fast: list[float] = []

    async def one() -> None:
        await limiter.acquire([provider, Limit(key="fast", rate=10)], deadline=60)
        fast.append(clock.now() - begun)

    async with asyncio.TaskGroup() as calls:
        for _ in range(10):
            calls.create_task(one())
        await passed(clock, 2)
    assert max(fast) <= 1.3
    for task in slow:
        task.cancel()
    await asyncio.wait(slow)


async def test_those_who_wait_when_a_hold_comes_wait_for_its_end() -> None:
    clock, limiter = made()
    begun = clock.now()
    times: list[float] = []

    async def one() -> None:
        await limiter.acquire([Limit(key="a", rate=10)], deadline=60)
        times.append(clock.now() - begun)

    async with asyncio.TaskGroup() as calls:
        for _ in range(4):
            calls.create_task(one())
        await passed(clock, 0.05)
        await limiter.limited("a", retry_after=2)
        await passed(clock, 4)
    assert times[0] == 0
    assert min(times[1:]) >= 2
    assert times[3] - times[1] >= 0.3  # one after the other, and more slowly


async def test_a_wish_of_a_day_is_not_kept() -> None:
    _clock, limiter = made()
    await limiter.limited("a", retry_after=86_400)
    with pytest.raises(LimitReached) as refused:
        await limiter.acquire([Limit(key="a", rate=1)], deadline=1)
    assert refused.value.retry_after == pytest.approx(MOST_HOLD)


async def test_a_service_counts_for_itself_for_each_key_and_for_more() -> None:
    _clock, limiter = made()
    turns = ServiceTurns(limiter, "serper", rate=10, more=(Limit(key="tenant:a", rate=0.1),))
    await turns.turn("k1", deadline=0)
    with pytest.raises(LimitReached, match="tenant:a"):
        await turns.turn("k2", deadline=1)
    held = ServiceTurns(limiter, "brave", rate=10)
    await held.limited("k1", retry_after=30)
    await held.turn("k2", deadline=0)
    with pytest.raises(LimitReached):
        await held.turn("k1", deadline=1)
