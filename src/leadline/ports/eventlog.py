"""The event log: what a store gives to be shipped, and where it is shipped to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from leadline.ports.runs import RunStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Fed:
    """A journal's row on its way out of the store.

    `place` is behind the row in the order of the feed, opaque and of one store. `body` is the
    event as JSON, `None` where the stored bytes are damaged.
    """

    place: str
    run_id: str
    tenant: str
    seq: int
    at: float
    branch: str
    type: str
    body: bytes | None


class Turn(NamedTuple):
    """The right to ship to one log: the fence of this holder, and behind which place to go on (`""`: the beginning)."""

    fence: int
    place: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Lag:
    """How far a log is behind the journal.

    `rows` are those that are not shipped yet, counted up to `LAG_ROWS`; `seconds` is the age of the
    oldest of them, 0 where there is none.
    """

    rows: int = 0
    seconds: float = 0.0


LAG_ROWS = 100_000
"""Rows up to which a backlog is counted."""


class EventFeed(Protocol):
    """A run store as the outbox of event logs. All methods raise `StoreUnavailable`.

    The feed holds the rows of all runs, a run's own in order. A row is in it only when no row can
    come before it any more: who goes on behind the last place misses none.
    """

    async def feed(self, after: str, *, limit: int) -> Sequence[Fed]:
        """Return about `limit` rows behind the place `after`; rows may be given again, with the same run and `seq`.

        A row that is given again stands before rows of its run that were not given yet.
        """
        ...

    async def ship(self, log: str, owner: str, *, lease: float) -> Turn | None:
        """Take the right to ship to `log`, or renew it; `None` while another owner has it.

        By the store's clock. Taking it raises the fence.
        """
        ...

    async def shipped(self, log: str, turn: Turn, *, lease: float) -> None:
        """Note that everything up to the turn's place is in `log`, and renew. Raises `LeaseLost` for an old fence."""
        ...

    async def release(self, log: str, turn: Turn) -> None:
        """Let another owner ship at once."""
        ...

    async def lag(self, log: str) -> Lag:
        """Return how far `log` is behind."""
        ...


class Store(RunStore, EventFeed, Protocol):
    """A run store with its feed: what both databases are."""


class Message(NamedTuple):
    """What is written to a log: the key keeps what belongs together in order."""

    key: bytes
    value: bytes


class EventSink(Protocol):
    """A log that others read."""

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Write all, in order, and return when all are kept there.

        Where it raises, any beginning of them may have been written, and the whole is delivered again.
        Raises `StoreUnavailable`, `StoreFull`, and `StoreError` for what the log refuses for good.
        """
        ...
