"""Reading runs: a page of them, and how many wait, run and have ended."""

from __future__ import annotations

import sqlite3

from leadline.domain import RunState
from leadline.ports import Cursor, Depth, Run
from leadline.tasks.packing import folded
from leadline.tasks.sqlite.rows import RUN, run_from
from leadline.tasks.sqlite.schema import NOW

_DEPTHS = f"""
    SELECT tenant,
        sum((state = 'queued' AND NOT local) OR (state = 'running' AND NOT local AND lease_until <= {NOW})),
        sum(state = 'queued'), sum(state = 'running'), sum(state = 'waiting'),
        {NOW} - min(CASE WHEN state = 'queued' AND NOT local THEN updated_at END)
    FROM run WHERE state IN ('queued', 'running', 'waiting') AND (?1 IS NULL OR tenant = ?1)
    GROUP BY tenant
"""  # noqa: S608 NOW is a constant

_ENDED = f"""
    {RUN} WHERE r.state IN ('done', 'failed', 'cancelled') AND r.updated_at < ?1 AND (?2 IS NULL OR r.tenant = ?2)
    ORDER BY r.updated_at LIMIT ?3
"""


def depths(connection: sqlite3.Connection, tenant: str | None) -> dict[str, Depth]:
    """Return how much waits and runs, by tenant."""
    return {
        name: Depth(
            claimable=claimable,
            queued=queued,
            running=running,
            waiting=waiting,
            oldest=None if oldest is None else max(0.0, oldest),
        )
        for name, claimable, queued, running, waiting, oldest in connection.execute(_DEPTHS, (tenant,)).fetchall()
    }


def ended(connection: sqlite3.Connection, before: float, tenant: str | None, *, limit: int) -> list[Run]:
    """Return runs that ended before `before`, the longest ended first."""
    return [run_from(row) for row in connection.execute(_ENDED, (before, tenant, limit)).fetchall()]


def listed(
    connection: sqlite3.Connection,
    *,
    tenant: str | None,
    state: RunState | None,
    before: Cursor | None,
    search: str,
    limit: int,
) -> list[Run]:
    """Return a page of a listing; questions are looked through in passing, one machine's are not many."""
    words = folded(search).split()
    whose = "" if tenant is None else "r.tenant = :tenant AND "  # spelled out, or the index is not used
    statement = (
        RUN + " WHERE " + whose + "(:state IS NULL OR r.state = :state)"
        " AND (:at IS NULL OR (r.created_at, r.id) < (:at, :id))"
        " ORDER BY r.created_at DESC, r.id DESC"
    )
    values = {
        "tenant": tenant,
        "state": state,
        "at": None if before is None else before.created_at,
        "id": None if before is None else before.run_id,
    }
    found: list[Run] = []
    rows = connection.execute(statement, values)
    while len(found) < limit and (row := rows.fetchone()) is not None:
        run = run_from(row)
        question = folded(run.question.text) if words else ""
        if all(word in question for word in words):
            found.append(run)
    rows.close()
    return found
