"""A transaction as a plain function of a connection, on SQLite or PostgreSQL.

All statements are written once, for a synchronous SQLAlchemy connection. SQLite runs them in
threads of its own, one of which writes; PostgreSQL runs them on the event loop, over asyncpg.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite

from leadline.accounts import migrations
from leadline.accounts.faults import translated
from leadline.errors import SettingsError

T = TypeVar("T")
Now = Callable[[], float]

_READERS: Final = 2
_BUSY_SECONDS: Final = 5.0
_SQLITE_NOW: Final = "SELECT (julianday('now') - 2440587.5) * 86400.0"


class Tx:
    """A transaction: its connection, and the time by the database's clock."""

    def __init__(self, connection: sa.Connection, now: Now | None) -> None:
        self.connection = connection
        self._given = now
        self._now: float | None = None

    @property
    def now(self) -> float:
        """Unix time, the same throughout the transaction."""
        if self._now is None:
            self._now = self._given() if self._given is not None else self._ask()
        return self._now

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite, which has one writer at a time."""
        return self.connection.dialect.name == "sqlite"

    def _ask(self) -> float:
        asked = sa.text(_SQLITE_NOW) if self.is_sqlite else sa.select(sa.extract("epoch", sa.func.clock_timestamp()))
        return float(self.connection.execute(asked).scalar_one())

    def one(self, statement: sa.Executable) -> sa.Row[Any] | None:
        """Return the first row, or `None`."""
        return self.connection.execute(statement).first()

    def all(self, statement: sa.Executable) -> Sequence[sa.Row[Any]]:
        """Return all rows."""
        return self.connection.execute(statement).all()

    def change(self, statement: sa.Update | sa.Delete) -> int:
        """Return how many rows the statement changed."""
        return self.connection.execute(statement).rowcount

    def add(self, table: sa.Table, values: Mapping[str, object]) -> None:
        """Insert a row."""
        self.connection.execute(sa.insert(table).values(**values))

    def add_new(self, table: sa.Table, values: Mapping[str, object]) -> bool:
        """Insert a row, unless one with a key of its own is there; return whether it was not."""
        made: Any = (sqlite if self.is_sqlite else postgresql).insert(table)
        return bool(self.connection.execute(made.values(**values).on_conflict_do_nothing()).rowcount)

    def put(self, table: sa.Table, values: Mapping[str, object], *, keys: Sequence[str]) -> None:
        """Insert a row, or change the one with the same `keys`."""
        made: Any = (sqlite if self.is_sqlite else postgresql).insert(table)
        changed = {name: value for name, value in values.items() if name not in keys}
        self.connection.execute(made.values(**values).on_conflict_do_update(index_elements=list(keys), set_=changed))

    def lock(self, name: str) -> None:
        """Let no other transaction hold the lock of this name until the end of this one."""
        if not self.is_sqlite:  # a writing transaction of SQLite is alone anyway
            self.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))


class Runner(Protocol):
    """Carries a transaction out. `errors` are what its driver raises besides SQLAlchemy's."""

    errors: tuple[type[Exception], ...]

    async def run(self, work: Callable[[sa.Connection], T], *, write: bool) -> T:
        """Return what `work` returns, its changes committed."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


class Database:
    """The accounts' database; made by `open`."""

    def __init__(self, runner: Runner, *, where: str, now: Now | None) -> None:
        self._runner = runner
        self._where = where
        self._now = now

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, *, connect: Mapping[str, Any] | None = None, now: Now | None = None
    ) -> AsyncIterator[Database]:
        """Open the database for the length of the context.

        `url` is `sqlite:///` and an absolute path, or `postgresql://` as asyncpg takes it. A
        SQLite file is made and brought up to date; a PostgreSQL database must be: its tables are
        everybody's. `connect` are asyncpg's arguments where `url` alone does not say them all,
        certificates read. `now` replaces the database's clock. Raises `SettingsError` where the tables
        are not of this version, `StoreError` where it cannot be used.
        """
        path = migrations.sqlite_path(url)
        runner: Runner
        if path is not None:
            with translated(str(path), _Threads.errors):
                await asyncio.to_thread(_prepare, path, url)
            runner = await asyncio.to_thread(_Threads, path)
        else:
            runner = await asyncio.to_thread(_Loop, url, connect)
        database = cls(runner, where=migrations.shown(url), now=now)
        try:
            await database._check()
            yield database
        finally:
            await runner.close()

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Return what `work` finds. It must not write."""
        return await self._run(work, write=False)

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Return what `work` returns, once its changes are durable; an exception undoes them all."""
        return await self._run(work, write=True)

    async def _run(self, work: Callable[[Tx], T], *, write: bool) -> T:
        with translated(self._where, self._runner.errors):
            return await self._runner.run(lambda connection: work(Tx(connection, self._now)), write=write)

    async def _check(self) -> None:
        found = await self.read(lambda tx: migrations.version_of(tx.connection))
        if found is not None and found > migrations.HEAD:
            raise migrations.newer(self._where, found)
        if found != migrations.HEAD:
            raise SettingsError(
                f"the accounts' tables in `{self._where}` are at version {found or 'none'}, this program needs "
                f"{migrations.HEAD}; bring them up to date with: leadline migrate up"
            )


class _Threads:
    """SQLite: reads beside each other, writes one after the other, none on the event loop."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: Path) -> None:
        self._engine = sqlite_engine(path)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="leadline-accounts-write")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="leadline-accounts-read")

    async def run(self, work: Callable[[sa.Connection], T], *, write: bool) -> T:
        """See `Runner.run`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer if write else self._readers, self._inside, work, write)

    def _inside(self, work: Callable[[sa.Connection], T], write: bool) -> T:  # noqa: FBT001 run_in_executor passes no names
        with self._engine.connect() as plain:
            connection = plain.execution_options(leadline_write=write)
            with connection.begin():
                return work(connection)

    async def close(self) -> None:
        """See `Runner.close`."""
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        self._engine.dispose()


class _Loop:
    """PostgreSQL: asyncpg's connections, which never block the event loop."""

    def __init__(self, url: str, connect: Mapping[str, Any] | None) -> None:
        self._engine = migrations.async_engine(url, connect=connect)
        self.errors: tuple[type[Exception], ...] = migrations.driver_errors()

    async def run(self, work: Callable[[sa.Connection], T], *, write: bool) -> T:
        """See `Runner.run`."""
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        """See `Runner.close`."""
        await self._engine.dispose()


def sqlite_engine(path: Path) -> sa.Engine:
    """Return an engine whose writing transactions begin as such: none fails half-way for a lock."""
    engine = sa.create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
        pool_size=_READERS + 1,
        max_overflow=0,
    )

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy begins transactions, not the driver
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        write = connection.get_execution_options().get("leadline_write", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _prepare(path: Path, url: str) -> None:
    """Make the file, for this user alone, and bring its tables up to date."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    engine = sqlite_engine(path)
    try:
        with engine.connect() as connection:
            # Outside of a transaction, where it would not work.
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA journal_mode = WAL")
            found = migrations.version_of(connection)
    finally:
        engine.dispose()
    if found != migrations.HEAD:
        migrations.up(url)
