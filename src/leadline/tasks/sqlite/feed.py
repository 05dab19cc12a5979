"""The journals of all runs as one feed, in the order of their commits, and who ships it.

One process writes at a time and `key` only grows, so a row's key is its place.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeVar

from leadline.errors import LeaseLost
from leadline.ports import LAG_ROWS, Fed, Lag, Turn
from leadline.tasks.packing import Packer
from leadline.tasks.sqlite.schema import NOW
from leadline.tasks.sqlite.writer import Session

T = TypeVar("T")

_FEED = """
    SELECT s.key, r.id, r.tenant, s.seq, s.at, s.branch, s.type, s.compressed, s.body
    FROM step AS s JOIN run AS r ON r.key = s.run
    WHERE s.key > ? ORDER BY s.key LIMIT ?
"""

_SHIP = f"""
    INSERT INTO shipping (log, owner, lease_until, fence) VALUES (:log, :owner, {NOW} + :lease, 1)
    ON CONFLICT (log) DO UPDATE SET
        fence = fence + (owner IS NOT :owner), owner = :owner, lease_until = {NOW} + :lease
    WHERE owner IS NULL OR owner = :owner OR lease_until <= {NOW}
    RETURNING fence, place
"""  # noqa: S608 NOW is a constant

_SHIPPED = f"""
    UPDATE shipping SET place = max(place, :place), lease_until = {NOW} + :lease
    WHERE log = :log AND fence = :fence AND owner IS NOT NULL
    RETURNING place
"""  # noqa: S608 NOW is a constant

_LAG = f"""
    SELECT count(*), {NOW} - min(at) FROM (
        SELECT at FROM step WHERE key > coalesce((SELECT place FROM shipping WHERE log = ?1), 0)
        ORDER BY key LIMIT {LAG_ROWS}
    )
"""  # noqa: S608 constants


class Feeding:
    """The part of the store that is an `EventFeed`."""

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        raise TypeError("a part of the store, which can read")

    async def _write(self, work: Callable[[Session], T], undo: Callable[[T], None] | None = None) -> T:
        raise TypeError("a part of the store, which can write")

    async def feed(self, after: str, *, limit: int) -> Sequence[Fed]:
        """See `EventFeed`."""
        return await self._read(lambda c: _fed(c, int(after or 0), limit))

    async def ship(self, log: str, owner: str, *, lease: float) -> Turn | None:
        """See `EventFeed`."""
        return await self._write(lambda s: _ship(s.connection, log, owner, lease=lease))

    async def shipped(self, log: str, turn: Turn, *, lease: float) -> None:
        """See `EventFeed`."""
        await self._write(lambda s: _shipped(s.connection, log, turn, lease=lease))

    async def release(self, log: str, turn: Turn) -> None:
        """See `EventFeed`."""
        await self._write(lambda s: _release(s.connection, log, turn))

    async def lag(self, log: str) -> Lag:
        """See `EventFeed`."""
        rows, seconds = await self._read(lambda c: c.execute(_LAG, (log,)).fetchone())
        return Lag(rows=rows, seconds=max(0.0, seconds or 0.0))


def _fed(connection: sqlite3.Connection, after: int, limit: int) -> list[Fed]:
    packer = Packer()
    return [
        Fed(
            place=str(key),
            run_id=run_id,
            tenant=tenant,
            seq=seq,
            at=at,
            branch=branch,
            type=type_name,
            body=packer.opened(body, compressed=bool(compressed)),
        )
        for key, run_id, tenant, seq, at, branch, type_name, compressed, body in connection.execute(
            _FEED, (after, limit)
        ).fetchall()
    ]


def _ship(connection: sqlite3.Connection, log: str, owner: str, *, lease: float) -> Turn | None:
    rows = connection.execute(_SHIP, {"log": log, "owner": owner, "lease": lease}).fetchall()
    return Turn(rows[0][0], str(rows[0][1]) if rows[0][1] else "") if rows else None


def _shipped(connection: sqlite3.Connection, log: str, turn: Turn, *, lease: float) -> None:
    values = {"log": log, "place": int(turn.place or 0), "fence": turn.fence, "lease": lease}
    if not connection.execute(_SHIPPED, values).fetchall():
        raise LeaseLost(f"another process ships to {log} now")


def _release(connection: sqlite3.Connection, log: str, turn: Turn) -> None:
    connection.execute("UPDATE shipping SET owner = NULL WHERE log = ? AND fence = ?", (log, turn.fence))
