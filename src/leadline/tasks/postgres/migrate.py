"""Making and changing the tables, by the migrations that the package ships.

One transaction, behind a lock of the database: several hosts may ask at once, a failure leaves all
as it was. Statements of a migration may take long; nothing times them out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from leadline.errors import InputError, SettingsError
from leadline.tasks.postgres.address import Address, name_of
from leadline.tasks.postgres.faults import FAILURES, translated
from leadline.tasks.postgres.tables import VERSIONS

T = TypeVar("T")

_LOCK: Final = 7_317_433_210_551_202
"""The number of our lock among the database's advisory ones."""

_OURS: Final = ("run", "asked", "step")


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One migration: its number, what it does, and whether the database has it."""

    number: str
    what: str
    done: bool


async def status(url: str) -> tuple[Change, ...]:
    """Return all migrations, the oldest first. Raises `StoreUnavailable`, `SettingsError`."""
    return await inside(url, _status)


async def up(url: str, *, to: str = "head") -> tuple[Change, ...]:
    """Bring the tables to this version, or to an older one; return what was done. Raises as `status`."""
    return await inside(url, lambda connection: _forth(connection, to, name=name_of(url)))


async def down(url: str, *, to: str) -> tuple[Change, ...]:
    """Take back every migration after `to` (`base`: all of them); return what was taken back, the newest first.

    Raises `InputError` for a number that is none or is not done, and as `status`.
    """
    return await inside(url, lambda connection: _back(connection, to, name=name_of(url)))


async def inside(url: str, work: Callable[[sa.Connection], T]) -> T:
    """Return what `work` gives in a transaction of its own. Raises `StoreUnavailable`, `SettingsError`."""
    address = await Address.read(url)

    async def connect() -> Any:  # noqa: ANN401 asyncpg ships no types
        return await asyncpg.connect(**address.arguments())

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    except DBAPIError as error:
        cause = error.orig.__cause__ if error.orig is not None else None
        raise translated(cause if isinstance(cause, Exception) else error, name_of(url)) from error
    except FAILURES as error:
        raise translated(error, name_of(url)) from error
    except ValueError as error:
        raise SettingsError(f"{name_of(url)} is no address of PostgreSQL: {error}") from error
    finally:
        await engine.dispose()


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _at(connection: sa.Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSIONS})
    return context.get_current_revision()


def _status(connection: sa.Connection) -> tuple[Change, ...]:
    script, at = _script(), _at(connection)
    done = {change.revision for change in script.iterate_revisions(at, "base")} if at else set()
    changes = [Change(number=c.revision, what=c.doc, done=c.revision in done) for c in script.walk_revisions()]
    return tuple(reversed(changes))


def _forth(connection: sa.Connection, to: str, *, name: str) -> tuple[Change, ...]:
    _locked(connection)
    before = _status(connection)
    if not any(change.done for change in before):
        _refuse_strangers(connection, name)
    command.upgrade(_config(connection), to)
    return tuple(change for change in before if not change.done and (to == "head" or change.number <= to))


def _back(connection: sa.Connection, to: str, *, name: str) -> tuple[Change, ...]:
    _locked(connection)
    before = _status(connection)
    numbers = [change.number for change in before if change.done]
    if to != "base" and to not in numbers:
        told = ", ".join([*numbers, "base"])
        raise InputError(f"{name} has no migration {to} to go back to; there are: {told}")
    kept = 0 if to == "base" else numbers.index(to) + 1
    command.downgrade(_config(connection), to)
    return tuple(reversed([change for change in before if change.done][kept:]))


def _locked(connection: sa.Connection) -> None:
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})


def _refuse_strangers(connection: sa.Connection, name: str) -> None:
    """Raise `SettingsError` where tables of these names belong to somebody else."""
    found = [table for table in _OURS if sa.inspect(connection).has_table(table)]
    if found:
        raise SettingsError(
            f"{name} has a table `{found[0]}` that is not Leadline's; give Leadline a database of its own"
        )
