"""What can befall workers, servers and disks under running work, one scenario each, for every engine that has the part.

A scenario queues runs, lets something happen, and ends with `Stage.end`, which holds for all of them:
every run ends once, in a report; no journal has a gap; streams saw every event once; no call to a
model was made again but those that were in flight.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from tests.support.cluster import LEASE, LONG, Cluster, asked, cluster, in_flight, resumed_at, until
from tests.support.disks import SmallDisk, small_disk
from tests.support.postgres import Postgres, running_postgres
from tests.support.quick import waited
from tests.support.redis import Redis, running_redis

from leadline.errors import StoreFull
from leadline.events import Record

ENGINES: Final = ("embedded", "postgres", "celery")
FOLLOWED: Final = 10
"""Runs whose streams are followed from their beginning."""

TAKEOVER: Final = 3.0
"""Seconds beyond a lease in which a dead worker's runs go on, on a machine on which nothing waits for a processor."""

MANY: Final = 50
"""Runs of one worker from which on leases are longer: beside other tests it may be slow, not dead."""

_DISK: Final = 96 * 1_024


@dataclass
class Stage:
    """One scenario's runs, and what they stand on; `redis` is the cache, the limits and Celery's broker."""

    there: Cluster
    runs: int
    seconds: float
    lease: float
    redis: Redis
    database: Postgres | None
    disk: SmallDisk | None
    names: list[str] = field(default_factory=list)
    following: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def server(self) -> Postgres:
        assert self.database is not None
        return self.database

    @property
    def small(self) -> SmallDisk:
        assert self.disk is not None
        return self.disk

    async def begin(self, *, held: bool = True) -> None:
        """Queue the runs, follow some of them, and wait until workers are at work on all."""
        self.names = await self.there.ask(self.runs)
        await self.following.enter_async_context(self.there.streams(self.names[:FOLLOWED]))
        if held:
            await self.there.held(self.runs)
            await until(self._at_work, within=60)

    async def end(self, *, lost: int = 0, taken_over: bool | None = None) -> Mapping[str, Sequence[Record]]:
        """Wait for the end of all runs. Of their calls at most the `lost` ones were made twice."""
        journals = await self.there.all_end(self.names, within=150)
        await self.following.aclose()
        assert len(self.there.model.requests) <= asked(journals) + lost
        assert lost <= self.runs
        if taken_over is not None:
            assert len(resumed_at(journals)) == (self.runs if taken_over else 0)
        return journals

    async def _at_work(self) -> bool:
        return len(self.there.model.requests) >= self.runs

    async def in_flight(self) -> int:
        """Return how many calls are asked and not answered."""
        return in_flight(await self.there.journals(self.names))


async def killed(stage: Stage) -> None:
    """A worker that holds all runs is killed; another one stands by."""
    there = stage.there
    async with there.worker(stage.runs) as first:
        await stage.begin()
        async with there.worker(stage.runs):
            await asyncio.sleep(stage.lease)  # it has just connected: until now it leaves expired runs alone
            first.send_signal(signal.SIGKILL)
            at, before = time.time(), waited()
            await first.wait()
            lost = await stage.in_flight()
            there.pace.delay = 0.2
            journals = await stage.end(lost=lost, taken_over=True)
            kept = waited() - before
    assert max(resumed_at(journals)) - at < stage.lease + TAKEOVER + kept
    assert {(await there.engine.run(name)).attempts for name in stage.names} == {1}


async def stopped(stage: Stage) -> None:
    """A worker is stopped past its lease, another one takes over, and the first one wakes."""
    there = stage.there
    async with there.worker(stage.runs) as zombie:
        await stage.begin()
        async with there.worker(stage.runs):
            await asyncio.sleep(stage.lease)
            zombie.send_signal(signal.SIGSTOP)
            lost = await stage.in_flight()
            there.pace.delay = 1.0

            async def taken_over() -> bool:
                return len(resumed_at(await there.journals(stage.names))) == stage.runs

            await until(taken_over, within=60)
            zombie.send_signal(signal.SIGCONT)
            await stage.end(lost=lost, taken_over=True)
        assert zombie.returncode is None  # it lost its runs and lives on


async def redis_wiped(stage: Stage) -> None:
    """The Redis of cache, limits and tickets loses everything while runs wait and run."""
    async with stage.there.worker(stage.runs // 2), stage.there.worker(stage.runs // 4):
        await stage.begin(held=False)
        await stage.there.held(stage.runs // 4)

        async def counted() -> bool:
            return stage.redis.command("EXISTS", "leadline:budget:local") == b":1\r\n"

        await until(counted, within=60)  # calls are within a budget that all workers share
        for _ in range(3):
            assert stage.redis.command("FLUSHALL") == b"+OK\r\n"
            await asyncio.sleep(0.3)
        await stage.end(taken_over=False)


async def redis_away(stage: Stage) -> None:
    """The same Redis is killed, stays away, and comes back empty."""
    async with stage.there.worker(stage.runs // 2), stage.there.worker(stage.runs // 4):
        await stage.begin(held=False)
        await stage.there.held(stage.runs // 4)
        stage.redis.stop()
        await asyncio.sleep(stage.seconds)
        await asyncio.to_thread(stage.redis.start)
        await stage.end(taken_over=False)


async def store_away(stage: Stage) -> None:
    """PostgreSQL is killed under the workers, stays away, and comes back with what was committed."""
    async with stage.there.worker(stage.runs), stage.there.worker(stage.runs):
        await stage.begin()
        await asyncio.to_thread(stage.server.kill)
        await asyncio.sleep(stage.seconds)
        await asyncio.to_thread(stage.server.start)
        await stage.end(taken_over=False)


async def store_restarted(stage: Stage) -> None:
    """PostgreSQL is restarted, twice, as an operator would."""
    async with stage.there.worker(stage.runs), stage.there.worker(stage.runs):
        await stage.begin()
        for _ in range(2):
            await asyncio.to_thread(stage.server.stop)
            await asyncio.to_thread(stage.server.start)
            await asyncio.sleep(0.5)
        await stage.end(taken_over=False)


async def disk_full(stage: Stage) -> None:
    """The disk of the store fills up under running work, and has room again later."""
    there, disk = stage.there, stage.small
    async with there.worker(stage.runs):
        await stage.begin()
        await asyncio.to_thread(disk.fill)

        async def refused() -> bool:
            try:
                await there.ask(1)
            except StoreFull as error:
                return "no space is left" in str(error)
            # There was room in pages that the store had already; what was let in counts as well.
            stage.names = list(dict.fromkeys([*stage.names, *await there.queued()]))
            await asyncio.to_thread(disk.fill)
            return False

        await until(refused, within=60)
        await asyncio.sleep(3 * stage.lease)
        lost = await stage.in_flight()
        assert not any([(await there.engine.run(name)).failure for name in stage.names])
        await asyncio.to_thread(disk.free)
        stage.runs = len(stage.names)
        await stage.end(lost=lost)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`runs` and `seconds` away in the soak, of `engines`; `quick` are the same for those in every test run."""

    id: str
    play: Callable[[Stage], Awaitable[None]]
    runs: int
    seconds: float = 0.0
    engines: tuple[str, ...] = ENGINES
    quick: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    delay: float = 1.0
    lease: float = 10.0


SCENARIOS: Final = (
    Scenario(id="killed", play=killed, runs=200, quick=dict.fromkeys(ENGINES, (12, 0.0)), delay=LONG, lease=LEASE),
    Scenario(id="stopped", play=stopped, runs=50, quick={"postgres": (6, 0.0)}, delay=LONG, lease=LEASE),
    Scenario(id="redis-wiped", play=redis_wiped, runs=40, delay=0.5),
    Scenario(id="redis-away", play=redis_away, runs=40, seconds=20.0, delay=0.5),
    Scenario(id="store-restarted", play=store_restarted, runs=50, engines=("postgres", "celery")),
    Scenario(
        id="store-away",
        play=store_away,
        runs=100,
        seconds=20.0,
        engines=("postgres", "celery"),
        quick={"postgres": (10, 5.0)},
    ),
    Scenario(id="disk-full", play=disk_full, runs=20, lease=LEASE),
)


@asynccontextmanager
async def staged(scenario: Scenario, engine: str, folder: Path, *, runs: int, seconds: float) -> AsyncIterator[Stage]:
    """Open what a scenario plays on: servers of its own, since it kills them."""
    with_postgres = engine == "postgres" or (engine == "celery" and scenario.id.startswith("store"))
    lease = max(scenario.lease, 4.0) if runs >= MANY else scenario.lease
    async with AsyncExitStack() as stack:
        home = folder / "redis"
        home.mkdir()
        redis = stack.enter_context(running_redis(home))
        database = stack.enter_context(running_postgres()) if with_postgres else None
        disk = None
        if scenario.play is disk_full:
            # The server's own user must be able to come there.
            parent = folder if database is None else database.folder
            disk = stack.enter_context(small_disk(parent / "disk", kilobytes=_DISK))
        if database is not None:
            store = database.store(None if disk is None else disk.folder)
        else:
            store = f"sqlite://{(folder if disk is None else disk.folder) / 'runs.db'}"
        there = await stack.enter_async_context(
            cluster(
                folder,
                store,
                delay=scenario.delay,
                lease=lease,
                engine=f"celery+{redis.url}" if engine == "celery" else engine,
                more={
                    "LEADLINE_CACHE": redis.url,
                    "LEADLINE_LIMITS": redis.url,
                    "LEADLINE_MODEL__TENANT_TOKENS": "1000000000",
                },
            )
        )
        stage = Stage(there=there, runs=runs, seconds=seconds, lease=lease, redis=redis, database=database, disk=disk)
        await stack.enter_async_context(stage.following)
        yield stage


def cells() -> list[pytest.param]:  # type: ignore[valid-type]  # pytest has no public name for it
    """Return scenario, engine, runs and seconds: small in every test run, whole in the soak."""
    found = []
    for scenario in SCENARIOS:
        for engine in scenario.engines:
            servers = [pytest.mark.server("redis"), pytest.mark.xdist_group(f"crash-{engine}")]
            if engine == "postgres" or scenario.id.startswith("store"):
                servers.append(pytest.mark.server("postgres"))
            name = f"{scenario.id}-{engine}"
            if engine in scenario.quick:
                runs, seconds = scenario.quick[engine]
                found.append(pytest.param(scenario, engine, runs, seconds, id=name, marks=servers))
            soak = [*servers, pytest.mark.soak, pytest.mark.timeout(420)]
            whole = pytest.param(scenario, engine, scenario.runs, scenario.seconds, id=f"{name}-whole", marks=soak)
            found.append(whole)
    return found
