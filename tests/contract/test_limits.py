"""What every ledger of outgoing limits promises; runs over each of them, Redis being a real one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from tests.support.quick import within
from tests.support.redis import Cluster, Redis, running_cluster, running_redis
from tests.support.waiting import PATIENT

from leadline.errors import LimitReached
from leadline.limits.memory import MemoryLedger
from leadline.limits.redis import RedisLedger
from leadline.limits.types import Adapting, Ledger, Limit, Reserved
from leadline.limits.waiting import GcraLimiter
from leadline.wire.redis import open_redis

SLOW = Adapting(recovery=0.001, pause=60)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


REDIS = [pytest.param(name, marks=pytest.mark.server("redis")) for name in ("redis", "cluster")]


@pytest.fixture(params=["memory", *REDIS])
async def ledger(request: pytest.FixtureRequest) -> AsyncIterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger(adapting=SLOW)
        return
    if request.param == "cluster":
        servers: Cluster = request.getfixturevalue("cluster")
        servers.flush()
        url = servers.url
    else:
        server: Redis = request.getfixturevalue("redis")
        server.command("FLUSHALL")
        url = server.url
    async with open_redis(url, seconds=PATIENT) as client:
        yield RedisLedger(client, adapting=SLOW)


async def reserve(ledger: Ledger, *limits: Limit, weight: float = 1.0, within: float = 1e6) -> Reserved:
    return await ledger.reserve(limits, taken={}, weight=weight, within=within)


async def places(ledger: Ledger, count: int, limit: Limit, *, weight: float = 1.0) -> list[float]:
    """Return the places in a key's queue that calls get one after the other, from the first."""
    taken = [(await reserve(ledger, limit, weight=weight)).taken[limit.key].at for _ in range(count)]
    return [at - taken[0] for at in taken]


async def waits(ledger: Ledger, count: int, limit: Limit) -> list[float]:
    return [(await reserve(ledger, limit)).wait for _ in range(count)]


def close(found: Sequence[float], wanted: Sequence[float], *, early: float = 1e-4) -> bool:
    """Whether waits are those wanted; time that passes between calls only makes them shorter."""
    return len(found) == len(wanted) and all(-early <= at - got <= 3.0 for got, at in zip(found, wanted, strict=True))


# The ledgers' clocks are real ones, so queues are made of minutes: no load on the machine matters then.


async def test_calls_are_spaced_evenly(ledger: Ledger) -> None:
    assert await places(ledger, 6, Limit(key="a", rate=0.1)) == pytest.approx([0, 10, 20, 30, 40, 50], abs=1e-4)


async def test_a_burst_passes_after_a_pause_and_no_more(ledger: Ledger) -> None:
    found = await waits(ledger, 5, Limit(key="a", rate=0.1, burst=3))
    assert found[:3] == [0, 0, 0]
    assert close(found[3:], [10, 20])


async def test_weights_count(ledger: Ledger) -> None:
    tokens = Limit(key="tokens", rate=10, burst=100)
    assert await places(ledger, 3, tokens, weight=100) == pytest.approx([0, 10, 20], abs=1e-4)


async def test_a_hopeless_wait_is_refused_and_uses_nothing_up(ledger: Ledger) -> None:
    limit = Limit(key="a", rate=0.1)
    limiter = GcraLimiter(ledger)
    await limiter.acquire([limit], deadline=1)
    with within(2):
        for _ in range(5):
            with pytest.raises(LimitReached) as refused:
                await limiter.acquire([limit], deadline=2)
            assert close([refused.value.retry_after], [10])
    assert close([(await reserve(ledger, limit)).wait], [10])


async def test_who_waits_is_never_let_through_early(ledger: Ledger) -> None:
    limiter = GcraLimiter(ledger)
    begun = time.monotonic()
    times: list[float] = []

    async def one() -> None:
        await limiter.acquire([Limit(key="a", rate=20)], deadline=20)
        times.append(time.monotonic() - begun)

    async with asyncio.TaskGroup() as calls:
        for _ in range(6):
            calls.create_task(one())
    assert all(at >= number * 0.05 - 0.01 for number, at in enumerate(sorted(times)))


async def test_all_keys_of_a_call_must_let_it_pass(ledger: Ledger) -> None:
    wide, narrow = Limit(key="provider", rate=1), Limit(key="key", rate=0.1)
    found = [(await reserve(ledger, wide, narrow)).wait for _ in range(3)]
    assert close(found, [0, 10, 20])


async def test_a_queue_at_one_host_holds_up_no_other(ledger: Ledger) -> None:
    shared = Limit(key="all", rate=1)
    slow = [await reserve(ledger, shared, Limit(key="slow", rate=0.01)) for _ in range(4)]
    assert close([one.wait for one in slow], [0, 100, 200, 300])
    assert [set(one.taken) for one in slow] == [{"all", "slow"}, {"slow"}, {"slow"}, {"slow"}]
    fast = [(await reserve(ledger, shared, Limit(key=f"fast{n}", rate=1))).wait for n in range(3)]
    assert close(fast, [1, 2, 3])


async def test_a_key_that_was_not_taken_yet_is_taken_in_its_time(ledger: Ledger) -> None:
    """A call that waited at a narrow limit still takes its turn under the wide one."""
    wide, narrow = Limit(key="all", rate=0.1), Limit(key="host", rate=0.001)
    await reserve(ledger, narrow)
    waiting = await reserve(ledger, wide, narrow)
    assert set(waiting.taken) == {"host"}
    first = await ledger.reserve([wide, narrow], taken=waiting.taken, weight=1, within=1e6)
    assert (set(first.taken), first.wait) == ({"all", "host"}, 0)
    assert close([(await reserve(ledger, wide)).wait], [10])


async def test_keys_do_not_touch_each_other(ledger: Ledger) -> None:
    for number in range(5):
        assert close(await waits(ledger, 2, Limit(key=f"k{number}", rate=0.1)), [0, 10])


async def test_who_is_cancelled_gives_back_the_last_places(ledger: Ledger) -> None:
    limit, limiter = Limit(key="a", rate=0.1), GcraLimiter(ledger)
    await limiter.acquire([limit], deadline=1)
    waiting = [asyncio.create_task(limiter.acquire([limit], deadline=1_000)) for _ in range(5)]
    await asyncio.sleep(0.3)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert close([(await reserve(ledger, limit)).wait], [10])


async def test_a_place_given_back_is_taken_by_the_next_alone(ledger: Ledger) -> None:
    """It must not push two calls into one moment."""
    limit = Limit(key="a", rate=0.1)
    queue = [await reserve(ledger, limit) for _ in range(5)]
    await ledger.refund(queue[2].taken)
    assert close(await waits(ledger, 3, limit), [20, 50, 60])


async def test_places_given_back_in_any_order_close_up(ledger: Ledger) -> None:
    limit = Limit(key="a", rate=0.1)
    queue = [await reserve(ledger, limit) for _ in range(5)]
    for number in (2, 4, 3):
        await ledger.refund(queue[number].taken)
    assert close(await waits(ledger, 2, limit), [20, 30])


async def test_a_hold_stops_those_who_wait_and_those_who_come(ledger: Ledger) -> None:
    limit = Limit(key="a", rate=1)
    await reserve(ledger, limit)
    waiting = await reserve(ledger, limit)
    await ledger.limited("a", seconds=100)
    assert close([(await reserve(ledger, limit)).wait], [100])
    again = await ledger.reserve([limit], taken=waiting.taken, weight=1, within=1e6)
    assert close([again.wait], [102])  # its place is another one, at half the rate


async def test_a_hold_is_a_reason_to_refuse(ledger: Ledger) -> None:
    limiter = GcraLimiter(ledger)
    await limiter.limited("a", retry_after=30)
    with pytest.raises(LimitReached) as refused:
        await limiter.acquire([Limit(key="b", rate=5), Limit(key="a", rate=50)], deadline=1)
    assert close([refused.value.retry_after], [30])


async def test_the_rate_is_halved_once_and_grows_back(ledger: Ledger) -> None:
    limit = Limit(key="a", rate=0.1)
    for _ in range(5):
        await ledger.limited("a", seconds=0)  # at once: one lesson, not five
    found = await places(ledger, 3, limit)
    assert found == pytest.approx([0, 20, 40], rel=0.1)
    assert found[2] - found[1] < found[1] - found[0]


@pytest.mark.server("redis")
async def test_without_redis_each_process_keeps_its_share(tmp_path: Path) -> None:
    seen: list[Exception] = []
    with running_redis(tmp_path) as server:
        async with open_redis(server.url, seconds=PATIENT) as client:
            ledger = RedisLedger(client, alone=0.25, failed=seen.append)
            assert close(await waits(ledger, 2, Limit(key="a", rate=0.4)), [0, 2.5])
            await asyncio.to_thread(server.stop)
            assert close(await waits(ledger, 3, Limit(key="a", rate=0.4)), [0, 10, 20])
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
        told = [line.split() for child in children for line in child.communicate()[0].splitlines()]
    finally:
        for child in children:
            child.kill()
            child.wait()
    slots = sorted(float(slot) for slot, _ in told)
    worst = max(sum(at <= other < at + 1 for other in slots) for at in slots)
    rate = (len(slots) - 1) / (slots[-1] - slots[0])
    assert 9.5 <= rate <= 10.01, rate
    assert worst <= 12, slots
    assert all(float(passed) >= float(slot) - 0.01 for slot, passed in told)  # nobody passes before its time
    assert len(slots) >= 9.5 * (seconds - 1)
