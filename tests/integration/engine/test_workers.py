"""Real worker processes over a real PostgreSQL: drained, and the database away. Nothing is lost or paid twice."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest
from tests.support.cluster import LONG, cluster, resumed_at
from tests.support.postgres import Postgres

from leadline.events import RunHandedOver

pytestmark = [pytest.mark.server("postgres"), pytest.mark.xdist_group("postgres")]


async def test_a_drained_workers_runs_go_on_at_once(tmp_path: Path, postgres: Postgres) -> None:
    async with cluster(tmp_path, postgres.store(), delay=LONG, lease=60) as world, world.worker(8) as first:
        names = await world.ask(8)
        await world.held(8)
        async with world.worker(8):
            first.send_signal(signal.SIGTERM)
            stopped = time.time()
            world.pace.delay = 0.2
            assert await asyncio.wait_for(first.wait(), 15) == 0
            journals = await world.all_end(names, within=40)
        handed = [r.at for records in journals.values() for r in records if isinstance(r.event, RunHandedOver)]
        assert len(handed) == len(resumed_at(journals)) == 8
        assert max(resumed_at(journals)) - stopped < 3
        assert {(await world.engine.run(name)).attempts for name in names} == {0}
