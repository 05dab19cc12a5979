"""The run store on PostgreSQL where it is not like SQLite: connections that break, outages, passwords, TLS."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit

import pytest
from tests.contract.test_run_store import DONE, LEASE, claim, claimed, entry, eventually, expired, new, refused, seen
from tests.support.certificates import Certificates
from tests.support.cutting import Cutter, cutter
from tests.support.postgres import PASSWORD, Postgres, running_postgres

from leadline.domain import Flag, RunState
from leadline.errors import LeaseLost, SettingsError, StoreUnavailable
from leadline.events import ENGINE, Entry, FlagSeen, RunHandedOver
from leadline.ports import QUEUE
from leadline.tasks.postgres import PostgresStore
from leadline.tasks.postgres.database import CHANNEL

pytestmark = [pytest.mark.server("postgres"), pytest.mark.xdist_group("postgres")]


@asynccontextmanager
async def behind(postgres: Postgres, url: str) -> AsyncIterator[tuple[Cutter, PostgresStore]]:
    """Open a store whose connections can be cut."""
    async with cutter(postgres.port) as way:
        database = urlsplit(url).path
        cut = f"postgresql://app:{quote(PASSWORD, safe='')}@127.0.0.1:{way.port}{database}?sslmode=disable"
        async with PostgresStore.open(cut) as store:
            yield way, store


APPENDED = b"flag_seen"
"""Part of the one statement that appends."""

COMMITTED = b"COMMIT;"
"""The last statement of a transaction."""


async def lost(way: Cutter, call: object, *, at: bytes) -> None:
    """Let a call be carried out whose answer never arrives."""
    way.cut(at)
    assert await refused(StoreUnavailable, call)
    assert way.happened


# --- answers that are lost


async def test_an_append_whose_answer_was_lost_is_not_written_twice(postgres: Postgres) -> None:
    async with behind(postgres, postgres.store()) as (way, store):
        await store.create(new("r1"))
        run = await claimed(store)
        entries = [seen(1), seen(2)]
        await store.append("r1", run.fence, [seen(0)])
        await lost(way, store.append("r1", run.fence, entries), at=APPENDED)
        assert await store.append("r1", run.fence, entries) == 4
        assert await store.append("r1", run.fence, [seen(3)]) == 5
        rounds = [r.event.round for r in await store.records("r1") if isinstance(r.event, FlagSeen)]
        assert rounds == [0, 1, 2, 3]


async def test_more_may_follow_what_was_written_without_an_answer(postgres: Postgres) -> None:
    async with behind(postgres, postgres.store()) as (way, store):
        await store.create(new("r1"))
        run = await claimed(store)
        await lost(way, store.append("r1", run.fence, [seen(1)]), at=APPENDED)
        assert await store.append("r1", run.fence, [seen(1), seen(2), entry(DONE)]) == 4
        assert (await store.get("r1", tenant="acme")).state is RunState.DONE


async def test_an_end_whose_answer_was_lost_is_no_lost_lease(postgres: Postgres) -> None:
    async with behind(postgres, postgres.store()) as (way, store):
        await store.create(new("r1"))
        run = await claimed(store)
        await lost(way, store.append("r1", run.fence, [entry(DONE)]), at=COMMITTED)
        assert await store.append("r1", run.fence, [entry(DONE)]) == 2
        assert [r.event.type for r in await store.records("r1")] == ["run_started", "run_finished"]
        assert await refused(LeaseLost, store.append("r1", run.fence, [seen(1)]))


async def test_a_run_that_was_taken_over_meanwhile_is_lost(postgres: Postgres) -> None:
    url = postgres.store()
    async with behind(postgres, url) as (way, store), PostgresStore.open(url) as other:
        await store.create(new("r1"))
        run = await claimed(store, lease=0.01)
        await lost(way, store.append("r1", run.fence, [seen(1)]), at=APPENDED)
        await eventually(lambda: claim(other, "w2", run_id="r1"))
        assert await store.append("r1", run.fence, [seen(1)]) == 2  # it was written in time
        assert await refused(LeaseLost, store.append("r1", run.fence, [seen(1), seen(2)]))
        assert [r.event.type for r in await other.records("r1")] == ["run_started", "flag_seen", "run_resumed"]


async def test_a_claim_whose_answer_was_lost_is_given_back(postgres: Postgres) -> None:
    url = postgres.store()
    async with behind(postgres, url) as (way, store), PostgresStore.open(url) as other:
        await store.create(new("r1"))
        await lost(way, claim(store, "w1"), at=COMMITTED)
        held = await other.get("r1", tenant="acme")
        assert (held.state, held.owner) == (RunState.RUNNING, "w1")
        assert await store.beat("w1", lease=LEASE) == []
        assert (await other.get("r1", tenant="acme")).state is RunState.QUEUED
        assert (await claimed(other, "w2")).attempts == 0
        assert await store.beat("w1", lease=LEASE) == []


# --- outages


@pytest.fixture(scope="module")
def fragile() -> Iterator[Postgres]:
    """Return a server that tests may kill."""
    with running_postgres() as server:
        yield server


async def test_after_an_outage_owners_come_back_first(fragile: Postgres) -> None:
    url = fragile.store()
    async with PostgresStore.open(url) as mine, PostgresStore.open(url) as other:
        for run_id in ("r1", "r2"):
            await mine.create(new(run_id))
        run = await claimed(mine, "w1", lease=0.3, run_id="r1")
        await claimed(mine, "dead", lease=0.3, run_id="r2")
        await asyncio.sleep(0.3)
        await asyncio.to_thread(fragile.kill)
        assert await refused(StoreUnavailable, mine.append("r1", run.fence, [seen(1)]))
        assert await refused(StoreUnavailable, claim(other, "w2", lease=0.3))
        await asyncio.to_thread(fragile.start)
        assert await claim(other, "w2", lease=2.0) is None  # both have run out, and are left to their owners
        (beat,) = await mine.beat("w1", lease=LEASE)
        assert (beat.run_id, beat.fence) == ("r1", run.fence)
        assert await mine.append("r1", run.fence, [seen(1)]) == 2
        taken = await eventually(lambda: claim(other, "w2", lease=2.0))
        assert getattr(taken, "id", None) == "r2"


async def test_listening_comes_back_after_an_outage(fragile: Postgres) -> None:
    url = fragile.store()
    async with PostgresStore.open(url) as one:
        counter = await one.changed(-1, timeout=1)
        await asyncio.to_thread(fragile.stop)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(fragile.start)
        counter = await one.changed(counter, timeout=10, of="anything")  # something may have been missed
        async with PostgresStore.open(url) as other:
            await asyncio.sleep(0.1)
            wait = asyncio.get_running_loop().create_task(one.changed(counter, timeout=55, of=QUEUE))
            await asyncio.sleep(0.1)
            await other.create(new("r1"))
            assert await asyncio.wait_for(wait, 40) != counter


async def test_a_server_that_is_not_there_is_told(fragile: Postgres) -> None:
    url = fragile.store()
    await asyncio.to_thread(fragile.kill)
    try:
        with pytest.raises(StoreUnavailable, match=r"`postgresql://localhost:\d+/t\d+` cannot be used"):
            async with PostgresStore.open(url):
                raise AssertionError("it cannot be open")
    finally:
        await asyncio.to_thread(fragile.start)


# --- who is let in


async def opened(url: str) -> str:
    """Return what opening says."""
    try:
        async with PostgresStore.open(url):
            return "open"
    except (SettingsError, StoreUnavailable) as error:
        return str(error)


async def test_a_wrong_password_is_told_without_it(postgres: Postgres) -> None:
    url = postgres.store().replace(quote(PASSWORD, safe=""), "wr0ng-pass")
    told = await opened(url)
    assert "does not let us in" in told
    assert "wr0ng-pass" not in told


async def test_a_server_of_another_authority_is_refused(postgres: Postgres, tmp_path: object) -> None:
    folder = postgres.folder / "other"
    folder.mkdir(exist_ok=True)
    Certificates.create(folder)
    url = postgres.store().replace(str(postgres.folder / "ca.pem"), str(folder / "ca.pem"))
    assert "certificate" in (await opened(url)).lower()


async def test_tables_are_looked_at_before_work_begins(postgres: Postgres) -> None:
    empty = postgres.url(postgres.database())
    assert "has no tables of Leadline; make them with: leadline migrate up" in await opened(empty)
    url = postgres.store()
    name = urlsplit(url).path.lstrip("/")
    await asyncio.to_thread(postgres.sql, "UPDATE leadline_version SET version_num = '0001'", name)
    assert "is at migration 0001" in await opened(url)
    await asyncio.to_thread(postgres.sql, "UPDATE leadline_version SET version_num = '9999'", name)
    assert "changed by a newer Leadline" in await opened(url)


async def test_a_strange_notification_harms_nobody(postgres: Postgres) -> None:
    url = postgres.store()
    async with PostgresStore.open(url) as store:
        counter = await store.changed(-1, timeout=1)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(postgres.sql, f"NOTIFY {CHANNEL}, 'x'''", urlsplit(url).path.lstrip("/"))
        assert await store.changed(counter, timeout=5) != counter


# --- several processes

APPENDER = """
import asyncio, sys
from tests.contract.test_run_store import new, seen
from leadline.tasks.postgres import PostgresStore

async def write(store, run_id):
    run = await store.create(new(run_id), owner="victim", lease=60)
    number = 0
    while True:
        last = await store.append(run_id, run.fence, [seen(number + n) for n in range(3)])
        number += 3
        print(run_id, last, flush=True)

async def main(url):
    async with PostgresStore.open(url) as store, asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(write(store, f"r{number}"))

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("acknowledged", [1, 40, 300])
async def test_a_kill_amid_commits_loses_nothing_and_leaves_no_gap(postgres: Postgres, acknowledged: int) -> None:
    url = postgres.store()
    lines = await asyncio.to_thread(_kill_after, url, acknowledged)
    promised: dict[str, int] = {}
    for line in lines:
        run_id, last = line.split()
        promised[run_id] = max(promised.get(run_id, 0), int(last))
    async with PostgresStore.open(url) as store:
        for run in await store.runs(tenant="acme", limit=100):
            records = await store.records(run.id)
            assert [record.seq for record in records] == list(range(1, len(records) + 1))
            assert len(records) >= promised.get(run.id, 1)
            assert len(records) % 3 == 1  # appends of three are whole
            over = Entry(at=1.0, branch="", event=RunHandedOver(owner="victim", reason="x"))
            assert await store.append(run.id, run.fence, [over]) == len(records) + 1


def _kill_after(url: str, count: int) -> list[str]:
    """Kill a process once it has told of `count` appends; return all that it told of."""
    process = subprocess.Popen([sys.executable, "-c", APPENDER, url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(count)]
    process.kill()
    rest, _ = process.communicate()
    return [line for line in lines + rest.splitlines(keepends=True) if re.fullmatch(r"\S+ \d+\n", line)]


async def test_only_the_owner_of_an_engine_version_takes_a_run(postgres: Postgres) -> None:
    url = postgres.store()
    async with PostgresStore.open(url) as store:
        for number in range(3):
            await store.create(new(f"r{number}", tenant=f"t{number}"))
        sql = "UPDATE run SET engine = '0' WHERE id <> 'r2'"
        await asyncio.to_thread(postgres.sql, sql, urlsplit(url).path.lstrip("/"))
        assert (await claimed(store)).id == "r2"
        assert await claim(store) is None
        assert {(await claimed(store, engines=["0", ENGINE])).id for _ in range(2)} == {"r0", "r1"}


async def test_hosts_are_those_that_hold_runs_now(postgres: Postgres) -> None:
    async with PostgresStore.open(postgres.store()) as store:
        assert await store.hosts() == frozenset()
        for number, owner in enumerate(["one:1:a", "one:2:b", "two:1:c"]):
            await store.create(new(f"r{number}"), owner=owner, lease=LEASE)
        await store.create(new("old"), owner="three:1:d", lease=0.01)
        await eventually(lambda: expired(store, "old"))
        assert await store.hosts() == {"one", "two"}
        assert (await store.flag("r0", Flag.FINISH, tenant="acme")).flag is Flag.FINISH
