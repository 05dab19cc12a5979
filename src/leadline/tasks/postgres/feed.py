"""The journals of all runs as one feed, in the order of their transactions, and who ships it.

A transaction's number tells when it began to write, not when it committed. Hence only rows below
`pg_snapshot_xmin` are given: every transaction below it has ended, so no row can appear there later.

A claim that ended another run first may write with a smaller number than the last append of the run
that it takes over. Both are below the bound then, but a page may end between them; what a page lacks
of the beginnings of its runs is added to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from leadline.errors import LeaseLost
from leadline.ports import LAG_ROWS, Fed, Lag, Turn
from leadline.tasks.packing import Packer
from leadline.tasks.postgres.connection import Connection, Row
from leadline.tasks.postgres.database import NOW, Database

_COLUMNS: Final = "s.tx, s.run, s.seq, s.at, s.branch, s.type, s.compressed, s.body, r.id, r.tenant"
_BOUND: Final = "(SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint)"

_FEED: Final = f"""
    SELECT {_COLUMNS}
    FROM (
        SELECT * FROM step WHERE tx >= $1 AND tx < {_BOUND} AND (tx, run, seq) > ($1, $2, $3)
        ORDER BY tx, run, seq LIMIT $4
    ) AS s JOIN run AS r ON r.key = s.run
"""  # noqa: S608 constants

# The rows before the first ones of a page, down to the last that an earlier page gave.
_BEFORE: Final = f"""
    WITH RECURSIVE w AS (
        SELECT * FROM unnest($1::bigint[], $2::int[]) AS w(run, seq)
    ), missing AS (
        SELECT s.run, s.seq FROM w JOIN step AS s ON s.run = w.run AND s.seq = w.seq - 1
        WHERE (s.tx, s.run, s.seq) > ($3, $4, $5)
        UNION ALL
        SELECT s.run, s.seq FROM missing AS m JOIN step AS s ON s.run = m.run AND s.seq = m.seq - 1
        WHERE (s.tx, s.run, s.seq) > ($3, $4, $5)
    )
    SELECT {_COLUMNS} FROM missing AS m
    JOIN step AS s ON s.run = m.run AND s.seq = m.seq JOIN run AS r ON r.key = s.run
"""  # noqa: S608 constants

_SHIP: Final = f"""
    INSERT INTO shipping AS s (log, owner, lease_until, fence, place) VALUES ($1, $2, {NOW} + $3::float8, 1, '')
    ON CONFLICT (log) DO UPDATE SET
        fence = s.fence + (s.owner IS DISTINCT FROM $2)::int, owner = $2, lease_until = {NOW} + $3::float8
    WHERE s.owner IS NULL OR s.owner = $2 OR s.lease_until <= {NOW}
    RETURNING fence, place
"""  # noqa: S608 NOW is a constant

_SHIPPED: Final = f"""
    UPDATE shipping SET place = $3, lease_until = {NOW} + $4::float8
    WHERE log = $1 AND fence = $2 AND owner IS NOT NULL
    RETURNING log
"""  # noqa: S608 NOW is a constant

_LAG: Final = f"""
    SELECT count(*) AS rows, {NOW} - min(at) AS seconds FROM (
        SELECT at FROM step WHERE tx >= $1 AND (tx, run, seq) > ($1, $2, $3) ORDER BY tx LIMIT {LAG_ROWS}
    ) AS s
"""  # noqa: S608 constants


class _Place(NamedTuple):
    tx: int
    run: int
    seq: int

    def __str__(self) -> str:
        return f"{self.tx}.{self.run}.{self.seq}"

    @classmethod
    def of(cls, text: str) -> _Place:
        return cls._make(map(int, text.split("."))) if text else START


START: Final = _Place(-(1 << 62), 0, 0)
"""Before everything: rows that were restored from a backup have negative numbers, below all that come after."""


class Feeding:
    """The part of the store that is an `EventFeed`."""

    _database: Database

    async def feed(self, after: str, *, limit: int) -> Sequence[Fed]:
        """See `EventFeed`. A page may have a few more rows than `limit`."""
        rows = await self._database.do(lambda c: _page(c, _Place.of(after), limit))
        return await asyncio.to_thread(_fed, rows) if rows else ()

    async def ship(self, log: str, owner: str, *, lease: float) -> Turn | None:
        """See `EventFeed`."""
        row = await self._database.do(lambda c: c.fetchrow(_SHIP, log, owner, lease))
        return None if row is None else Turn(row["fence"], row["place"])

    async def shipped(self, log: str, turn: Turn, *, lease: float) -> None:
        """See `EventFeed`."""
        row = await self._database.do(lambda c: c.fetchrow(_SHIPPED, log, turn.fence, turn.place, lease))
        if row is None:
            raise LeaseLost(f"another process ships to {log} now")

    async def release(self, log: str, turn: Turn) -> None:
        """See `EventFeed`."""
        statement = "UPDATE shipping SET owner = NULL WHERE log = $1 AND fence = $2"
        await self._database.do(lambda c: c.execute(statement, log, turn.fence))

    async def lag(self, log: str) -> Lag:
        """See `EventFeed`."""

        async def work(connection: Connection) -> Row | None:
            place = await connection.fetchval("SELECT place FROM shipping WHERE log = $1", log)
            return await connection.fetchrow(_LAG, *_Place.of(place or ""))

        row = await self._database.do(work)
        return Lag() if row is None else Lag(rows=row["rows"], seconds=max(0.0, row["seconds"] or 0.0))


async def _page(connection: Connection, after: _Place, limit: int) -> list[tuple[_Place, Row]]:
    """Return rows, each with the place that is reached with it: those of a run in order, the page's last place last."""
    rows = sorted(await connection.fetch(_FEED, *after, limit), key=_place)
    if not rows:
        return []
    last = _place(rows[-1])
    if len(rows) == limit:
        runs, seqs = _beginnings(rows)
        known = {(row["run"], row["seq"]) for row in rows}
        found = await connection.fetch(_BEFORE, runs, seqs, *after)
        rows += [row for row in found if (row["run"], row["seq"]) not in known]
    # Until the page is through, its beginning is all that is reached: its rows are not in their own order.
    ordered = sorted(rows, key=lambda row: (row["run"], row["seq"]))
    return [(after, row) for row in ordered[:-1]] + [(last, ordered[-1])]


def _beginnings(rows: Iterable[Row]) -> tuple[list[int], list[int]]:
    """Return runs and numbers of the rows whose predecessors are not among `rows`."""
    places = {(row["run"], row["seq"]) for row in rows}
    first = sorted((run, seq) for run, seq in places if seq > 1 and (run, seq - 1) not in places)
    return [run for run, _ in first], [seq for _, seq in first]


def _place(row: Row) -> _Place:
    return _Place(row["tx"], row["run"], row["seq"])


def _fed(rows: Sequence[tuple[_Place, Row]]) -> list[Fed]:
    packer = Packer()
    return [
        Fed(
            place="" if place == START else str(place),
            run_id=row["id"],
            tenant=row["tenant"],
            seq=row["seq"],
            at=row["at"],
            branch=row["branch"],
            type=row["type"],
            body=packer.opened(row["body"], compressed=row["compressed"]),
        )
        for place, row in rows
    ]
