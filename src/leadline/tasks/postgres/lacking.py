"""What the tables should have and have not: taken away by hand, lost in a copy, or left broken by a failed build.

The number of the last migration says what was done once; this looks at what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
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


async def lacking(url: str, wanted: sa.MetaData) -> tuple[Lack, ...]:
    """Return what of `wanted` the database has not. Raises `StoreUnavailable`, `SettingsError`."""
    return await inside(url, lambda connection: tuple(_lacking(connection, wanted)))


def _lacking(connection: sa.Connection, wanted: sa.MetaData) -> Iterator[Lack]:
    there, broken = sa.inspect(connection), set(connection.execute(sa.text(_BROKEN)).scalars())
    tables = set(there.get_table_names())
    for table in wanted.sorted_tables:
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
                yield Lack(what=f"index `{index.name}`", mend=_sql(index))
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


def _sql(index: sa.Index) -> str:
    made = str(CreateIndex(index).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]  # SQLAlchemy's has no types
    return " ".join(made.split())
