"""What is let in: one question with one typed answer, asked by service, gateway and balancer alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeAlias

from leadline.domain import RunState, Usage


class Wanted(StrEnum):
    """What somebody wants to do."""

    REQUEST = "request"  # any request: only rates count
    RUN = "run"  # start a run: rates, size, runs side by side, budgets
    CALL = "call"  # one call of a model through the gateway: rates and budgets


class InboundLimit(StrEnum):
    """Which limit refused."""

    KEY_RATE = "key_rate"  # requests a second of one key
    RATE = "rate"  # requests a second of everybody
    QUESTION_SIZE = "question_size"  # characters of one question
    KEY_RUNS = "key_runs"  # unended runs of one key, running or waiting
    KEY_WAITING = "key_waiting"  # waiting runs of one key
    RUNS = "runs"  # unended runs of everybody
    WAITING = "waiting"  # waiting runs of everybody
    TENANT_TOKENS = "tenant_tokens"  # tokens of a tenant in a day
    TENANT_USD = "tenant_usd"  # US dollars of a tenant in a day


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What is to be let in.

    `id` is the run's id, or one of a call's own: asked again for the same id, the answer is the
    first one. `tokens` and `usd` are what was asked for: so much, or a refusal. Where nothing was,
    it is content with less than `usual_tokens` and `usual_usd`, what is set for everybody.
    """

    tenant: str
    key: str
    wanted: Wanted = Wanted.REQUEST
    id: str = ""
    characters: int = 0
    tokens: int | None = None
    usd: float | None = None
    usual_tokens: int | None = None
    usual_usd: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Admitted:
    """It may go on, and use so much: `None` has no bound. What it used is told by `settle`."""

    tokens: int | None = None
    usd: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """It may not: the HTTP status to answer, and when to try again, where that would help."""

    limit: InboundLimit
    status: int
    message: str
    retry_after: float | None = None


Answer: TypeAlias = Admitted | Refused


class Admission(Protocol):
    """Decides what is let in."""

    async def admit(self, wish: Wish) -> Answer:
        """Let it in, setting aside what it may use, or say which limit refuses."""
        ...

    async def settle(self, wish_id: str, *, tokens: int, usd: float) -> None:
        """Say what a run or a call has used, ended as it may have; the first word counts."""
        ...

    async def reconcile(self, *, key: str | None = None) -> int:
        """Compare what is set aside with the runs themselves, and settle what has ended; return how many had."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """Limits over what is under way and what was used; `None`: there is none.

    `run_share` is how much of a day's budget (above 0, to 1) a wish gets at most that asked for no
    amount: one of them must not keep the others out.
    """

    key_runs: int | None = None
    key_waiting: int | None = None
    runs: int | None = None
    waiting: int | None = None
    tokens_per_day: int | None = None
    usd_per_day: float | None = None
    run_share: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """What is set aside for a run or a call that has not ended. `waiting`: no worker has it yet."""

    id: str
    tenant: str
    key: str
    wanted: Wanted
    made_at: float
    waiting: bool
    tokens: int
    usd: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Over:
    """A limit that would be passed; `retry_after` in seconds where a moment is known."""

    limit: InboundLimit
    retry_after: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DayUsage:
    """What a tenant used on a day (UTC, `2026-11-23`), and what is set aside of that day's budget."""

    day: str
    runs: int
    calls: int
    tokens: int
    usd: float
    held_tokens: int
    held_usd: float


class Fullest(NamedTuple):
    """Of today's budgets, the share that is used or set aside by the tenant nearest to its end.

    `None`: no tenant that asked for anything today has such a budget.
    """

    tokens: float | None = None
    usd: float | None = None


class Holds(Protocol):
    """What is set aside and what was used, counted exactly over all processes."""

    async def reserve(self, wish: Wish, bounds: Bounds) -> Admitted | Over:
        """Set aside what the wish may use, if every bound allows it; in one transaction."""
        ...

    async def settle(self, hold_id: str, *, tokens: int, usd: float) -> bool:
        """End a hold and count what was used on the day on which it was made; return whether it was open."""
        ...

    async def moved(self, hold_id: str, *, waiting: bool) -> None:
        """Say whether a run waits for a worker or runs."""
        ...

    async def open(self, *, key: str | None = None, limit: int = 10_000) -> Sequence[Hold]:
        """Return what is open, oldest first; of one key where it is named."""
        ...

    async def usage(self, tenant: str, *, since: str, until: str) -> Sequence[DayUsage]:
        """Return what a tenant used from one day to another, both included, newest first."""
        ...

    async def fullest(self, bounds: Bounds) -> Fullest:
        """Return how much is gone of the budgets that are nearest to their end, of all tenants."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How a run stands."""

    state: RunState
    usage: Usage


class Standings(Protocol):
    """Looks runs up where the truth about them lies."""

    async def standing(self, run_id: str, *, tenant: str) -> Standing | None:
        """Return how a run stands, `None` where there is none."""
        ...
