"""What can be done to runs beside claiming and appending, each in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import asyncpg

from leadline.codec import encode
from leadline.domain import Flag, Json, RunState
from leadline.errors import UnknownRun, WrongState
from leadline.events import ENGINE, RunHandedOver, RunStarted
from leadline.ports import FLAGS, QUEUE, Beat, NewRun, Run
from leadline.tasks.appends import cancelled
from leadline.tasks.packing import Packer, folded
from leadline.tasks.postgres.connection import Connection, Row
from leadline.tasks.postgres.database import CHANNEL, NOW
from leadline.tasks.postgres.journal import add_step, end_run
from leadline.tasks.postgres.rows import RUN, run_from

_CREATE: Final = f"""
    WITH made AS (
        INSERT INTO run (id, tenant, state, engine, urgency, local, owner, claim, lease_until, fence,
            created_at, updated_at)
        SELECT $1, $2, CASE WHEN o.claimed THEN 'running' ELSE 'queued' END, $3, $4, o.claimed, $5, $6,
            CASE WHEN o.claimed THEN {NOW} + $7::float8 END, o.claimed::int, {NOW}, {NOW}
        FROM (SELECT $5::text IS NOT NULL AS claimed) AS o
        RETURNING *
    ), kept AS (
        INSERT INTO asked (run, compressed, body, folded) SELECT m.key, $8, $9, $10 FROM made AS m
    ), begun AS (
        INSERT INTO step (run, seq, at, branch, type, compressed, body)
        SELECT m.key, 1, m.created_at, '', '{RunStarted.type}', $8, $9 FROM made AS m WHERE m.local
    )
    SELECT m.*, CASE WHEN m.local THEN 1 END AS seq, m.created_at AS at, $8::bool AS compressed, $9::bytea AS body,
        pg_notify('{CHANNEL}', CASE WHEN m.local THEN m.id ELSE '{QUEUE}' END)
    FROM made AS m
"""  # noqa: S608 constants

_BEAT: Final = f"""
    WITH held AS (
        SELECT r.key FROM run AS r WHERE r.owner = $1 AND r.state = 'running' ORDER BY r.key FOR NO KEY UPDATE
    )
    UPDATE run AS r SET lease_until = {NOW} + $2::float8 FROM held AS h WHERE r.key = h.key
    RETURNING r.id, r.fence, r.lease_until, r.flag
"""  # noqa: S608 constants

_RELEASE: Final = f"""
    UPDATE run SET state = 'queued', owner = NULL, lease_until = NULL, updated_at = {NOW}
    WHERE owner = $1 AND claim = $2 AND state = 'running'
    RETURNING key, pg_notify('{CHANNEL}', '{QUEUE}')
"""  # noqa: S608 constants


async def create(connection: Connection, new: NewRun, *, owner: str | None, lease: float, token: str) -> Run:
    """Store a run, claimed at once where it has an owner. Raises `WrongState` for a used id."""
    started = RunStarted(
        question=new.question,
        options=new.options,
        seed=new.seed,
        engine=ENGINE,
        software=new.software,
        origin=new.origin,
    )
    compressed, body = Packer().pack(started)
    words = folded(new.question.text)
    values = (new.id, new.tenant, ENGINE, -new.priority, owner, token, lease, compressed, body, words)
    try:
        (row,) = await connection.fetch(_CREATE, *values)
    except asyncpg.UniqueViolationError as error:
        raise WrongState(f"a run with this id exists already: {new.id}") from error
    return run_from(row)


async def beat(connection: Connection, owner: str, lease: float) -> list[Beat]:
    """Renew all leases of `owner`."""
    return [
        Beat(
            run_id=row["id"],
            fence=row["fence"],
            lease_until=row["lease_until"],
            flag=None if row["flag"] is None else Flag(row["flag"]),
        )
        for row in await connection.fetch(_BEAT, owner, lease)
    ]


async def release(connection: Connection, owner: str, token: str) -> None:
    """Give back the run that a claim took whose answer was lost, if it took one; in a transaction."""
    for row in await connection.fetch(_RELEASE, owner, token):
        await add_step(connection, row["key"], RunHandedOver(owner=owner, reason="the answer to the claim was lost"))


async def raise_flag(connection: Connection, run_id: str, flag: Flag, *, tenant: str) -> Run:
    """Raise a flag; `cancel` ends a run that nobody holds, and is never lowered to `finish`."""
    row = await _locked(connection, run_id, tenant)
    if RunState(row["state"]).ended:
        raise WrongState(f"run {run_id} has ended: {row['state']}")
    await connection.execute(
        f"UPDATE run SET flag = $2, updated_at = {NOW} WHERE key = $1 AND flag IS DISTINCT FROM 'cancel'",  # noqa: S608 constants
        *(row["key"], flag),
    )
    if flag is Flag.CANCEL and not row["held"]:
        await end_run(connection, row["key"], cancelled())
    await connection.execute("SELECT pg_notify($1, $2), pg_notify($1, $3)", CHANNEL, FLAGS, run_id)
    return await _run(connection, row["key"])


async def answer(connection: Connection, run_id: str, reply: Mapping[str, Json], *, tenant: str) -> Run:
    """Queue a waiting run again, with what a person answered."""
    row = await _locked(connection, run_id, tenant)
    if row["state"] != RunState.WAITING:
        raise WrongState(f"run {run_id} does not wait for a person: it is {row['state']}")
    await connection.execute(
        f"UPDATE run SET state = 'queued', reply = $2, waits_for = NULL, updated_at = {NOW} WHERE key = $1",  # noqa: S608 constants
        *(row["key"], encode(dict(reply)).decode()),
    )
    await connection.execute("SELECT pg_notify($1, $2), pg_notify($1, $3)", CHANNEL, QUEUE, run_id)
    return await _run(connection, row["key"])


async def forget(connection: Connection, run_id: str, *, tenant: str) -> None:
    """Delete an ended run and its journal."""
    row = await _locked(connection, run_id, tenant)
    if not RunState(row["state"]).ended:
        raise WrongState(f"run {run_id} is {row['state']}; cancel it first")
    for statement in (
        "DELETE FROM step WHERE run = $1",
        "DELETE FROM asked WHERE run = $1",
        "DELETE FROM run WHERE key = $1",
    ):
        await connection.execute(statement, row["key"])
    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, run_id)


async def _locked(connection: Connection, run_id: str, tenant: str) -> Row:
    """Return a run's key and state, its row locked. Raises `UnknownRun`."""
    row = await connection.fetchrow(
        f"SELECT key, state, coalesce(lease_until > {NOW}, false) AS held FROM run"  # noqa: S608 constants
        " WHERE id = $1 AND tenant = $2 FOR NO KEY UPDATE",
        *(run_id, tenant),
    )
    if row is None:
        raise UnknownRun(f"no such run: {run_id}")
    return row


async def _run(connection: Connection, key: int) -> Run:
    (row,) = await connection.fetch(RUN + " WHERE r.key = $1", key)
    return run_from(row)
