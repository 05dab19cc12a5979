"""What every keeper of tenants' budgets promises; runs over each of them, Redis being a real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeAlias

import pytest
from tests.support.redis import Cluster, Redis, running_cluster, running_redis
from tests.support.waiting import PATIENT

from leadline.errors import ModelDenied, ModelRateLimited
from leadline.model.budgets import Allowance, Budgets, MemoryBudgets
from leadline.model.budgets_redis import RedisBudgets
from leadline.wire.redis import open_redis

HOUR = 3_600.0
REDIS = [pytest.param(name, marks=pytest.mark.server("redis")) for name in ("redis", "cluster")]
Opens: TypeAlias = Callable[..., Budgets]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


@pytest.fixture(params=["memory", *REDIS])
async def opens(request: pytest.FixtureRequest) -> AsyncIterator[Opens]:
    """Return what makes budgets, of one process or, over a Redis, of a process each time."""
    if request.param == "memory":
        yield MemoryBudgets
        return
    server: Redis | Cluster = request.getfixturevalue(request.param)
    if isinstance(server, Cluster):
        server.flush()
    else:
        server.command("FLUSHALL")
    async with open_redis(server.url, seconds=PATIENT) as client:

        def opened(default: Sequence[Allowance] = (), **more: dict[str, Sequence[Allowance]]) -> RedisBudgets:
            return RedisBudgets(client, default, tenants=more.get("tenants"))

        yield opened


async def test_two_calls_at_once_cannot_spend_the_same_tokens(opens: Opens) -> None:
    kept = opens([Allowance(tokens=1000, seconds=HOUR)])
    async with await kept.reserve("t", tokens=600) as first:
        with pytest.raises(ModelRateLimited) as caught:
            await kept.reserve("t", tokens=600)
        assert caught.value.retry_after == pytest.approx(720, rel=0.05)
        first.settle(100)
    await kept.reserve("t", tokens=600)


async def test_a_call_that_took_more_than_it_reserved_owes_the_rest(opens: Opens) -> None:
    kept = opens([Allowance(tokens=600, seconds=HOUR)])
    async with await kept.reserve("t", tokens=100) as call:
        call.settle(900)
    with pytest.raises(ModelRateLimited) as caught:
        await kept.reserve("t", tokens=10)
    assert caught.value.retry_after == pytest.approx(310 * 6, rel=0.05)


async def test_a_call_that_never_was_costs_its_request_alone(opens: Opens) -> None:
    kept = opens([Allowance(tokens=100, requests=2, seconds=HOUR)])
    for _ in range(2):
        async with await kept.reserve("t", tokens=100):
            pass
    with pytest.raises(ModelRateLimited):
        await kept.reserve("t", tokens=1)


async def test_a_cancelled_call_is_settled(opens: Opens) -> None:
    kept = opens([Allowance(tokens=100, seconds=HOUR)])
    began = asyncio.Event()

    async def call() -> None:
        async with await kept.reserve("t", tokens=100) as mine:
            mine.settle(10)
            began.set()
            await asyncio.Event().wait()

    task = asyncio.get_running_loop().create_task(call())
    await began.wait()
    task.cancel()
    await asyncio.wait({task})
    await kept.reserve("t", tokens=90)


async def test_a_refusal_takes_nothing(opens: Opens) -> None:
    kept = opens([Allowance(requests=10, tokens=100, seconds=HOUR), Allowance(requests=1, seconds=24 * HOUR)])
    await kept.reserve("t", tokens=10)
    for _ in range(20):
        with pytest.raises(ModelRateLimited):
            await kept.reserve("t", tokens=10)
    with pytest.raises(ModelRateLimited) as caught:
        await kept.reserve("t", tokens=10)
    assert caught.value.retry_after == pytest.approx(24 * HOUR, rel=0.01)


async def test_what_never_fits_is_refused_for_good(opens: Opens) -> None:
    kept = opens([Allowance(tokens=100)], tenants={"closed": [Allowance(requests=0)], "free": []})
    with pytest.raises(ModelDenied, match="101 tokens"):
        await kept.reserve("t", tokens=101)
    with pytest.raises(ModelDenied):
        await kept.reserve("closed", tokens=1)
    await kept.reserve("free", tokens=10**9)


async def test_what_is_used_comes_back_with_time(opens: Opens) -> None:
    kept = opens([Allowance(tokens=100, seconds=0.5)])
    await kept.reserve("t", tokens=100)
    with pytest.raises(ModelRateLimited):
        await kept.reserve("t", tokens=100)
    async with asyncio.timeout(10):
        while True:
            try:
                await kept.reserve("t", tokens=100)
            except ModelRateLimited as error:
                await asyncio.sleep(error.retry_after or 0.0)
            else:
                return


@pytest.mark.server("redis")
@pytest.mark.parametrize("place", ["redis", "cluster"])
async def test_several_processes_share_a_tenants_budget(request: pytest.FixtureRequest, place: str) -> None:
    server: Redis | Cluster = request.getfixturevalue(place)
    allowed = [Allowance(tokens=1000, seconds=HOUR)]
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(open_redis(server.url, seconds=PATIENT)) for _ in range(4)]
        away: list[Exception] = []
        kept = [RedisBudgets(client, allowed, failed=away.append) for client in clients]

        async def passes(one: RedisBudgets) -> bool:
            try:
                await one.reserve("shared", tokens=100)
            except ModelRateLimited:
                return False
            return True

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(passes(one)) for one in kept for _ in range(10)]
        assert away == []
        assert sum(task.result() for task in tasks) == 10
        assert await passes(kept[0]) is False
        await kept[3].reserve("another", tokens=1000)


@pytest.mark.server("redis")
async def test_without_redis_each_process_gives_a_share(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server:
        allowed = [Allowance(tokens=1000, seconds=HOUR)]
        async with RedisBudgets.open(server.url, allowed, alone=0.25) as kept:
            async with await kept.reserve("t", tokens=1000):
                await asyncio.to_thread(server.stop)
            # That call could not be settled where it was counted; the share is this process's own.
            async with await kept.reserve("t", tokens=200) as call:
                call.settle(50)
            async with await kept.reserve("t", tokens=200) as call:
                call.settle(200)
            with pytest.raises(ModelRateLimited):
                await kept.reserve("t", tokens=900)  # for which the whole share is too little, but not for good
            with pytest.raises(ModelDenied):
                await kept.reserve("t", tokens=1001)
