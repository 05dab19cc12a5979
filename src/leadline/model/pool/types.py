"""What the pool of model servers is told, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from leadline.errors import (
    ContextOverflow,
    ModelDenied,
    ModelError,
    ModelRateLimited,
    ModelUnavailable,
)
from leadline.model.failures import Refused
from leadline.resilience import BreakerState

Balance: TypeAlias = Literal["affinity", "least_connections"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSpec:
    """A server as an operator names it.

    `url` is its base URL. `weight` is its share of the load against the others'. `concurrency` is
    how many requests of ours it may hold (vLLM's `max_num_seqs` where it is ours alone), `None` for
    no bound. `models` are the names it serves; empty: all that are asked for. A `priced` server is
    never hedged to. `api_key` is sent to it alone. It is asked for one token now and then where it
    is `probed`, else for its list of models where it is `looked_at`: that costs nothing. Its `/metrics`
    are read where it has `gauges`.
    """

    url: str
    weight: float = 1.0
    concurrency: int | None = None
    models: frozenset[str] = frozenset()
    priced: bool = False
    api_key: str | None = field(default=None, repr=False)
    probed: bool = True
    looked_at: bool = False
    gauges: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolPolicy:
    """How servers are chosen and judged. Times in seconds.

    - `balance`: `affinity` keeps a session on one server, `least_connections` does not.
    - `bound`: a new session goes to its home unless that would hold more than `bound` times its
      share of requests, or of sessions in use; `stay_bound` is the same for a session that is
      already somewhere, and its server may always hold `stay_floor` requests.
    - `session_seconds`: how long after its last call a session still counts as in use.
    - `failures` in a row take a server out for `cooldown`; then one call may try it. A server that
      comes or comes back gets its full share after `slow_start`.
    - `pause`: how long a server that answers 429 without telling how long is left alone.
    - `queue`: how many calls may wait for a server with room, in all and for a tenant.
    - `lease_seconds`: a lease that is neither renewed nor reported for so long is taken back.
    - `gauges_age`: a server's own gauges count for so long.
    """

    balance: Balance = "affinity"
    bound: float = 1.25
    stay_bound: float = 1.5
    stay_floor: int = 8
    session_seconds: float = 600.0
    most_sessions: int = 65_536
    failures: int = 3
    cooldown: float = 15.0
    slow_start: float = 30.0
    pause: float = 1.0
    most_pause: float = 60.0
    queue: int = 1000
    queue_tenant: int | None = None
    lease_seconds: float = 900.0
    gauges_age: float = 15.0


class Outcome(StrEnum):
    """How a call at a server ended, as far as the server is concerned."""

    ANSWERED = "answered"  # it works: an answer, or a refusal that is the request's fault
    FAILED = "failed"  # its fault: away, silent, broken off, 5xx
    BUSY = "busy"  # it works and asked to be left alone
    DENIED = "denied"  # it does not let us in, or does not know the model
    ABANDONED = "abandoned"  # the caller left; nothing was learnt


def outcome_of(error: ModelError) -> Outcome:
    """Return what an error says about the server that it came from."""
    if isinstance(error, ModelRateLimited):
        return Outcome.BUSY
    if isinstance(error, ModelDenied):
        return Outcome.DENIED
    if isinstance(error, ContextOverflow | Refused) or not error.retryable:
        return Outcome.ANSWERED
    return Outcome.FAILED


def wait_of(error: ModelError) -> float | None:
    """Return how long the server asked to be left alone."""
    return error.retry_after if isinstance(error, ModelUnavailable) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthChange:
    """A server went out of service or came back. `reason` is fit for a log."""

    url: str
    healthy: bool
    reason: str = ""
    down_for: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerView:
    """A server as it stands now. `load` counts other processes' requests where its gauges tell.

    It is `leaving` where it is forgotten once nothing is in flight.
    `first_token` is the 95th percentile in seconds, 0 before enough calls. `retry_in` is how long
    until it may be tried.
    """

    url: str
    healthy: bool
    breaker: BreakerState
    draining: bool
    leaving: bool
    in_flight: int
    load: float
    sessions: int
    weight: float
    concurrency: int | None
    retry_in: float
    first_token: float
    cache_usage: float
    outcomes: dict[Outcome, int]
    last_error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolView:
    """The pool as it stands now. `moved` counts sessions that changed server, `kept` those that did not."""

    servers: tuple[ServerView, ...]
    waiting: int
    kept: int
    moved: int
