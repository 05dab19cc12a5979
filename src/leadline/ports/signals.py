"""What happens beside the events of runs: told at once, never stored, and nothing decides by it.

Each signal is a small value. Who gives signals takes a `Signals` and knows nothing of metrics, logs
and traces; `Quiet` stands where nobody listens. Texts in them are names from a small set, ids and
addresses of the operator's own servers: never what a person asked or a page says, but in `RunBroke`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from leadline.events import Record
from leadline.ports.admission import Fullest
from leadline.ports.correlation import Trace
from leadline.ports.eventlog import Lag
from leadline.ports.runs import Depth, Run

Leaving: TypeAlias = Literal[
    "finished",  # its last event is written
    "waiting",  # for a person
    "handed_over",  # to another worker
    "lost",  # another worker owns it
    "given_up",  # the store failed, or this process lacks what it needs
    "dropped",  # this process ends
]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTaken:
    """A worker holds a run from now on. `past` is its journal up to the claim's own record, which is the last."""

    run: Run
    past: Sequence[Record]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLeft:
    """A worker holds a run no longer."""

    run_id: str
    how: Leaving


@dataclass(frozen=True, kw_only=True, slots=True)
class RunBroke:
    """A run that a worker holds is about to end without a report, for this error.

    Its text and the texts in its frames may hold what a person asked or a page says.
    """

    run_id: str
    error: Exception


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEnded:
    """The store itself ended a run that no worker held: cancelled in the queue, or its workers died too often."""

    run: Run


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """A question was refused before a run was made of it; `reason` is a limit's or an error's code."""

    method: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheAnswered:
    """The cache was asked; `layer` is `memory`, `store` or `load`."""

    category: str
    layer: str
    stale: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitPassed:
    """A call passed a limit (`service:NAME`, `host`, ...) after `seconds`."""

    limit: str
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitRefused:
    """A limit left no room within a call's time."""

    limit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitHeld:
    """A server asked to wait: nobody passes this limit for a while. `seconds` is `None` where it did not say."""

    limit: str
    seconds: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerChanged:
    """Calls of a part (`cache`, `tool:NAME`, ...) go through (`closed`), do not (`open`), or one tries."""

    part: str
    state: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerTurned:
    """A model server went out of service or came back after `down_for` seconds."""

    server: str
    healthy: bool
    down_for: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerCalled:
    """A call at a model server ended.

    `first_token` is the seconds to its first token, `None` where there was none. `session` says
    whether its conversation stayed on the server that knows it: `kept`, `moved` or `new`.
    """

    server: str
    outcome: str
    seconds: float
    first_token: float | None = None
    session: str = "new"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderAsked:
    """A search or scholar service was asked: `found`, `empty`, or the code of how it failed."""

    provider: str
    outcome: str
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpAnswered:
    """A request to a service of ours was answered.

    `route` is the path's pattern, never the path. `seconds` runs to the answer's last byte. `trace`
    is the request's own span, `parent` the span that asked, empty where none did.
    """

    method: str
    route: str
    status: int
    seconds: float
    request: str
    client: str = ""
    trace: Trace | None = None
    parent: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueSeen:
    """How much waits and runs in the store now, of all tenants."""

    depth: Depth


@dataclass(frozen=True, kw_only=True, slots=True)
class PartSeen:
    """Whether a part that the process stands on (`store`, `broker`, `cache`, `limits`) answered when last asked."""

    part: str
    reachable: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LogSeen:
    """How far the event log is behind the journal now."""

    lag: Lag


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskSeen:
    """The share of the disk that is free on which this process keeps its data."""

    free: float


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotaSeen:
    """How much of their day's budgets the tenants have used that are nearest to their end."""

    fullest: Fullest


Signal: TypeAlias = (
    RunTaken
    | RunLeft
    | RunBroke
    | RunEnded
    | Rejected
    | CacheAnswered
    | LimitPassed
    | LimitRefused
    | LimitHeld
    | BreakerChanged
    | ServerTurned
    | ServerCalled
    | ProviderAsked
    | HttpAnswered
    | QueueSeen
    | PartSeen
    | LogSeen
    | DiskSeen
    | QuotaSeen
)


class Signals(Protocol):
    """Takes signals; what it raises is the giver's trouble, so it must not."""

    def signal(self, signal: Signal) -> None:
        """Take one."""
        ...


class Quiet:
    """`Signals` where nobody listens."""

    def signal(self, signal: Signal) -> None:
        """Take one, and tell nobody."""
