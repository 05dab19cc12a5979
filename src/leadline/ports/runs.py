"""Runs and their journals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from leadline.domain import (
    Failure,
    Flag,
    Json,
    Options,
    Origin,
    Question,
    RunState,
    StopReason,
    Usage,
)
from leadline.events import Entry, Record

QUEUE: Final = ":queue"
"""What `RunStore.changed` is asked for by idle slots: a run may have become claimable."""

FLAGS: Final = ":flags"
"""What `RunStore.changed` is asked for by workers: a person may have raised a flag."""


class Cursor(NamedTuple):
    """A place in a listing that is newest first: what follows is older, or as old with a smaller id."""

    created_at: float
    run_id: str


MOST_PRIORITY: Final = 10
"""The priority of a run lies between this and its negative."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRun:
    """A run to be stored. `seed` fixes all that is random in it. Of runs that wait more `priority` goes first."""

    id: str
    tenant: str
    question: Question
    options: Options
    seed: int
    priority: int = 0
    software: str = ""
    origin: Origin = field(default_factory=Origin)


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
    waits_for: str | None = None
    origin: Origin = field(default_factory=Origin)

    @property
    def cursor(self) -> Cursor:
        """The run's place in a listing."""
        return Cursor(self.created_at, self.id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Depth:
    """How many runs have not ended, and how long work waits: what queues are scaled and limited by.

    `claimable` are those that any worker may take now: queued and owned by no process of their own,
    or with an expired lease. `oldest` is for how many seconds the oldest claimable queued run has
    been queued, `None` where there is none.
    """

    claimable: int = 0
    queued: int = 0
    running: int = 0
    waiting: int = 0
    oldest: float | None = None

    @classmethod
    def total(cls, depths: Iterable[Depth]) -> Depth:
        """Return the sum of several tenants' depths."""
        parts = list(depths)
        return cls(
            claimable=sum(part.claimable for part in parts),
            queued=sum(part.queued for part in parts),
            running=sum(part.running for part in parts),
            waiting=sum(part.waiting for part in parts),
            oldest=max((part.oldest for part in parts if part.oldest is not None), default=None),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Beat:
    """What a heartbeat tells a worker of one run that it holds.

    `fence` is the run's present fence: another than one's own means that the run was lost.
    """

    run_id: str
    fence: int
    lease_until: float
    flag: Flag | None


class RunFigures(Protocol):
    """What operators and limits ask of the runs as a whole. All methods raise `StoreUnavailable`."""

    async def depth(self, *, tenant: str | None = None) -> Depth:
        """Return how much waits and runs, of one tenant or of all."""
        ...

    async def depths(self) -> Mapping[str, Depth]:
        """Return the same for each tenant that has runs which have not ended."""
        ...

    async def ended(self, *, before: float, tenant: str | None = None, limit: int = 500) -> Sequence[Run]:
        """Return runs that ended before `before` (Unix seconds), the longest ended first: what retention deletes."""
        ...


class RunStore(RunFigures, Protocol):
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

    async def get(self, run_id: str, *, tenant: str | None) -> Run:
        """Return the row, whosever it is without a tenant. Raises `UnknownRun`, also for another tenant's run."""
        ...

    async def runs(
        self,
        *,
        tenant: str | None,
        state: RunState | None = None,
        before: Cursor | None = None,
        search: str = "",
        limit: int = 50,
    ) -> Sequence[Run]:
        """Return a tenant's runs, or everybody's, newest first, from behind the place `before` on.

        Of `search` every word must occur in the question, in any case, also within a word.
        """
        ...

    async def flag(self, run_id: str, flag: Flag, *, tenant: str) -> Run:
        """Raise a flag; a run that nobody holds is ended by the store itself for `cancel`.

        Returns the row after. Raises `UnknownRun`, `WrongState` for an ended run.
        """
        ...

    async def reply(self, run_id: str, reply: Mapping[str, Json], *, tenant: str) -> Run:
        """Answer a waiting run: it is queued again, and the `run_resumed` of its next claim carries `reply`.

        Returns the row. Raises `UnknownRun`, `WrongState` for a run that does not wait.
        """
        ...

    async def changed(self, seen: int, *, timeout: float, of: str | None = None) -> int:  # noqa: ASYNC109 it returns then, it does not raise
        """Return the store's change counter once it differs from `seen`, or after `timeout` seconds.

        Changes of every process count; a fresh caller passes -1. `of` narrows it to what may concern
        one run (its id), the `QUEUE` or `FLAGS`; a store that cannot tell returns for any change.
        """
        ...

    async def delete(self, run_id: str, *, tenant: str) -> None:
        """Forget an ended run and its journal. Raises `UnknownRun`, `WrongState`."""
        ...
