"""Handing out work: the one statement that takes the best run, and what is written with it.

The queue has lanes, one for each priority, engine version and tenant; within a lane the oldest goes
first. The lanes are found by skipping through an index, whatever the number of queued runs. Of the
best lanes (priority, then what the tenant holds, then age) a few runs each are candidates, since
other claimers may have locked the first ones; a tenant's second candidate counts as if its first
were held already. Expired runs are candidates among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from leadline.domain import Flag, RunState
from leadline.events import ENGINE, RunResumed, RunStarted
from leadline.ports import Run
from leadline.tasks.appends import cancelled, exhausted
from leadline.tasks.packing import Packer
from leadline.tasks.postgres.connection import Connection, Row
from leadline.tasks.postgres.database import CHANNEL, NOW
from leadline.tasks.postgres.journal import end_run
from leadline.tasks.postgres.rows import COLUMNS, RUN, run_from

LANES: Final = 64
"""Lanes that a claim looks into."""

CANDIDATES: Final = 128
"""Runs that it looks at, of all lanes together: so many may be taken at once, by all claimers, and each finds work."""

_FREE: Final = "r.state = 'queued' AND NOT r.local"
_EXPIRED: Final = f"r.state = 'running' AND r.lease_until <= {NOW}"

_SET: Final = f"""
    SET owner = $1, claim = $2, lease_until = {NOW} + $3::float8, fence = r.fence + 1,
        attempts = r.attempts + (r.state = 'running')::int, state = 'running', updated_at = {NOW},
        reply = NULL, waits_for = NULL
"""

_TOLD: Final = f"""
    RETURNING {COLUMNS}, t.reply, t.was, a.compressed, a.body,
        (SELECT max(s.seq) FROM step AS s WHERE s.run = r.key) AS seq, r.updated_at AS at,
        pg_notify('{CHANNEL}', r.id)
"""  # noqa: S608 constants


def _best(*, beyond: str, expired: str) -> str:
    """Return the statement.

    `beyond` is what makes a row of the index belong to a lane behind the last one found, `expired`
    which of the expired runs are candidates.
    """
    return f"""
    WITH RECURSIVE lane AS (
        (
            SELECT r.urgency, r.engine, r.tenant FROM run AS r WHERE {_FREE}
            ORDER BY r.urgency, r.engine, r.tenant LIMIT 1
        )
        UNION ALL
        SELECT n.urgency, n.engine, n.tenant FROM lane AS l CROSS JOIN LATERAL (
            SELECT r.urgency, r.engine, r.tenant FROM run AS r
            WHERE {_FREE} AND {beyond}
            ORDER BY r.urgency, r.engine, r.tenant LIMIT 1
        ) AS n
    ), share AS (
        SELECT r.tenant, count(*) AS held, count(*) FILTER (WHERE NOT r.local) AS worked
        FROM run AS r WHERE r.state = 'running' GROUP BY r.tenant
    ), best AS (
        SELECT l.urgency, l.engine, l.tenant, coalesce(s.held, 0) AS held, $7::int - coalesce(s.worked, 0) AS room
        FROM lane AS l
        LEFT JOIN share AS s ON s.tenant = l.tenant
        CROSS JOIN LATERAL (
            SELECT r.created_at FROM run AS r
            WHERE {_FREE} AND r.urgency = l.urgency AND r.engine = l.engine AND r.tenant = l.tenant
            ORDER BY r.created_at LIMIT 1
        ) AS oldest
        WHERE l.engine = ANY($4::text[]) AND ($7::int IS NULL OR coalesce(s.worked, 0) < $7::int)
        ORDER BY l.urgency, coalesce(s.held, 0), oldest.created_at LIMIT {LANES}
    ), candidate AS (
        SELECT q.key, b.urgency, b.held + q.place - 1 AS held, q.created_at
        FROM best AS b CROSS JOIN LATERAL (
            SELECT r.key, r.created_at, row_number() OVER (ORDER BY r.created_at, r.key) AS place
            FROM run AS r
            WHERE {_FREE} AND r.urgency = b.urgency AND r.engine = b.engine AND r.tenant = b.tenant
            ORDER BY r.created_at, r.key LIMIT greatest(1, {CANDIDATES} / (SELECT count(*) FROM best))
        ) AS q
        WHERE b.room IS NULL OR q.place <= b.room
        UNION ALL
        SELECT r.key, r.urgency, coalesce(s.held, 0), r.created_at
        FROM run AS r LEFT JOIN share AS s ON s.tenant = r.tenant
        WHERE {_EXPIRED} AND NOT r.local AND r.engine = ANY($4::text[]) AND {NOW} >= $5::float8
            AND {expired}
    ), taken AS (
        SELECT r.key, r.reply, r.state AS was
        FROM candidate AS c JOIN run AS r ON r.key = c.key
        WHERE {_FREE} OR {_EXPIRED}
        ORDER BY c.urgency, c.held, c.created_at, c.key
        LIMIT $6::int
        FOR NO KEY UPDATE OF r SKIP LOCKED
    )
    UPDATE run AS r {_SET}
    FROM taken AS t JOIN asked AS a ON a.run = t.key
    WHERE r.key = t.key
    {_TOLD}
"""  # noqa: S608 constants


TAKE_TOP: Final = _best(
    beyond="r.urgency = l.urgency AND (r.engine, r.tenant) > (l.engine, l.tenant)",
    expired="r.urgency <= coalesce((SELECT min(l.urgency) FROM lane AS l), r.urgency)",
)
"""Looks into the lanes of the highest priority alone."""

TAKE_ANY: Final = _best(beyond="(r.urgency, r.engine, r.tenant) > (l.urgency, l.engine, l.tenant)", expired="true")

TAKE_NAMED: Final = f"""
    WITH taken AS (
        SELECT r.key, r.reply, r.state AS was FROM run AS r
        WHERE r.id = $5 AND r.engine = ANY($4::text[]) AND (r.state IN ('queued', 'waiting') OR {_EXPIRED})
        FOR NO KEY UPDATE
    )
    UPDATE run AS r {_SET}
    FROM taken AS t JOIN asked AS a ON a.run = t.key
    WHERE r.key = t.key
    {_TOLD}
"""  # noqa: S608 constants

_BEGIN: Final = f"""
    INSERT INTO step (run, seq, at, branch, type, compressed, body)
    SELECT a.run, 1, {NOW}, '', '{RunStarted.type}', a.compressed, a.body FROM asked AS a
    WHERE a.run = ANY($1::bigint[])
"""  # noqa: S608 constants

_RESUME: Final = f"""
    INSERT INTO step (run, seq, at, branch, type, compressed, body)
    SELECT c.run, c.seq, {NOW}, '', '{RunResumed.type}', c.compressed, c.body
    FROM unnest($1::bigint[], $2::int[], $3::bool[], $4::bytea[]) AS c(run, seq, compressed, body)
"""  # noqa: S608 constants


_ENDED: Final = RUN + " WHERE r.key = ANY($1::bigint[])"

_TURN: Final = 0x1EAD11E0
"""The lock under which claims come one after the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A wish for work; before `patient_until` (the database's time) no expired run is taken.

    `token` finds the runs again where the answer is lost. Of a tenant at most `most` runs of the
    queue are held at a time.
    """

    owner: str
    token: str
    lease: float
    engines: Sequence[str]
    attempts: int
    patient_until: float
    most: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What came of a claim: runs, the best first, and those that only their end was left for."""

    runs: Sequence[Run]
    ended: Sequence[Run]


async def take_best(connection: Connection, wish: Claim, count: int) -> Taken:
    """Take up to `count` runs, in a transaction.

    Where tenants have a most, claims come one after the other: two at once would each count without
    what the other takes. Lanes below the highest priority are looked into where that has nothing:
    others may have locked it.
    """
    if wish.most is not None:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _TURN)
    values = (wish.owner, wish.token, wish.lease, list(wish.engines), wish.patient_until)
    rows = await connection.fetch(TAKE_TOP, *values, count, wish.most)
    if len(rows) < count:
        rows += await connection.fetch(TAKE_ANY, *values, count - len(rows), wish.most)
    return await _begun(connection, rows, wish)


async def take_named(connection: Connection, wish: Claim, run_id: str) -> Taken:
    """Take one run, in a transaction."""
    rows = await connection.fetch(TAKE_NAMED, wish.owner, wish.token, wish.lease, list(wish.engines), run_id)
    return await _begun(connection, rows, wish)


async def _begun(connection: Connection, rows: Sequence[Row], wish: Claim) -> Taken:
    """Write the first event of each hold; a run whose workers died too often, or that was to be cancelled, is ended."""
    over = [row for row in rows if row["was"] == RunState.RUNNING and _is_over(row, wish.attempts)]
    for row in over:
        end = cancelled() if row["flag"] == Flag.CANCEL else exhausted(row["attempts"])
        await end_run(connection, row["key"], end)
    held = [row for row in rows if row not in over]
    fresh = [row["key"] for row in held if row["seq"] is None]
    if fresh:
        await connection.execute(_BEGIN, fresh)
    resumed = [(row["key"], row["seq"] + 1, *_resumed(row, wish.owner)) for row in held if row["seq"] is not None]
    if resumed:
        await connection.execute(_RESUME, *([columns[i] for columns in resumed] for i in range(4)))
    ended = await connection.fetch(_ENDED, [row["key"] for row in over]) if over else []
    return Taken(
        runs=[run_from({**row, "seq": (row["seq"] or 0) + 1}) for row in held], ended=[run_from(row) for row in ended]
    )


def _is_over(row: Row, attempts: int) -> bool:
    return bool(row["flag"] == Flag.CANCEL or row["attempts"] >= attempts)


def _resumed(row: Row, owner: str) -> tuple[bool, bytes]:
    reply = None if row["reply"] is None else orjson.loads(row["reply"])
    return Packer().pack(RunResumed(owner=owner, attempt=row["attempts"], engine=ENGINE, reply=reply))
