"""The tables of PostgreSQL: made, changed, taken back, with data in them; by the program as an operator calls it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine
from tests.contract.test_run_store import DONE, claimed, entry, new, seen
from tests.support.postgres import Postgres

import leadline.tasks.postgres
from leadline.domain import Question
from leadline.errors import InputError, SettingsError
from leadline.tasks.postgres import PostgresStore, migrate
from leadline.tasks.postgres.address import Address
from leadline.tasks.postgres.schema import metadata
from leadline.tasks.postgres.tables import NUMBERS, VERSIONS

pytestmark = [
    pytest.mark.server("postgres"),
    pytest.mark.xdist_group("postgres"),
    pytest.mark.blocking("migrations read their files where they run; nothing else goes on there"),
]


def name_of(url: str) -> str:
    return urlsplit(url).path.lstrip("/")


def program(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from leadline.cli.main import main; raise SystemExit(main())", *arguments],
        env={"LEADLINE_STORE": url, "HOME": "/nonexistent", "PATH": "/usr/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_numbers_are_those_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(leadline.tasks.postgres.__path__[0]) / "migrations"))
    found = [change.revision for change in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == NUMBERS


async def test_the_tables_are_those_of_the_schema(postgres: Postgres) -> None:
    address = await Address.read(postgres.store())

    async def connect() -> object:
        return await asyncpg_connect(address)

    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSIONS, "compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, metadata()))

    def indexes(connection: sa.Connection) -> dict[str, str]:
        rows = connection.execute(sa.text("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"))
        return {row.indexname: row.indexdef for row in rows}

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect)
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
            migrated = await connection.run_sync(indexes)
            await connection.run_sync(lambda c: metadata().drop_all(c))
            await connection.run_sync(lambda c: metadata().create_all(c))
            made = await connection.run_sync(indexes)
        assert {n: d for n, d in migrated.items() if not n.startswith(VERSIONS)} == {
            n: d for n, d in made.items() if not n.startswith(VERSIONS)
        }
    finally:
        await engine.dispose()


async def asyncpg_connect(address: Address) -> object:
    import asyncpg  # noqa: PLC0415 used here alone

    return await asyncpg.connect(**address.arguments())


async def test_data_lives_through_a_way_back_and_forth(postgres: Postgres) -> None:
    url = postgres.store()
    async with PostgresStore.open(url) as store:
        for number in range(3):
            question = Question(text=f"Wie TIEF ist Nummer {number}? {'lang ' * 400 * number}", language="en")
            await store.create(new(f"r{number}", question=question))
        run = await claimed(store, run_id="r1")
        await store.append("r1", run.fence, [seen(1), entry(DONE)])
        before = [await store.get(f"r{n}", tenant="acme") for n in range(3)]
        journal = await store.records("r1")
    assert [change.number for change in await migrate.down(url, to="0001")] == list(reversed(NUMBERS[1:]))
    with pytest.raises(SettingsError, match="leadline migrate up"):
        async with PostgresStore.open(url):
            raise AssertionError("it cannot be open")
    assert [change.number for change in await migrate.up(url)] == list(NUMBERS[1:])
    async with PostgresStore.open(url) as store:
        assert [await store.get(f"r{n}", tenant="acme") for n in range(3)] == before
        assert await store.records("r1") == journal
        assert [r.id for r in await store.runs(tenant="acme", search="tief nummer 2")] == ["r2"]
        assert (await claimed(store, "w2")).id == "r0"


async def test_a_way_back_to_nowhere_is_refused(postgres: Postgres) -> None:
    url = postgres.store()
    for target in ("9999", "../x", ""):
        with pytest.raises(InputError, match="has no migration"):
            await migrate.down(url, to=target)
    assert [change.done for change in await migrate.status(url)] == [True] * len(NUMBERS)


async def test_two_that_migrate_at_once_do_it_once(postgres: Postgres) -> None:
    url = postgres.url(postgres.database())
    async with asyncio.TaskGroup() as group:
        done = [group.create_task(migrate.up(url)) for _ in range(2)]
    assert sorted(len(task.result()) for task in done) == [0, len(NUMBERS)]


async def test_tables_of_others_are_left_alone(postgres: Postgres) -> None:
    name = postgres.database()
    postgres.sql("CREATE TABLE run (mine int)", name)
    with pytest.raises(SettingsError, match="that is not Leadline's"):
        await migrate.up(postgres.url(name))
    assert postgres.sql("SELECT count(*) FROM run", name).strip() == "0"


@pytest.mark.timeout(150)  # six programs, one after the other
def test_the_program_makes_changes_and_tells(postgres: Postgres) -> None:
    url = postgres.url(postgres.database())
    missing = program(url, "migrate", "status")
    assert missing.returncode == 0, missing.stderr
    assert f"runs      no tables  {NUMBERS[-1]} is needed: leadline migrate up" in missing.stdout
    made = program(url, "migrate", "up")
    assert made.stdout.startswith(f"runs: no tables -> {NUMBERS[-1]}\naccounts: no tables -> "), made.stderr
    assert program(url, "migrate", "up").stdout.startswith(f"runs: at {NUMBERS[-1]}\naccounts: at ")
    assert "up to date" in program(url, "migrate", "status").stdout
    back = program(url, "migrate", "down", "runs", "0001")
    assert back.stdout == f"runs: {NUMBERS[-1]} -> 0001\n", back.stderr
    unsure = program(url, "migrate", "down", "runs", "base")
    assert unsure.returncode != 0
    assert program(url, "migrate", "down", "runs", "base", "--yes").stdout == "runs: 0001 -> base\n"
    assert (
        "run" not in postgres.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", name_of(url)).split()
    )


def test_the_program_says_that_sqlite_needs_nothing() -> None:
    told = program("sqlite://", "migrate", "up")
    assert told.returncode == 2
    assert "nothing is to be migrated" in told.stderr


def test_the_address_is_printed_without_its_password() -> None:
    told = program("postgresql://app:s3cret@db/runs", "settings", "--format", "json")
    assert told.returncode == 0, told.stderr
    assert "s3cret" not in told.stdout
    assert "postgresql://********@db/runs" in json.dumps(told.stdout)
