"""Runs in flight while PostgreSQL fails over, a Redis replica is promoted, and the program is changed for another version and back.

Real servers, real `leadline worker` processes. Whatever happens: every run ends once, in a report; nothing is
asked of the model again but what was in flight.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.support.cluster import LONG, Cluster, asked, cluster, in_flight, until
from tests.support.failover import running_pair
from tests.support.postgres import Postgres, running_postgres
from tests.support.sentinels import running_sentinels
from tests.support.waiting import until as waited

from leadline.errors import SettingsError
from leadline.events import RunHandedOver, RunResumed
from leadline.tasks.postgres import PostgresStore
from leadline.tasks.postgres.tables import NUMBERS

pytestmark = [
    pytest.mark.soak,
    pytest.mark.server("postgres"),
    pytest.mark.xdist_group("postgres"),
    pytest.mark.timeout(400),
    pytest.mark.blocking("servers are started and stopped, and programs run, where the test waits for them"),
]

ROOT = Path(__file__).resolve().parents[2]
NEXT = f"{int(NUMBERS[-1]) + 1:04d}"
MIGRATION = f'''"""A note beside each run: what a later version might add."""

import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{NUMBERS[-1]}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("note", sa.Text))


def downgrade() -> None:
    op.drop_column("run", "note")
'''


# --- failover


@pytest.fixture
def fragile() -> Iterator[Postgres]:
    """Return a server of the test's own, which it may kill."""
    with running_postgres() as server:
        yield server


async def test_postgres_fails_over_with_runs_in_flight(tmp_path: Path, fragile: Postgres) -> None:
    database = database_of(fragile.store())
    with running_pair(fragile) as pair:
        async with cluster(tmp_path, pair.url(database), delay=1.0, lease=5) as world, world.worker(8):
            names = await world.ask(16)
            await world.held(8)
            fragile.kill()
            # Nobody takes writes: what workers have in hand waits, and nothing is said to have ended.
            await asyncio.sleep(2)
            await asyncio.to_thread(pair.standby.promote)
            journals = await world.all_end(names, within=180)
            assert len(world.model.requests) <= asked(journals) + in_flight(journals)
            # The old primary's place is taken: what is asked now is written by the new one.
            more = await world.ask(2)
            await world.all_end(more, within=60)
        assert int(pair.standby.sql("SELECT count(*) FROM run", database)) == 18


@pytest.mark.server("redis")
async def test_a_redis_replica_is_promoted_with_runs_in_flight(tmp_path: Path, postgres: Postgres) -> None:
    with running_sentinels(tmp_path) as redis:
        async with (
            cluster(tmp_path, postgres.store(), delay=1.0, lease=5, engine=redis.engine) as world,
            world.worker(4),
        ):
            names = await world.ask(8)
            await world.held(4)
            redis.primary.stop()
            more = await world.ask(4)  # nobody is master: the question is taken in all the same
            await asyncio.to_thread(waited, redis.took_over)
            last = await world.ask(4)
            journals = await world.all_end([*names, *more, *last], within=180)
            assert len(world.model.requests) <= asked(journals) + in_flight(journals)
            # Tickets go through the new master.
            assert await asyncio.to_thread(redis.replica.command, "DBSIZE")
            assert redis.master() == redis.replica.port


# --- two versions of the program


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """Return the sources of a later version, whose tables have one change more."""
    root = tmp_path / "later"
    shutil.copytree(ROOT / "src" / "leadline", root / "leadline", ignore=shutil.ignore_patterns("__pycache__"))
    part = root / "leadline" / "tasks" / "postgres"
    tables = part / "tables.py"
    text = tables.read_text(encoding="utf-8")
    changed = text.replace(f'"{NUMBERS[-1]}")', f'"{NUMBERS[-1]}", "{NEXT}")')
    assert changed != text
    tables.write_text(changed, encoding="utf-8")
    (part / "migrations" / "versions" / f"r{NEXT}_note.py").write_text(MIGRATION)
    version = root / "leadline" / "version.py"
    version.write_text('"""The version."""\n\n__version__ = "9.9.9"\n')
    return root


def program(world: Cluster, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the version that `world` is of."""
    code = "from leadline.cli.main import main; raise SystemExit(main())"
    known = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **world.environment}
    return subprocess.run([sys.executable, "-c", code, *words], env=known, capture_output=True, text=True, check=False)


def database_of(url: str) -> str:
    return urlsplit(url).path.lstrip("/")


def version_of(postgres: Postgres, database: str) -> str:
    return postgres.sql("SELECT version_num FROM leadline_version", database).strip()


async def test_an_upgrade_and_a_rollback_lose_no_run(tmp_path: Path, postgres: Postgres, later: Path) -> None:
    url = postgres.store()
    database = database_of(url)
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(cluster(tmp_path, url, delay=LONG, lease=60))
        new = replace(old, environment={**old.environment, "PYTHONPATH": str(later)})
        assert program(new, "--version").stdout.strip() == "leadline 9.9.9"
        names = await old.ask(6)
        first = await stack.enter_async_context(old.worker(6))
        await old.held(6)
        # A newer program does not start on older tables; an older one that runs works on through the change.
        refused = await asyncio.to_thread(program, new, "worker", "--concurrency", "1")
        assert (refused.returncode, "leadline migrate up" in refused.stderr) == (3, True)
        done = await asyncio.to_thread(program, new, "migrate", "up")
        assert done.returncode == 0, done.stderr
        assert version_of(postgres, database) == NEXT
        names += await old.ask(2)
        second = await stack.enter_async_context(new.worker(8))
        await old.held(8)
        await stopped(first)
        await until(lambda: held_by_one(old, 8), within=60)
        with pytest.raises(SettingsError, match="newer Leadline"):
            await stack.enter_async_context(PostgresStore.open(url))
        # Back again: the newer version ends, its tables are taken back, the older one takes up what waits.
        await stopped(second)
        undone = await asyncio.to_thread(program, new, "migrate", "down", "runs", NUMBERS[-1])
        assert undone.returncode == 0, undone.stderr
        assert version_of(postgres, database) == NUMBERS[-1]
        old.pace.delay = 0.1
        await stack.enter_async_context(old.worker(8))
        journals = await old.all_end(names, within=120)
    handed = [r for records in journals.values() for r in records if isinstance(r.event, RunHandedOver)]
    resumed = [r for records in journals.values() for r in records if isinstance(r.event, RunResumed)]
    assert len(handed) >= 8
    assert len(resumed) >= len(handed)
    # What was in flight when a worker ended, six calls and then eight, is asked again; nothing else is.
    assert len(old.model.requests) <= asked(journals) + 6 + 8


async def held_by_one(world: Cluster, count: int) -> bool:
    return (await world.engine.depth()).running == count


async def stopped(worker: asyncio.subprocess.Process) -> None:
    """End a worker as an operator does; it hands over what it holds."""
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(worker.wait(), 60) == 0
