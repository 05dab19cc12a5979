"""Tables of PostgreSQL out to files and in again, by COPY in its text form, which every version reads.

Numbers of transactions mean nothing in another cluster, but their order does: it is the order in which
journals are shipped. So they go out less the snapshot's upper bound: what comes back is in its old
order, and before everything that the new cluster writes. Cursors of event logs move along.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from leadline.ports.backup import Inlet, Outlet, Part
from leadline.tasks.postgres.address import Address, name_of
from leadline.tasks.postgres.faults import FAILURES, translated
from leadline.tasks.postgres.tables import VERSIONS

TABLES: Final = ("run", "asked", "step", "shipping")
"""The tables of runs; those that older migrations lack are left out."""

_FORM: Final = "text"
_MARK: Final = "unfinished restore of "
"""Begins the comment of the table `run` of a database that a restore filled and has not finished with."""
_COLUMNS: Final = """
    SELECT column_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = $1 AND is_generated = 'NEVER' ORDER BY ordinal_position
"""
_XMAX: Final = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


class Copier:
    """A connection that copies tables, in one transaction; made by `reading` and `writing`."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 asyncpg ships no types
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def reading(cls, url: str) -> AsyncIterator[Copier]:
        """See everything as it is now, for the length of the context. Raises `StoreError`, `SettingsError`."""
        async with _connected(url) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            yield cls(connection)

    @classmethod
    @asynccontextmanager
    async def writing(cls, url: str) -> AsyncIterator[Copier]:
        """Change nothing, unless all of the context succeeds. Raises as `reading`."""
        async with _connected(url) as connection, connection.transaction():
            yield cls(connection)

    async def has(self, table: str) -> bool:
        """Return whether the table is there."""
        return await self._connection.fetchval("SELECT to_regclass($1)", table) is not None

    async def version(self, table: str = VERSIONS) -> str | None:
        """Return the migration that a table of versions names, `None` without one."""
        if not await self.has(table):
            return None
        found = await self._connection.fetchval(f'SELECT version_num FROM "{table}"')  # noqa: S608 a name of ours
        return None if found is None else str(found)

    async def count(self, table: str, *, besides: str | None = None) -> int:
        """Return how many rows a table has, but for the one with the id `besides`; none where it is not there."""
        if not await self.has(table):
            return 0
        if besides is None:
            return int(await self._connection.fetchval(f'SELECT count(*) FROM "{table}"'))  # noqa: S608 a name of ours
        return int(await self._connection.fetchval(f'SELECT count(*) FROM "{table}" WHERE id <> $1', besides))  # noqa: S608 as above

    async def words(self, table: str, column: str) -> frozenset[str]:
        """Return the values of a column of texts; none where the table is not there."""
        if not await self.has(table):
            return frozenset()
        rows = await self._connection.fetch(f'SELECT DISTINCT "{column}" AS word FROM "{table}"')  # noqa: S608 names of ours
        return frozenset(row["word"] for row in rows)

    async def out(self, tables: Sequence[str], outlet: Outlet) -> tuple[Part, ...]:
        """Write the tables that are there, each into a file of its name."""
        ceiling = int(await self._connection.fetchval(_XMAX))
        parts = []
        for table in tables:
            columns = tuple(row["column_name"] for row in await self._connection.fetch(_COLUMNS, table))
            if not columns:
                continue
            words = ", ".join(_expression(table, column, ceiling) for column in columns)
            query = f'SELECT {words} FROM "{table}"'  # noqa: S608 names of the database's own catalogue
            async with outlet(table) as write:
                done = await self._connection.copy_from_query(query, output=write, format=_FORM)
            parts.append(Part(name=table, rows=_rows(done), columns=columns))
        return tuple(parts)

    async def clear(self, table: str, *, only: str | None = None) -> None:
        """Delete all rows of a table, or the one with this id."""
        if only is None:
            await self._connection.execute(f'DELETE FROM "{table}"')  # noqa: S608 a name of ours
        else:
            await self._connection.execute(f'DELETE FROM "{table}" WHERE id = $1', only)  # noqa: S608 as above

    async def lock(self, tables: Sequence[str]) -> None:
        """Let nobody else change these tables until the context ends."""
        names = ", ".join(f'"{table}"' for table in tables)
        await self._connection.execute(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")

    async def into(self, part: Part, inlet: Inlet) -> int:
        """Fill a table from its file; return how many rows came."""
        done = await self._connection.copy_to_table(
            part.name, source=inlet(part.name), columns=list(part.columns), format=_FORM
        )
        return _rows(done)

    async def marked(self) -> str | None:
        """Return the backup whose unfinished restore is in the database, if there is one."""
        said = await self._connection.fetchval("SELECT obj_description(to_regclass('run'), 'pg_class')")
        return said.removeprefix(_MARK) if said is not None and said.startswith(_MARK) else None

    async def mark(self, backup: str | None) -> None:
        """Let the database say that it holds an unfinished restore of a backup, or none any more."""
        words = "NULL" if backup is None else "'" + (_MARK + backup).replace("'", "''") + "'"
        await self._connection.execute(f"COMMENT ON TABLE run IS {words}")

    async def go_on_counting(self) -> None:
        """Let the keys of new runs come after those of all that were put in."""
        await self._connection.execute(
            "SELECT setval(pg_get_serial_sequence('run', 'key'), (SELECT max(key) FROM run)) "
            "WHERE EXISTS (SELECT FROM run)"
        )


def _expression(table: str, column: str, ceiling: int) -> str:
    if (table, column) == ("step", "tx"):
        return f"tx - {ceiling}"
    if (table, column) == ("shipping", "place"):
        moved = f"(split_part(place, '.', 1)::bigint - {ceiling})::text || substr(place, strpos(place, '.'))"
        return f"CASE WHEN place = '' THEN '' ELSE {moved} END"
    return f'"{column}"'


def _rows(status: str) -> int:
    """Return the number in the status of a COPY."""
    return int(status.rpartition(" ")[2])


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Any]:
    address = await Address.read(url)
    closing: Callable[[], Any] | None = None
    try:
        connection = await asyncpg.connect(**address.arguments())
        closing = connection.close
        await connection.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        yield connection
    except FAILURES as error:
        raise translated(error, name_of(url)) from error
    finally:
        if closing is not None:
            await closing()
