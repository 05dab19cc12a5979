"""What can be done to runs, each within the writer's transaction.

A verb raises its refusal before it writes anything, or is rolled back to its savepoint.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from leadline.codec import decode, encode
from leadline.domain import Flag, Json, RunState
from leadline.errors import UnknownRun, WrongState
from leadline.events import ENGINE, RunResumed, RunStarted
from leadline.ports import Beat, NewRun, Run
from leadline.tasks.appends import cancelled, exhausted
from leadline.tasks.sqlite.journal import add_step, end_run
from leadline.tasks.sqlite.rows import RUN, Asked, run_from
from leadline.tasks.sqlite.schema import NOW


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A wish for work; before `patient_until` (the database's time) no expired run is taken.

    Of a tenant at most `most` runs of the queue are held at a time.
    """

    owner: str
    lease: float
    engines: Sequence[str]
    run_id: str | None
    attempts: int
    patient_until: float
    most: int | None = None


class Claimed(NamedTuple):
    """What came of a claim: a run, and those that only their end was left for."""

    run: Run | None
    ended: Sequence[Run]


class _Taken(NamedTuple):
    key: int
    id: str
    attempts: int


# No two runs of a tenant have one time of creation, so that listings can go on behind it.
_CREATE = f"""
    INSERT INTO run (id, tenant, state, engine, priority, local, owner, lease_until, fence,
        created_at, updated_at)
    VALUES (:id, :tenant, :state, :engine, :priority, :local, :owner, {NOW} + :lease, :fence,
        max({NOW}, coalesce(
            (SELECT max(created_at) FROM run WHERE tenant = :tenant) + 0.000001, 0.0)), {NOW})
    RETURNING key
"""  # noqa: S608 constants

_TAKE = f"""
    UPDATE run SET owner = :owner, lease_until = {NOW} + :lease, fence = fence + 1,
        attempts = attempts + (state = 'running'), state = 'running', waits_for = NULL,
        updated_at = {NOW}
"""  # noqa: S608 constants

# Candidates are each tenant's oldest queued run of the best priority, and the expired ones; of
# these, by priority, the tenant that holds least, then age.
_QUEUED = """
    FROM run
    WHERE state = 'queued' AND local = 0 AND engine IN (SELECT value FROM json_each(:engines))
        AND (:most IS NULL OR tenant NOT IN (
            SELECT tenant FROM run WHERE state = 'running' AND local = 0 GROUP BY tenant HAVING count(*) >= :most))
"""

_TAKE_BEST = f"""
    {_TAKE}
    WHERE key = (
        SELECT c.key
        FROM (
            SELECT key, tenant, priority, min(created_at) AS created_at {_QUEUED}
                AND priority = (SELECT priority {_QUEUED} ORDER BY priority DESC LIMIT 1)
            GROUP BY tenant
            UNION ALL
            SELECT key, tenant, priority, created_at FROM run
            WHERE state = 'running' AND local = 0
                AND engine IN (SELECT value FROM json_each(:engines))
                AND lease_until <= {NOW} AND :patient_until <= {NOW}
        ) AS c
        LEFT JOIN (
            SELECT tenant, count(*) AS held FROM run WHERE state = 'running' GROUP BY tenant
        ) AS h ON h.tenant = c.tenant
        ORDER BY c.priority DESC, coalesce(h.held, 0), c.created_at, c.key
        LIMIT 1
    )
    RETURNING key, id, attempts
"""  # noqa: S608 constants

_TAKE_NAMED = f"""
    {_TAKE}
    WHERE id = :run_id
        AND engine IN (SELECT value FROM json_each(:engines))
        AND (state IN ('queued', 'waiting') OR (state = 'running' AND lease_until <= {NOW}))
    RETURNING key, id, attempts
"""  # noqa: S608 constants

_EXHAUSTED = f"""
    SELECT key, flag FROM run
    WHERE state = 'running' AND lease_until <= {NOW}
        AND (flag = 'cancel' OR attempts + 1 >= :attempts)
        AND CASE WHEN :run_id IS NULL THEN local = 0 AND :patient_until <= {NOW}
            ELSE id = :run_id END
"""  # noqa: S608 constants


def create(connection: sqlite3.Connection, new: NewRun, *, owner: str | None, lease: float) -> Run:
    """Store a run, claimed at once where it has an owner. Raises `WrongState` for a used id."""
    asked = Asked(question=new.question, options=new.options, seed=new.seed, software=new.software, origin=new.origin)
    claimed = owner is not None
    state = RunState.RUNNING if claimed else RunState.QUEUED
    try:
        ((key,),) = connection.execute(
            _CREATE,
            {
                "id": new.id,
                "tenant": new.tenant,
                "state": state,
                "engine": ENGINE,
                "priority": new.priority,
                "local": claimed,
                "owner": owner,
                "lease": lease if claimed else None,
                "fence": int(claimed),
            },
        ).fetchall()
    except sqlite3.IntegrityError as error:
        raise WrongState(f"a run with this id exists already: {new.id}") from error
    connection.execute("INSERT INTO asked (run, body) VALUES (?, ?)", (key, encode(asked)))
    if claimed:
        _start(connection, key)
    return _run(connection, key)


def claim(connection: sqlite3.Connection, wish: Claim) -> Claimed:
    """Take a run; first end those whose workers died too often or that were to be cancelled."""
    values = {
        "owner": wish.owner,
        "lease": wish.lease,
        "engines": orjson.dumps(list(wish.engines)).decode(),
        "run_id": wish.run_id,
        "attempts": wish.attempts,
        "patient_until": wish.patient_until,
        "most": wish.most,
    }
    ended = [_given_up(connection, key, flag) for key, flag in connection.execute(_EXHAUSTED, values).fetchall()]
    take = _TAKE_BEST if wish.run_id is None else _TAKE_NAMED
    rows = connection.execute(take, values).fetchall()
    if not rows:
        return Claimed(None, ended)
    taken = _Taken._make(rows[0])
    if connection.execute("SELECT 1 FROM step WHERE run = ? LIMIT 1", (taken.key,)).fetchone():
        reply = _taken_reply(connection, taken.key)
        resumed = RunResumed(owner=wish.owner, attempt=taken.attempts, engine=ENGINE, reply=reply)
        add_step(connection, taken.key, resumed)
    else:
        _start(connection, taken.key)
    return Claimed(_run(connection, taken.key), ended)


def beat(connection: sqlite3.Connection, owner: str, lease: float) -> list[Beat]:
    """Renew all leases of `owner`."""
    connection.execute(
        f"UPDATE run SET lease_until = {NOW} + ? WHERE owner = ? AND state = 'running'",  # noqa: S608 NOW is a constant
        (lease, owner),
    )
    (held,) = connection.execute(
        "SELECT json_group_array(json_array(id, fence, lease_until, flag)) FROM run"
        " WHERE owner = ? AND state = 'running'",
        (owner,),
    ).fetchone()
    return [
        Beat(
            run_id=run_id,
            fence=fence,
            lease_until=lease_until,
            flag=None if flag is None else Flag(flag),
        )
        for run_id, fence, lease_until, flag in orjson.loads(held)
    ]


def raise_flag(connection: sqlite3.Connection, run_id: str, flag: Flag, *, tenant: str) -> Run:
    """Raise a flag; `cancel` ends a run that nobody holds, and is never lowered to `finish`."""
    row = connection.execute(
        f"SELECT key, state, coalesce(lease_until > {NOW}, 0) FROM run WHERE id = ? AND tenant = ?",  # noqa: S608 NOW is a constant
        (run_id, tenant),
    ).fetchone()
    if row is None:
        raise UnknownRun(f"no such run: {run_id}")
    key, state, held = row
    if RunState(state).ended:
        raise WrongState(f"run {run_id} has ended: {state}")
    connection.execute(
        f"UPDATE run SET flag = ?, updated_at = {NOW} WHERE key = ? AND flag IS NOT 'cancel'",  # noqa: S608 NOW is a constant
        (flag, key),
    )
    if flag is Flag.CANCEL and not held:
        end_run(connection, key, cancelled())
    return _run(connection, key)


def answer(connection: sqlite3.Connection, run_id: str, reply: Mapping[str, Json], *, tenant: str) -> Run:
    """Keep a person's reply for the next claim, and queue the run that waited for it."""
    row = connection.execute("SELECT key, state FROM run WHERE id = ? AND tenant = ?", (run_id, tenant)).fetchone()
    if row is None:
        raise UnknownRun(f"no such run: {run_id}")
    key, state = row
    if state != RunState.WAITING:
        raise WrongState(f"run {run_id} does not wait for a person: it is {state}")
    connection.execute(
        f"UPDATE run SET state = 'queued', waits_for = NULL, reply = ?, updated_at = {NOW} WHERE key = ?",  # noqa: S608 NOW is a constant
        (encode(dict(reply)).decode(), key),
    )
    return _run(connection, key)


def forget(connection: sqlite3.Connection, run_id: str, tenant: str) -> None:
    """Delete an ended run and its journal."""
    row = connection.execute("SELECT key, state FROM run WHERE id = ? AND tenant = ?", (run_id, tenant)).fetchone()
    if row is None:
        raise UnknownRun(f"no such run: {run_id}")
    key, state = row
    if not RunState(state).ended:
        raise WrongState(f"run {run_id} is {state}; cancel it first")
    connection.execute("DELETE FROM step WHERE run = ?", (key,))
    connection.execute("DELETE FROM asked WHERE run = ?", (key,))
    connection.execute("DELETE FROM run WHERE key = ?", (key,))


def _taken_reply(connection: sqlite3.Connection, key: int) -> dict[str, Json] | None:
    """Return the reply that waits for this claim, which alone is to have it."""
    (kept,) = connection.execute("SELECT reply FROM run WHERE key = ?", (key,)).fetchone()
    if kept is None:
        return None
    connection.execute("UPDATE run SET reply = NULL WHERE key = ?", (key,))
    reply: dict[str, Json] = orjson.loads(kept)
    return reply


def _start(connection: sqlite3.Connection, key: int) -> None:
    body, engine = connection.execute(
        "SELECT a.body, r.engine FROM asked AS a JOIN run AS r ON r.key = a.run WHERE a.run = ?",
        (key,),
    ).fetchone()
    asked = decode(Asked, body)
    started = RunStarted(
        question=asked.question,
        options=asked.options,
        seed=asked.seed,
        engine=engine,
        software=asked.software,
        origin=asked.origin,
    )
    add_step(connection, key, started)


def _given_up(connection: sqlite3.Connection, key: int, flag: str | None) -> Run:
    if flag == Flag.CANCEL:
        end_run(connection, key, cancelled())
        return _run(connection, key)
    ((attempts,),) = connection.execute(
        "UPDATE run SET attempts = attempts + 1 WHERE key = ? RETURNING attempts", (key,)
    ).fetchall()
    end_run(connection, key, exhausted(attempts))
    return _run(connection, key)


def _run(connection: sqlite3.Connection, key: int) -> Run:
    return run_from(connection.execute(RUN + " WHERE r.key = ?", (key,)).fetchone())
