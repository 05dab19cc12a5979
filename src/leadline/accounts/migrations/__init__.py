"""The accounts' tables, version by version, by Alembic; `leadline migrate` calls `up`, `down`, `status`.

The functions are synchronous: on an event loop they go through a thread. The version is kept in
`account_version`, so that accounts and runs can share a database. `connect` is for PostgreSQL alone.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from leadline.accounts.faults import translated
from leadline.errors import InputError, MissingExtra, SettingsError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

HEAD: Final = "0003"
"""The version that this program needs; a test compares it with the newest migration."""

VERSION_TABLE: Final = "account_version"
BASE: Final = "base"
_LOCK: Final = "leadline accounts migrations"


Connect: TypeAlias = Mapping[str, Any] | None
"""What asyncpg takes to connect, certificates read; `None`: it reads the address by itself."""


class Status(NamedTuple):
    """Where a database is, and where this program wants it."""

    found: str | None
    wanted: str


def up(url: str, version: str | None = None, *, connect: Connect = None) -> Status:
    """Bring the tables up to date, or to an older version; return where they were and where they are."""
    return _migrate(url, version or HEAD, upwards=True, connect=connect)


def down(url: str, version: str = BASE, *, connect: Connect = None) -> Status:
    """Take the tables back to a version; to `base` they are gone, with all that is in them."""
    return _migrate(url, version, upwards=False, connect=connect)


def status(url: str, *, connect: Connect = None) -> Status:
    """Return the version that the tables have."""
    return Status(found=_inside(url, version_of, connect=connect), wanted=HEAD)


def version_of(connection: sa.Connection) -> str | None:
    """Return the version of the tables, `None` where there are none; without importing Alembic."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 a constant
    return None if found is None else str(found)


def newer(where: str, found: str) -> SettingsError:
    """Return the refusal of tables that a newer program made."""
    return SettingsError(
        f"the accounts' tables in `{where}` were made by a newer Leadline (version {found}, this one knows {HEAD}); "
        "update Leadline"
    )


def sqlite_path(url: str) -> Path | None:
    """Return the file of a `sqlite:///` address, `None` for another one."""
    parts = urlsplit(url)
    return Path(parts.path) if parts.scheme == "sqlite" else None


def shown(url: str) -> str:
    """Return an address without user and password."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return parts.path
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def async_engine(
    url: str,
    *,
    connect: Connect = None,
    poolclass: type[sa.Pool] | None = None,
) -> AsyncEngine:
    """Return an engine on PostgreSQL. Without `connect` asyncpg gets the address as it is, TLS options included."""
    try:
        import asyncpg  # noqa: PLC0415 only where PostgreSQL is chosen
        from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 as above
    except ImportError as error:
        raise MissingExtra("PostgreSQL needs more packages: pip install 'leadline[postgres]'") from error

    arguments = {"dsn": url, "timeout": 10.0, **(connect or {})}

    async def connected() -> Any:  # noqa: ANN401 asyncpg ships no types
        return await asyncpg.connect(**arguments)

    return create_async_engine("postgresql+asyncpg://", async_creator=connected, poolclass=poolclass)


def driver_errors() -> tuple[type[Exception], ...]:
    """Return what asyncpg raises before SQLAlchemy stands between: while it connects."""
    import asyncpg  # noqa: PLC0415 only where PostgreSQL is chosen

    return (asyncpg.PostgresError, asyncpg.InterfaceError)


def _migrate(url: str, target: str, *, upwards: bool, connect: Connect) -> Status:
    from alembic import command  # noqa: PLC0415 only where something is to be migrated
    from alembic.config import Config  # noqa: PLC0415 as above
    from alembic.util import CommandError  # noqa: PLC0415 as above

    def work(connection: sa.Connection) -> str | None:
        if connection.dialect.name == "postgresql":  # two programs that start at once must not both migrate
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(_LOCK, 0))))
        found = version_of(connection)
        if found is not None and found > HEAD:
            raise newer(shown(url), found)
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            (command.upgrade if upwards else command.downgrade)(config, target)
        except CommandError as error:
            raise InputError(f"the accounts' tables cannot be taken to version {target}: {error}") from error
        return found

    return Status(found=_inside(url, work, connect=connect), wanted=target)


def _inside(url: str, work: Callable[[sa.Connection], str | None], *, connect: Connect) -> str | None:
    """Return what `work` returns in one transaction."""
    path = sqlite_path(url)
    if path is None:
        engine = async_engine(url, connect=connect, poolclass=NullPool)
        with translated(shown(url), driver_errors()):
            return asyncio.run(_inside_postgres(engine, work))
    with translated(str(path), (sqlite3.Error,)):
        return _inside_sqlite(path, work)


def _inside_sqlite(path: Path, work: Callable[[sa.Connection], str | None]) -> str | None:
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=NullPool)

    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, _record: object) -> None:  # noqa: ANN401 a driver's connection
        connection.isolation_level = None

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.begin() as connection:
        return work(connection)


async def _inside_postgres(engine: AsyncEngine, work: Callable[[sa.Connection], str | None]) -> str | None:
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()
