"""What the tables should have and have not: taken away by hand, lost in a copy, or left broken by a failed build.

The number of the last migration says what was done once; this looks at what is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

from leadline.tasks.postgres.migrate import inside

_BROKEN = """
SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND pg_table_is_visible(i.indrelid)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lack:
    """One thing that is not as it should be: which, and the SQL that mends it, `None` where rows are lost with it."""

    what: str
    mend: str | None = None


async def lacking(url: str, *wanted: sa.MetaData) -> tuple[Lack, ...]:
    """Return what of `wanted` the database has not. Raises `StoreUnavailable`, `SettingsError`."""
    tables = [table for one in wanted for table in one.sorted_tables]
    return await inside(url, lambda connection: tuple(_lacking(connection, tables)))


def _lacking(connection: sa.Connection, wanted: Sequence[sa.Table]) -> Iterator[Lack]:
    there, broken = sa.inspect(connection), set(connection.execute(sa.text(_BROKEN)).scalars())
    tables = set(there.get_table_names())
    for table in wanted:
        if table.name not in tables:
            yield Lack(what=f"table `{table.name}`")
            continue
        columns = {column["name"] for column in there.get_columns(table.name)}
        yield from (Lack(what=f"column `{table.name}.{one.name}`") for one in table.columns if one.name not in columns)
        if table.primary_key.columns and not there.get_pk_constraint(table.name)["constrained_columns"]:
            yield Lack(what=f"primary key of `{table.name}`", mend=_key(table))
        yield from _uniques(there, table)
        found = {index["name"] for index in there.get_indexes(table.name)}
        for index in sorted(table.indexes, key=lambda one: str(one.name)):
            if index.name not in found:
                yield Lack(what=f"index `{index.name}`", mend=_sql(index, connection.dialect))
            elif index.name in broken:
                yield Lack(what=f"index `{index.name}`, which was never finished,", mend=f"REINDEX INDEX {index.name}")


def _uniques(there: sa.Inspector, table: sa.Table) -> Iterator[Lack]:
    found = {frozenset(one["column_names"]) for one in there.get_unique_constraints(table.name)}
    wanted = [
        sorted(column.name for column in one.columns)
        for one in table.constraints
        if isinstance(one, sa.UniqueConstraint)
    ]
    for columns in sorted(wanted):
        if frozenset(columns) not in found:
            names = ", ".join(columns)
            yield Lack(
                what=f"rule that `{names}` of `{table.name}` is unique",
                mend=f"ALTER TABLE {table.name} ADD UNIQUE ({names})",
            )


def _key(table: sa.Table) -> str:
    columns = ", ".join(column.name for column in table.primary_key.columns)
    return f"ALTER TABLE {table.name} ADD PRIMARY KEY ({columns})"


def _sql(index: sa.Index, dialect: sa.Dialect) -> str:
    return " ".join(str(CreateIndex(index).compile(dialect=dialect)).split())
