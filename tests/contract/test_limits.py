"""What every ledger of outgoing limits promises; runs over each of them, Redis being a real one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from tests.support.redis import Redis, running_redis

from leadline.errors import LimitReached
from leadline.limits.memory import MemoryLedger
from leadline.limits.redis import RedisLedger
from leadline.limits.types import Adapting, Ledger, Limit
from leadline.limits.waiting import GcraLimiter
from leadline.wire.redis import open_redis

FAST = Adapting(recovery=0.01, pause=0.05)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.server("redis"))])
async def ledger(request: pytest.FixtureRequest) -> AsyncIterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger(adapting=FAST)
        return
    server: Redis = request.getfixturevalue("redis")
    server.command("FLUSHALL")
    async with open_redis(server.url) as client:
        yield RedisLedger(client, adapting=FAST)


@pytest.fixture
def limiter(ledger: Ledger) -> GcraLimiter:
    return GcraLimiter(ledger)


async def grants(limiter: GcraLimiter, count: int, *limits: Limit, weight: float = 1.0) -> list[float]:
    """Return when each of `count` calls, all made at once, was let through, in seconds from now."""
    begun = time.monotonic()
    times: list[float] = []

    async def one() -> None:
        await limiter.acquire(limits, deadline=5, weight=weight)
        times.append(time.monotonic() - begun)

    async with asyncio.TaskGroup() as calls:
        for _ in range(count):
            calls.create_task(one())
    return times


def close(times: Sequence[float], wanted: Sequence[float], *, late: float = 0.08) -> bool:
    return len(times) == len(wanted) and all(-0.01 <= at - at0 <= late for at, at0 in zip(times, wanted, strict=True))


async def test_calls_are_spaced_evenly(limiter: GcraLimiter) -> None:
    times = await grants(limiter, 6, Limit(key="a", rate=20))
    assert close(times, [0, 0.05, 0.1, 0.15, 0.2, 0.25]), times


async def test_a_burst_passes_after_a_pause_and_no_more(limiter: GcraLimiter) -> None:
    times = await grants(limiter, 5, Limit(key="a", rate=10, burst=3))
    assert close(times, [0, 0, 0, 0.1, 0.2]), times


async def test_weights_count(limiter: GcraLimiter) -> None:
    times = await grants(limiter, 3, Limit(key="tokens", rate=1000, burst=100), weight=100)
    assert close(times, [0, 0.1, 0.2]), times


async def test_first_come_first_served(limiter: GcraLimiter) -> None:
    order: list[int] = []

    async def one(number: int) -> None:
        await limiter.acquire([Limit(key="a", rate=50)], deadline=5)
        order.append(number)

    async with asyncio.TaskGroup() as calls:
        for number in range(8):
            calls.create_task(one(number))
            await asyncio.sleep(0.002)
    assert order == list(range(8))


async def test_a_hopeless_wait_is_refused_at_once_and_uses_nothing_up(limiter: GcraLimiter) -> None:
    limit = Limit(key="a", rate=5)
    await limiter.acquire([limit], deadline=1)
    begun = time.monotonic()
    for _ in range(5):
        with pytest.raises(LimitReached) as refused:
            await limiter.acquire([limit], deadline=0.05)
        assert 0.05 < refused.value.retry_after <= 0.2
    assert time.monotonic() - begun < 0.1
    await limiter.acquire([limit], deadline=1)
    assert time.monotonic() - begun < 0.28


async def test_all_keys_of_a_call_must_let_it_pass(limiter: GcraLimiter) -> None:
    times = await grants(limiter, 3, Limit(key="provider", rate=100), Limit(key="key", rate=10))
    assert close(times, [0, 0.1, 0.2]), times


async def test_a_queue_at_one_host_holds_up_no_other(limiter: GcraLimiter) -> None:
    shared = Limit(key="all", rate=100)
    async with asyncio.TaskGroup() as calls:
        slow = calls.create_task(grants(limiter, 4, shared, Limit(key="slow", rate=5)))
        await asyncio.sleep(0.02)
        fast = calls.create_task(grants(limiter, 10, shared, Limit(key="fast", rate=100)))
    assert fast.result()[-1] < 0.25, fast.result()
    assert close(slow.result(), [0, 0.2, 0.4, 0.6]), slow.result()


async def test_the_wide_limit_holds_over_many_narrow_ones(limiter: GcraLimiter) -> None:
    """Ten tenants with queues of their own stay together under the provider's rate."""
    begun = time.monotonic()
    times: list[float] = []

    async def tenant(name: str) -> None:
        for _ in range(3):
            await limiter.acquire([Limit(key="provider", rate=50), Limit(key=name, rate=20)], deadline=5)
            times.append(time.monotonic() - begun)

    async with asyncio.TaskGroup() as tenants:
        for number in range(10):
            tenants.create_task(tenant(f"t{number}"))
    times.sort()
    assert times[-1] == pytest.approx(29 / 50, abs=0.12)
    assert max(sum(at <= other < at + 0.2 for other in times) for at in times) <= 0.2 * 50 + 2


async def test_keys_do_not_touch_each_other(limiter: GcraLimiter) -> None:
    async with asyncio.TaskGroup() as calls:
        tasks = [calls.create_task(grants(limiter, 2, Limit(key=f"k{n}", rate=10))) for n in range(5)]
    assert all(close(task.result(), [0, 0.1]) for task in tasks)


async def test_who_is_cancelled_gives_back_the_last_place(limiter: GcraLimiter) -> None:
    limit = Limit(key="a", rate=5)
    await limiter.acquire([limit], deadline=1)
    waiting = [asyncio.create_task(limiter.acquire([limit], deadline=5)) for _ in range(5)]
    await asyncio.sleep(0.03)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    begun = time.monotonic()
    await limiter.acquire([limit], deadline=1)
    assert time.monotonic() - begun < 0.25


async def test_a_place_given_back_is_taken_by_the_next_alone(limiter: GcraLimiter) -> None:
    """It must not push two calls into one moment."""
    limit = Limit(key="a", rate=10)
    begun = time.monotonic()
    times: list[float] = []

    async def one() -> None:
        await limiter.acquire([limit], deadline=5)
        times.append(time.monotonic() - begun)

    tasks = []
    for _ in range(5):
        tasks.append(asyncio.create_task(one()))
        await asyncio.sleep(0.002)
    tasks[2].cancel()
    await asyncio.wait({tasks[2]})
    tasks += [asyncio.create_task(one()), asyncio.create_task(one())]
    await asyncio.wait(tasks)
    assert close(sorted(times), [0, 0.1, 0.2, 0.3, 0.4, 0.5]), times


async def test_a_hold_stops_those_who_wait_and_those_who_come(limiter: GcraLimiter) -> None:
    limit = Limit(key="a", rate=50)
    begun = time.monotonic()
    waiting = asyncio.create_task(grants(limiter, 4, limit))
    await asyncio.sleep(0.01)
    await limiter.limited("a", retry_after=0.3)
    late = await grants(limiter, 2, limit)
    times = await waiting
    assert min(late) + 0.01 > 0.28
    assert sum(at < 0.28 for at in times) == 1, times
    assert time.monotonic() - begun < 0.8


async def test_a_hold_is_a_reason_to_refuse(limiter: GcraLimiter) -> None:
    await limiter.limited("a", retry_after=30)
    with pytest.raises(LimitReached) as refused:
        await limiter.acquire([Limit(key="b", rate=5), Limit(key="a", rate=50)], deadline=1)
    assert refused.value.retry_after == pytest.approx(30, abs=0.5)


async def test_the_rate_is_halved_and_grows_back(ledger: Ledger) -> None:
    limiter = GcraLimiter(ledger)
    limit = Limit(key="a", rate=20)
    await limiter.limited("a", retry_after=0)
    assert close(await grants(limiter, 3, limit), [0, 0.1, 0.2])
    for _ in range(5):
        await limiter.limited("a", retry_after=0)  # at once: one lesson, not five
    times = await grants(limiter, 3, limit)
    assert 0.3 < times[2] < 0.55, times


@pytest.mark.server("redis")
async def test_without_redis_each_process_keeps_its_share(tmp_path: Path) -> None:
    seen: list[Exception] = []
    with running_redis(tmp_path) as server:
        async with open_redis(server.url) as client:
            limiter = GcraLimiter(RedisLedger(client, alone=0.25, failed=seen.append))
            await limiter.acquire([Limit(key="a", rate=40)], deadline=1)
            await asyncio.to_thread(server.stop)
            times = await grants(limiter, 4, Limit(key="a", rate=40))
            assert close(times, [0, 0.1, 0.2, 0.3], late=0.15), times
    assert seen


@pytest.mark.server("redis")
def test_ten_a_second_over_eight_processes(redis: Redis) -> None:
    seconds = 4.0
    command = [sys.executable, "-m", "tests.support.limit_child", redis.url, "10", str(seconds), "20"]
    root = Path(__file__).resolve().parents[2]
    redis.command("FLUSHALL")
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(8)
    ]
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        times = sorted(float(line) for child in children for line in child.communicate()[0].split())
    finally:
        for child in children:
            child.kill()
            child.wait()
    worst = max(sum(at <= other < at + 1 for other in times) for at in times)
    after_the_first = (len(times) - 1) / seconds
    assert 9.5 <= after_the_first <= 10, times
    assert worst <= 12, worst
