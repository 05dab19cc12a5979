"""Appending to journals: fence checked, numbered without gaps, many runs in few statements.

Python gives the interpreter lock back around every SQL statement and, beside a busy event loop,
waits for it again up to 5 ms. Hence a whole group of appends costs one look and a few inserts of
many rows, however many runs they belong to.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from leadline.codec import encode
from leadline.domain import Flag, RunState, Usage
from leadline.errors import LeaseLost
from leadline.events import Event, RunFinished, RunHandedOver, RunWaiting
from leadline.tasks.appends import Append, Closing, cancelled
from leadline.tasks.packing import Packer
from leadline.tasks.sqlite.schema import NOW


class Place(NamedTuple):
    """A running run's row key, present fence and last number."""

    key: int
    fence: int
    seq: int


_PLACES = """
    SELECT json_group_array(json_array(r.id, r.key, r.fence, coalesce(
        (SELECT max(s.seq) FROM step AS s WHERE s.run = r.key), 0)))
    FROM json_each(?) AS j CROSS JOIN run AS r ON r.id = j.value
    WHERE r.state = 'running'
"""
_INSERT = "INSERT INTO step (run, seq, at, branch, type, compressed, body) VALUES "
_CHUNKS = (64, 16, 4, 1)


def append_all(connection: sqlite3.Connection, appends: Sequence[Append]) -> list[int | LeaseLost]:
    """Append in order; return for each its last `seq`, or the refusal.

    What is refused is refused before anything of it is written.
    """
    places = _places(connection, {append.run_id for append in appends})
    results: list[int | LeaseLost] = []
    rows: list[tuple[object, ...]] = []
    for append in appends:
        place = places.get(append.run_id)
        if place is None or place.fence != append.fence:
            results.append(_refusal(append, place))
            continue
        seq = place.seq
        for step in append.steps:
            seq += 1
            rows.append((place.key, seq, *step))
        places[append.run_id] = place._replace(seq=seq)
        results.append(seq)
    _insert(connection, rows)
    return results


def append_closing(connection: sqlite3.Connection, append: Append, event: Closing) -> int:
    """Append entries of which the last changes the run's state. Raises `LeaseLost`."""
    (result,) = append_all(connection, [append])
    if isinstance(result, LeaseLost):
        raise result
    if isinstance(event, RunFinished):
        _close(connection, append.run_id, event)
    else:
        _let_go(connection, append, event)
    return result


def end_run(connection: sqlite3.Connection, key: int, event: RunFinished) -> None:
    """End a run that nobody holds, raising its fence so that no late owner can write."""
    connection.execute("UPDATE run SET fence = fence + 1 WHERE key = ?", (key,))
    add_step(connection, key, event)
    (run_id,) = connection.execute("SELECT id FROM run WHERE key = ?", (key,)).fetchone()
    _close(connection, run_id, event)


def add_step(connection: sqlite3.Connection, key: int, event: Event) -> int:
    """Append an event of the store's own, at the database's time; return its `seq`."""
    compressed, body = Packer().pack(event)
    row = connection.execute(
        "INSERT INTO step (run, seq, at, branch, type, compressed, body) VALUES "  # noqa: S608 NOW is a constant
        f"(?1, coalesce((SELECT max(seq) FROM step WHERE run = ?1), 0) + 1, {NOW}, '', ?2, ?3, ?4)"
        " RETURNING seq",
        (key, event.type, compressed, body),
    ).fetchall()
    return int(row[0][0])


def _places(connection: sqlite3.Connection, run_ids: set[str]) -> dict[str, Place]:
    (found,) = connection.execute(_PLACES, (orjson.dumps(sorted(run_ids)).decode(),)).fetchone()
    return {run_id: Place._make(rest) for run_id, *rest in orjson.loads(found)}


def _refusal(append: Append, place: Place | None) -> LeaseLost:
    why = "does not run" if place is None else f"is at fence {place.fence} now"
    return LeaseLost(f"run {append.run_id} {why}: an append of fence {append.fence} is refused")


def _insert(connection: sqlite3.Connection, rows: list[tuple[object, ...]]) -> None:
    """Insert in chunks of few sizes, so that the prepared statements are found again."""
    start = 0
    while start < len(rows):
        size = next(size for size in _CHUNKS if size <= len(rows) - start)
        chunk = rows[start : start + size]
        values = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * size)
        connection.execute(_INSERT + values, [value for row in chunk for value in row])
        start += size


def _close(connection: sqlite3.Connection, run_id: str, event: RunFinished) -> None:
    failure = None if event.failure is None else encode(event.failure).decode()
    usage = None if event.usage == Usage() else encode(event.usage).decode()
    connection.execute(
        "UPDATE run SET state = ?, stop_reason = ?, report = ?, failure = ?, usage = ?,"  # noqa: S608 NOW is a constant
        f" owner = NULL, lease_until = NULL, waits_for = NULL, updated_at = {NOW} WHERE id = ?",
        (event.state, event.stop_reason, event.report, failure, usage, run_id),
    )


def _let_go(connection: sqlite3.Connection, append: Append, event: RunWaiting | RunHandedOver) -> None:
    """Leave the run to a person or another worker; one that is to be cancelled ends here."""
    state = RunState.WAITING if isinstance(event, RunWaiting) else RunState.QUEUED
    reason = event.reason if isinstance(event, RunWaiting) else None
    ((key, flag),) = connection.execute(
        "UPDATE run SET state = ?, waits_for = ?, owner = NULL, lease_until = NULL,"  # noqa: S608 NOW is a constant
        f" updated_at = {NOW} WHERE id = ? RETURNING key, flag",
        (state, reason, append.run_id),
    ).fetchall()
    if flag == Flag.CANCEL:
        end_run(connection, key, cancelled())
