"""Runs and their journals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from leadline.domain import (
    Failure,
    Flag,
    Options,
    Question,
    RunState,
    StopReason,
    Usage,
)
from leadline.events import Entry, Record


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRun:
    """A run to be stored. `seed` fixes all that is random in it."""

    id: str
    tenant: str
    question: Question
    options: Options
    seed: int
    priority: int = 0
    software: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A run's row: what a listing shows and a worker needs. Times are Unix seconds."""

    id: str
    tenant: str
    question: Question
    options: Options
    seed: int
    state: RunState
    engine: str
    priority: int
    created_at: float
    updated_at: float
    attempts: int
    fence: int
    owner: str | None = None
    lease_until: float | None = None
    flag: Flag | None = None
    last_seq: int = 0
    stop_reason: StopReason | None = None
    report: str | None = None
    failure: Failure | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True, slots=True)
class Beat:
    """What a heartbeat tells a worker of one run that it holds.

    `fence` is the run's present fence: another than one's own means that the run was lost.
    """

    run_id: str
    fence: int
    lease_until: float
    flag: Flag | None


class RunStore(Protocol):
    """Runs and their journals: rows that only grow, behind a lease and a fence.

    The clock of leases is the store's own. Every append carries the fence that its claim
    returned and is refused (`LeaseLost`) once another claim raised it. A run's state changes only
    together with `run_started`, `run_waiting`, `run_handed_over`, `run_resumed` and
    `run_finished`, in one transaction. All methods raise `StoreUnavailable` or `StoreFull` when
    the store fails.
    """

    async def create(self, new: NewRun, *, owner: str | None = None, lease: float = 30.0) -> Run:
        """Store a run; with `owner` it is claimed at once, and no other worker adopts it from the queue.

        Returns the row; claimed, its journal holds `run_started`.
        """
        ...

    async def claim(self, owner: str, *, lease: float, engines: Sequence[str], run_id: str | None = None) -> Run | None:
        """Take the best queued run, or a running one whose lease ran out; `None` where there is none.

        Best is by priority, then by the tenant's share, then by age. `engines` are the event
        versions that the caller understands. `run_id` asks for that run alone: a waiting or a
        locally owned run is taken up only this way. Appends `run_started`, or `run_resumed` where
        the journal has begun. Taking over an expired lease counts as an attempt.
        """
        ...

    async def beat(self, owner: str, *, lease: float) -> Sequence[Beat]:
        """Renew the leases of all runs that `owner` holds, also expired ones whose fence stands, and report on them."""
        ...

    async def flags(self, owner: str) -> Mapping[str, Flag]:
        """Return the flags of the runs that `owner` holds: a quick look between heartbeats."""
        ...

    async def append(self, run_id: str, fence: int, entries: Sequence[Entry]) -> int:
        """Write entries, in order and all or none, durable on return; return the last `seq`.

        `run_finished`, `run_waiting` and `run_handed_over` change the state with it.
        """
        ...

    async def records(self, run_id: str, *, after: int = 0, limit: int = 10_000) -> Sequence[Record]:
        """Return up to `limit` records with `seq > after`, in order."""
        ...

    async def get(self, run_id: str, *, tenant: str) -> Run:
        """Return the row. Raises `UnknownRun`, also for another tenant's run."""
        ...

    async def runs(
        self, *, tenant: str, state: RunState | None = None, before: float | None = None, limit: int = 50
    ) -> Sequence[Run]:
        """Return a tenant's runs, newest first, created before `before`."""
        ...

    async def flag(self, run_id: str, flag: Flag, *, tenant: str) -> Run:
        """Raise a flag; a run that nobody holds is ended by the store itself for `cancel`.

        Returns the row after. Raises `UnknownRun`, `WrongState` for an ended run.
        """
        ...

    async def changed(self, seen: int, *, timeout: float) -> int:  # noqa: ASYNC109 it returns then, it does not raise
        """Return the store's change counter once it differs from `seen`, or after `timeout` seconds.

        Changes of every process count; a fresh caller passes -1.
        """
        ...

    async def delete(self, run_id: str, *, tenant: str) -> None:
        """Forget an ended run and its journal. Raises `UnknownRun`, `WrongState`."""
        ...
