"""Courtesy: turns, pauses, holds."""

from __future__ import annotations

import asyncio

import pytest

from leadline.errors import FetchRateLimited
from leadline.fetch.hosts import Hosts
from leadline.testing import FakeClock


def hosts(clock: FakeClock, *, concurrency: int = 2, delay: float = 1.0) -> Hosts:
    return Hosts(clock=clock, concurrency=concurrency, delay=delay, monotonic=clock.monotonic)


async def visit(polite: Hosts, clock: FakeClock, host: str, *, paced: bool = True, patience: float = 100.0) -> float:
    async with polite.turn(host, patience=patience, paced=paced):
        return clock.now() - 1_700_000_000.0


async def test_starts_at_one_host_are_apart() -> None:
    clock = FakeClock(auto=True)
    polite = hosts(clock)
    assert [await visit(polite, clock, "a") for _ in range(3)] == [0.0, 1.0, 2.0]
    assert await visit(polite, clock, "b") == 2.0
    assert await visit(polite, clock, "a", paced=False) == 2.0


async def test_few_are_under_way_at_once() -> None:
    clock = FakeClock()
    polite = hosts(clock, concurrency=1, delay=0.0)
    entered: list[int] = []
    release = asyncio.Event()

    async def stay(number: int) -> None:
        async with polite.turn("a", patience=1.0):
            entered.append(number)
            await release.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(stay(1))
        group.create_task(stay(2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert entered == [1]
        release.set()
    assert entered == [1, 2]


async def test_a_hold_is_waited_for_or_refused() -> None:
    clock = FakeClock(auto=True)
    polite = hosts(clock, delay=0.0)
    await polite.hold("a", 7.0)
    await polite.hold("a", 3.0)
    with pytest.raises(FetchRateLimited) as error:
        await visit(polite, clock, "a", patience=5.0)
    assert error.value.retry_after == pytest.approx(7.0)
    assert await visit(polite, clock, "b", patience=5.0) == 0.0
    assert await visit(polite, clock, "a", patience=8.0, paced=False) == 7.0


async def test_a_host_may_ask_for_longer_pauses_within_reason() -> None:
    clock = FakeClock(auto=True)
    polite = hosts(clock)
    polite.slow_down("a", 3.0)
    polite.slow_down("b", 3_600.0)
    assert [await visit(polite, clock, "a") for _ in range(2)] == [0.0, 3.0]
    assert [await visit(polite, clock, "b") for _ in range(2)] == [3.0, 8.0]


async def test_many_hosts_are_forgotten_but_those_on_hold() -> None:
    clock = FakeClock(auto=True)
    polite = hosts(clock, delay=0.0)
    await polite.hold("held", 60.0)
    for number in range(5_000):
        await visit(polite, clock, f"h{number}")
    assert len(polite._hosts) <= 4_097
    with pytest.raises(FetchRateLimited):
        await visit(polite, clock, "held", patience=1.0)


def test_senseless_values_are_refused() -> None:
    with pytest.raises(ValueError, match="concurrency"):
        hosts(FakeClock(), concurrency=0)
