"""Reading runs: one, a page of them, and how many wait, run and have ended."""

from __future__ import annotations

from typing import Final

from leadline.domain import RunState
from leadline.ports import Cursor, Depth
from leadline.tasks.packing import folded
from leadline.tasks.postgres.connection import Connection, Row
from leadline.tasks.postgres.database import NOW
from leadline.tasks.postgres.rows import RUN
from leadline.tasks.postgres.tables import ENDED, LIVE

_LIVE: Final = f"""
    SELECT r.tenant,
        count(*) FILTER (WHERE r.state = 'queued') AS queued,
        count(*) FILTER (WHERE r.state = 'queued' AND NOT r.local) AS free,
        count(*) FILTER (WHERE r.state = 'running') AS running,
        count(*) FILTER (WHERE r.state = 'waiting') AS waiting,
        {NOW} - min(r.updated_at) FILTER (WHERE r.state = 'queued' AND NOT r.local) AS oldest
    FROM run AS r WHERE r.{LIVE} AND ($1::text IS NULL OR r.tenant = $1) GROUP BY r.tenant
"""  # noqa: S608 constants

_EXPIRED: Final = f"""
    SELECT r.tenant, count(*) AS expired FROM run AS r
    WHERE r.state = 'running' AND NOT r.local AND r.lease_until <= {NOW} AND ($1::text IS NULL OR r.tenant = $1)
    GROUP BY r.tenant
"""  # noqa: S608 constants

_ENDED: Final = f"""
    {RUN} WHERE r.{ENDED} AND r.updated_at < $1 AND ($2::text IS NULL OR r.tenant = $2)
    ORDER BY r.updated_at LIMIT $3
"""


async def depths(connection: Connection, tenant: str | None) -> dict[str, Depth]:
    """Return how much waits and runs, by tenant."""
    expired = {row["tenant"]: row["expired"] for row in await connection.fetch(_EXPIRED, tenant)}
    return {
        row["tenant"]: Depth(
            claimable=row["free"] + expired.get(row["tenant"], 0),
            queued=row["queued"],
            running=row["running"],
            waiting=row["waiting"],
            oldest=None if row["oldest"] is None else max(0.0, row["oldest"]),
        )
        for row in await connection.fetch(_LIVE, tenant)
    }


async def ended(connection: Connection, before: float, tenant: str | None, *, limit: int) -> list[Row]:
    """Return rows of runs that ended before `before`."""
    return await connection.fetch(_ENDED, before, tenant, limit)


async def listed(
    connection: Connection,
    *,
    tenant: str | None,
    state: RunState | None,
    before: Cursor | None,
    search: str,
    limit: int,
) -> list[Row]:
    """Return a page of a listing; only the conditions that are asked for are in the statement."""
    values: list[object] = []
    conditions = ["TRUE"]
    if tenant is not None:
        values.append(tenant)
        conditions.append(f"r.tenant = ${len(values)}")
    if state is not None:
        values.append(state)
        conditions.append(f"r.state = ${len(values)}")
    if before is not None:
        values.extend(before)
        conditions.append(f"(r.created_at, r.id) < (${len(values) - 1}::float8, ${len(values)}::text)")
    if words := folded(search).split():
        values.append([f"%{_escaped(word)}%" for word in words])
        conditions.append(f"a.folded LIKE ALL (${len(values)}::text[])")
    values.append(limit)
    where = f" WHERE {' AND '.join(conditions)} ORDER BY r.created_at DESC, r.id DESC LIMIT ${len(values)}"
    return await connection.fetch(RUN + where, *values)


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
