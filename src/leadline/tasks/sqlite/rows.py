"""A run's row to the domain's `Run`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from leadline.codec import decode
from leadline.domain import Failure, Flag, Options, Origin, Question, RunState, StopReason, Usage
from leadline.ports import Run

RUN = """
    SELECT r.id, r.tenant, r.state, r.engine, r.priority, r.owner, r.lease_until, r.fence,
        r.attempts, r.flag, r.created_at, max(r.updated_at, coalesce(s.at, 0)), r.stop_reason,
        r.report, r.failure, r.usage, r.waits_for, a.body, coalesce(s.seq, 0)
    FROM run AS r
    JOIN asked AS a ON a.run = r.key
    LEFT JOIN step AS s
        ON s.run = r.key AND s.seq = (SELECT max(t.seq) FROM step AS t WHERE t.run = r.key)
"""
"""Selects what `run_from` reads; a WHERE clause on `r` follows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The part of a run that never changes; apart from the row, which is rewritten often."""

    question: Question
    options: Options
    seed: int
    software: str
    origin: Origin = field(default_factory=Origin)


class _Row(NamedTuple):
    """The columns of `RUN`, in its order."""

    id: str
    tenant: str
    state: str
    engine: str
    priority: int
    owner: str | None
    lease_until: float | None
    fence: int
    attempts: int
    flag: str | None
    created_at: float
    updated_at: float
    stop_reason: str | None
    report: str | None
    failure: str | None
    usage: str | None
    waits_for: str | None
    asked: bytes
    last_seq: int


def run_from(columns: Iterable[Any]) -> Run:
    """Return the run that a row of `RUN` describes."""
    row = _Row._make(columns)
    asked = decode(Asked, row.asked)
    return Run(
        id=row.id,
        tenant=row.tenant,
        question=asked.question,
        options=asked.options,
        seed=asked.seed,
        state=RunState(row.state),
        engine=row.engine,
        priority=row.priority,
        created_at=row.created_at,
        updated_at=row.updated_at,
        attempts=row.attempts,
        fence=row.fence,
        owner=row.owner,
        lease_until=row.lease_until,
        flag=None if row.flag is None else Flag(row.flag),
        last_seq=row.last_seq,
        stop_reason=None if row.stop_reason is None else StopReason(row.stop_reason),
        report=row.report,
        failure=None if row.failure is None else decode(Failure, row.failure),
        usage=Usage() if row.usage is None else decode(Usage, row.usage),
        waits_for=row.waits_for,
        origin=asked.origin,
    )
