"""Probes: beside one another, each with an end, and none that outlives its owner."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest

from leadline.errors import ModelBroken, ModelDenied, ModelError, ModelRateLimited, ModelUnavailable
from leadline.model.failures import Crashed
from leadline.model.pool.gauges import Gauges
from leadline.model.pool.health import Health, Probing
from leadline.model.pool.leases import Pool, Wanted
from leadline.model.pool.types import Outcome, PoolPolicy, ServerSpec
from leadline.testing import FakeClock


def url(name: str) -> str:
    return f"http://{name}:8000/v1"


def pool_of(*names: str, policy: PoolPolicy | None = None) -> Pool:
    return Pool([ServerSpec(url=url(name)) for name in names], policy=policy)


class Site:
    """Answers probes as a test says, and remembers when each server was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.hangs: set[str] = set()
        self.down: set[str] = set()
        self.gauges: dict[str, Gauges] = {}

    async def ask(self, spec: ServerSpec) -> None:
        self.asked[spec.url] += 1
        if spec.url in self.hangs:
            await asyncio.Event().wait()
        if spec.url in self.down:
            raise ModelUnavailable("down")

    async def read(self, spec: ServerSpec) -> Gauges | None:
        if spec.url in self.hangs:
            await asyncio.Event().wait()
        return self.gauges.get(spec.url)


async def settled() -> None:
    """Give tasks a few turns."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 the pool tells nobody
            await asyncio.sleep(0.005)


async def test_a_server_that_hangs_delays_no_others_probe_and_is_given_up_in_time() -> None:
    pool, site = pool_of("a", "b", "c", policy=PoolPolicy(failures=1)), Site()
    site.hangs.add(url("a"))
    probing = Probing(every=0.05, again=0.001, deadline=1.0, gauges=0.02, gauges_deadline=0.02)
    async with Health(pool, ask=site.ask, read_gauges=site.read, probing=probing, random=Random(3)):
        await until(lambda: site.asked[url("b")] >= 1 and site.asked[url("c")] >= 1)
        assert pool.view().servers[0].healthy, "its time is not up yet"
        await until(lambda: not pool.view().servers[0].healthy)
        assert pool.view().servers[0].last_error == "not one token within 1 s"


async def test_the_end_of_the_owner_is_the_end_of_the_probes() -> None:
    pool, site = pool_of("a"), Site()
    site.hangs.add(url("a"))
    probing = Probing(every=0.01, again=0.0, deadline=60.0, gauges=0.01, gauges_deadline=60.0)
    async with Health(pool, ask=site.ask, read_gauges=site.read, probing=probing):
        await until(lambda: site.asked[url("a")] == 1)
    left = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("model-pool")]
    assert left == []
    assert pool.view().servers[0].healthy, "a probe that was stopped proves nothing"


async def test_probes_are_spread_in_time_and_follow_the_pools_servers() -> None:
    clock, site = FakeClock(), Site()
    pool = Pool([ServerSpec(url=url("a"))], monotonic=clock.monotonic)
    health = Health(
        pool,
        ask=site.ask,
        read_gauges=site.read,
        probing=Probing(every=30.0, again=2.0, gauges=0.0),
        clock=clock,
        random=Random(5),
    )
    async with health:
        await settled()
        await clock.advance(2.0)
        await settled()
        assert site.asked == {url("a"): 1}
        pool.add(ServerSpec(url=url("b")))
        await settled()
        await clock.advance(2.0)
        await settled()
        assert site.asked == {url("a"): 1, url("b"): 1}
        pool.remove(url("a"))
        await settled()
        for _ in range(9):
            await clock.advance(10.0)
            await settled()
        assert site.asked[url("a")] == 1
        assert 2 <= site.asked[url("b")] <= 4
        waits = [seconds for seconds in clock.slept if 30.0 <= seconds <= 36.0]
        assert len(set(waits)) == len(waits) > 1, "no two waits are alike"


async def test_no_probe_is_sent_to_a_server_that_answers_calls() -> None:
    clock, site = FakeClock(), Site()
    pool = Pool([ServerSpec(url=url("a"))], monotonic=clock.monotonic)
    probing = Probing(every=30.0, again=2.0, gauges=0.0)
    async with Health(pool, ask=site.ask, read_gauges=site.read, probing=probing, clock=clock):
        for number in range(20):
            lease = pool.try_acquire(Wanted(session=f"s{number}"))
            assert lease is not None
            lease.report(Outcome.ANSWERED)
            await settled()
            await clock.advance(10.0)
            await settled()
        assert not site.asked
        await clock.advance(80.0)
        await settled()
        assert site.asked[url("a")] >= 1, "nobody calls it any more"


async def test_gauges_reach_the_choice() -> None:
    pool, site = pool_of("a", "b", policy=PoolPolicy(balance="least_connections")), Site()
    site.gauges = {url("a"): Gauges(running=30, waiting=5), url("b"): Gauges(running=1, waiting=0)}
    probing = Probing(every=0.0, gauges=5.0)
    async with Health(pool, ask=site.ask, read_gauges=site.read, probing=probing):
        await settled()
        assert [server.load for server in pool.view().servers] == [35, 1]
        for number in range(10):
            lease = pool.try_acquire(Wanted(session=f"s{number}"))
            assert lease is not None
            assert lease.spec.url == url("b")
            lease.report(Outcome.ANSWERED)
    assert not site.asked


class Sights:
    """Answers looks as a test says, at a pool whose servers must not be asked for tokens."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.looks = 0
        self.answer: ModelError | None = None
        self.hangs = False
        self.changes: list[bool] = []
        self.pool = Pool(
            [ServerSpec(url=url("a"), priced=True, probed=False, looked_at=True, gauges=False)],
            monotonic=clock.monotonic,
            on_health=lambda change: self.changes.append(change.healthy),
        )

    async def look(self, spec: ServerSpec) -> None:
        self.looks += 1
        if self.hangs:
            raise TimeoutError
        if self.answer is not None:
            raise self.answer

    async def ask(self, spec: ServerSpec) -> None:
        raise AssertionError("a token costs money")

    async def read(self, spec: ServerSpec) -> None:
        raise AssertionError("it has no gauges")

    def call(self, outcome: Outcome) -> None:
        lease = self.pool.try_acquire(Wanted(session="s"))
        assert lease is not None
        lease.report(outcome, reason="a call")

    async def after(self, seconds: int) -> bool:
        """Return whether the server is in service when so much time has passed."""
        for _ in range(seconds):
            await self.clock.advance(1.0)
            await settled()
        return self.pool.view().servers[0].healthy


@asynccontextmanager
async def looking() -> AsyncIterator[Sights]:
    clock = FakeClock()
    sights = Sights(clock)
    health = Health(
        sights.pool, ask=sights.ask, read_gauges=sights.read, look=sights.look, clock=clock, random=Random(5)
    )
    async with health:
        await settled()
        yield sights


async def test_an_idle_server_that_costs_money_is_found_away_and_back_by_looks() -> None:
    async with looking() as sights:
        assert await sights.after(70)
        assert 1 <= sights.looks <= 3, "where all is well a look each half a minute is enough"
        sights.answer = ModelUnavailable("refused")
        assert not await sights.after(60)
        assert sights.pool.view().servers[0].last_error == "refused"
        sights.answer = None
        assert await sights.after(30)
        assert sights.changes == [False, True]


async def test_a_server_that_looks_took_out_comes_back_though_it_was_soon_there_again() -> None:
    async with looking() as sights:
        sights.answer = ModelUnavailable("refused")
        while await sights.after(1):
            assert sights.looks < 10
        sights.answer = None
        assert await sights.after(30)
        assert sights.changes == [False, True]


async def test_a_server_that_calls_found_away_comes_back_without_one() -> None:
    async with looking() as sights:
        sights.answer = ModelUnavailable("refused")
        for _ in range(3):
            sights.call(Outcome.FAILED)
        assert not await sights.after(60)
        sights.answer = None
        assert await sights.after(30)


async def test_a_server_that_answers_looks_but_no_calls_stays_out_until_a_call_passes() -> None:
    async with looking() as sights:
        for _ in range(3):
            sights.call(Outcome.FAILED)
        assert not await sights.after(300), "its list tells nothing of its engine"
        assert sights.looks >= 5
        sights.call(Outcome.ANSWERED)
        assert await sights.after(1)


@pytest.mark.parametrize(
    "answer",
    [ModelDenied("no such route"), ModelRateLimited("too many"), Crashed("501"), ModelBroken("no list")],
    ids=lambda error: type(error).__name__,
)
async def test_any_answer_of_its_own_shows_that_a_server_is_there(answer: ModelError) -> None:
    async with looking() as sights:
        sights.answer = answer
        assert await sights.after(200)
        assert sights.looks >= 3


async def test_a_look_that_is_in_vain_now_and_then_takes_no_server_out() -> None:
    async with looking() as sights:
        for _ in range(6):
            sights.hangs, before = True, sights.looks
            while sights.looks == before:
                assert await sights.after(1)
            sights.hangs = False
            assert await sights.after(10)
        sights.hangs = True
        assert not await sights.after(60)
        assert sights.pool.view().servers[0].last_error == "no answer within 5 s"


async def test_a_server_that_answers_calls_is_not_looked_at() -> None:
    async with looking() as sights:
        for _ in range(12):
            sights.call(Outcome.ANSWERED)
            assert await sights.after(10)
        assert sights.looks == 0
