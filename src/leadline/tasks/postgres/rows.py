"""A run's row to the domain's `Run`."""

from __future__ import annotations

from typing import Final

from leadline.codec import decode
from leadline.domain import Failure, Flag, RunState, StopReason, Usage
from leadline.events import RunStarted
from leadline.ports import Run
from leadline.tasks.packing import Packer
from leadline.tasks.postgres.connection import Row

COLUMNS: Final = """
    r.key, r.id, r.tenant, r.state, r.engine, r.urgency, r.owner, r.lease_until, r.fence, r.attempts,
    r.flag, r.created_at, r.updated_at, r.stop_reason, r.report, r.failure, r.usage, r.waits_for
"""

RUN: Final = f"""
    SELECT {COLUMNS}, a.compressed, a.body, s.seq, s.at
    FROM run AS r
    JOIN asked AS a ON a.run = r.key
    LEFT JOIN LATERAL (
        SELECT t.seq, t.at FROM step AS t WHERE t.run = r.key ORDER BY t.seq DESC LIMIT 1
    ) AS s ON true
"""  # noqa: S608 constants
"""Selects what `run_from` reads; a WHERE clause on `r` (and `a`) follows."""


def started_of(row: Row) -> RunStarted:
    """Return what was asked, from the columns `compressed` and `body` of `asked`."""
    event = Packer().unpack(RunStarted.type, row["body"], compressed=row["compressed"])
    if not isinstance(event, RunStarted):
        raise TypeError(f"not the beginning of a run: {event.type}")
    return event


def run_from(row: Row) -> Run:
    """Return the run that a row of `RUN` describes."""
    asked = started_of(row)
    return Run(
        id=row["id"],
        tenant=row["tenant"],
        question=asked.question,
        options=asked.options,
        seed=asked.seed,
        state=RunState(row["state"]),
        engine=row["engine"],
        priority=-row["urgency"],
        created_at=row["created_at"],
        updated_at=max(row["updated_at"], row["at"] or 0.0),
        attempts=row["attempts"],
        fence=row["fence"],
        owner=row["owner"],
        lease_until=row["lease_until"],
        flag=None if row["flag"] is None else Flag(row["flag"]),
        last_seq=row["seq"] or 0,
        stop_reason=None if row["stop_reason"] is None else StopReason(row["stop_reason"]),
        report=row["report"],
        failure=None if row["failure"] is None else decode(Failure, row["failure"]),
        usage=Usage() if row["usage"] is None else decode(Usage, row["usage"]),
        waits_for=row["waits_for"],
        origin=asked.origin,
    )
