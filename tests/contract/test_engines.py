"""One contract for every engine, with real worker processes: queued runs end, and a drained worker hands back.

What is killed, stopped or away is the crash table's affair (`tests/support/crashes.py`).

`celery` stands over SQLite here and over PostgreSQL once; its broker is a Redis that tests wipe and kill.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.cluster import LONG, Cluster, asked, cluster, resumed_at, until
from tests.support.redis import Redis, running_redis

EMBEDDED = pytest.param("embedded", id="embedded")
POSTGRES = pytest.param(
    "postgres", id="postgres", marks=[pytest.mark.server("postgres"), pytest.mark.xdist_group("postgres")]
)
CELERY = pytest.param("celery", id="celery", marks=[pytest.mark.server("redis"), pytest.mark.xdist_group("celery")])
BOTH = pytest.param(
    "celery+postgres",
    id="celery+postgres",
    marks=[pytest.mark.server("redis"), pytest.mark.server("postgres"), pytest.mark.xdist_group("postgres")],
)


@dataclass
class Place:
    """Where an engine's runs and tickets are."""

    folder: Path
    store: str
    engine: str
    redis: Redis | None

    @property
    def broker(self) -> Redis:
        assert self.redis is not None
        return self.redis


@pytest.fixture
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    name: str = request.param
    store = request.getfixturevalue("postgres").store() if "postgres" in name else f"sqlite://{tmp_path / 'runs.db'}"
    if not name.startswith("celery"):
        yield Place(tmp_path, store, name, None)
        return
    home = tmp_path / "redis"
    home.mkdir()
    with running_redis(home) as redis:
        yield Place(tmp_path, store, f"celery+{redis.url}", redis)


@asynccontextmanager
async def world(place: Place, *, delay: float) -> AsyncIterator[Cluster]:
    async with cluster(place.folder, place.store, delay=delay, engine=place.engine) as made:
        yield made


@pytest.mark.parametrize("place", [EMBEDDED, POSTGRES, CELERY, BOTH], indirect=True)
async def test_queued_runs_are_taken_and_end(place: Place) -> None:
    async with world(place, delay=0.05) as there, there.worker(2):
        names = await there.ask(5)
        journals = await there.all_end(names, within=40)
        assert len(there.model.requests) == asked(journals)
        assert resumed_at(journals) == []


@pytest.mark.parametrize("place", [CELERY], indirect=True)
async def test_a_wiped_broker_loses_nothing(place: Place) -> None:
    async with world(place, delay=0.3) as there, there.worker(2):
        names = await there.ask(6)
        await there.held(2)
        assert place.broker.command("FLUSHALL") == b"+OK\r\n"
        journals = await there.all_end(names, within=40)
        assert len(there.model.requests) == asked(journals)
        late = await there.ask(2)
        await there.all_end(late, within=20)


@pytest.mark.parametrize("place", [CELERY], indirect=True)
async def test_a_broker_that_is_away_stops_nothing(place: Place) -> None:
    async with world(place, delay=0.1) as there, there.worker(2):
        await there.all_end(await there.ask(1), within=30)
        place.broker.stop()
        journals = await there.all_end(await there.ask(3), within=30)
        assert len(journals) == 3  # carried although nobody brought a ticket
        place.broker.start()

        async def counted() -> bool:
            return place.broker.command("EXISTS", "leadline.slots") == b":1\r\n"

        await until(counted, within=10)
        await there.all_end(await there.ask(2), within=30)


@pytest.mark.parametrize("place", [EMBEDDED, POSTGRES, CELERY], indirect=True)
async def test_a_drained_worker_hands_back_and_ends(place: Place) -> None:
    async with world(place, delay=LONG) as there, there.worker(2) as first:
        names = await there.ask(2)
        await there.held(2)
        first.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(first.wait(), 15) == 0
        depth = await there.engine.depth()
        assert (depth.running, depth.claimable) == (0, len(names))
