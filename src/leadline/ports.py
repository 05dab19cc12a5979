"""Every seam of Leadline: what the engine needs from the outside, as small protocols.

A port exists where two real adapters do, or where two parts that may not see each other meet.
One contract suite a port runs over all its adapters (tests/contract). `wiring` chooses them.

    RunStore      runs and their journal: the truth             tasks/
    Blobs         bodies by hash                                blobs/
    Model         one conversation turn with a model            model/
    Embedder      texts -> vectors                              model/
    Tool, Tools   what a model may call                         tools/
    Search        queries -> hits                               search/
    Reader        an address -> stored text                     search/corpus, fetch/
    Sandbox       runs Python programs of a model                sandbox/
    Cpu           pure work off the event loop                  resilience
    Clock         wall time, waiting                            resilience, testing
    Observer      reads what happened                           telemetry/, cli

Errors are those of `errors`: adapters translate foreign ones once, keep the cause, and let
cancellation through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias, TypeVar

from leadline.domain import (
    Failure,
    Fetched,
    Flag,
    Hit,
    Json,
    ModelAnswer,
    ModelRequest,
    Options,
    Question,
    RunState,
    StopReason,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
)
from leadline.events import Entry, Progress, Record

T = TypeVar("T")


# --- time and work ---------------------------------------------------------------------------


class Clock(Protocol):
    """Wall time and waiting, so that tests need not wait."""

    def now(self) -> float:
        """Return Unix time in seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; cancelled like any wait."""
        ...


class Cpu(Protocol):
    """Pure CPU work beside the event loop."""

    async def run(self, function: Callable[..., T], /, *arguments: object, size: int = 0) -> T:
        """Return `function(*arguments)`.

        `function` is a module-level pure function, its arguments small and picklable: large texts
        go by hash with a `TextReader`. `size` estimates the work in characters: what takes less
        than 5 ms may run in place. An exception of `function` is raised here; a worker process
        that dies is replaced and the work is tried once more.
        """
        ...


# --- bodies ----------------------------------------------------------------------------------


class TextReader(Protocol):
    """Reads stored texts by hash; synchronous and picklable, for use inside `Cpu` work."""

    def read(self, sha256: str) -> str:
        """Return the text whose UTF-8 bytes have this hash. Raises `BlobMissing`."""
        ...


class Blobs(Protocol):
    """Bodies by the SHA-256 of their bytes, apart for each tenant, durable when `put` returns."""

    async def put(self, tenant: str, data: bytes) -> str:
        """Store `data` and return its hash; storing the same again costs a look. Raises `StoreFull`."""
        ...

    async def get(self, tenant: str, sha256: str) -> bytes:
        """Return the bytes, checked against their hash. Raises `BlobMissing`."""
        ...

    async def has(self, tenant: str, sha256: str) -> bool:
        """Return whether the body is there."""
        ...

    async def sweep(self, tenant: str, keep: frozenset[str], *, older_than: float) -> int:
        """Delete bodies not in `keep` that were stored before `older_than` (Unix time); return the bytes freed."""
        ...

    def reader(self, tenant: str) -> TextReader:
        """Return a reader of stored texts for `Cpu` work."""
        ...


# --- runs ------------------------------------------------------------------------------------


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


# --- models and tools ------------------------------------------------------------------------


class Model(Protocol):
    """One turn of a conversation with a language model."""

    async def complete(
        self,
        request: ModelRequest,
        *,
        deadline: float,
        session: str,
        progress: Callable[[str, str], None] | None = None,
    ) -> ModelAnswer:
        """Return the whole answer.

        `deadline` is in seconds from now for everything, retries included. `session` names the
        conversation, so that a balancer finds the server that holds its prefix. `progress` gets
        (`text` or `reasoning`, new characters) as they stream. Raises `ModelError` subclasses.
        """
        ...


class Embedder(Protocol):
    """Texts to vectors that lie near each other where the texts mean much the same."""

    @property
    def name(self) -> str:
        """The model's name; only vectors of one name can be compared."""
        ...

    async def embed(self, texts: Sequence[str], *, deadline: float) -> Sequence[Sequence[float]]:
        """Return a vector a text, in order, all finite and of one length. Raises `ModelError` as `Model` does."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class CallContext:
    """What a tool may know of the run that calls it.

    `deadline` is in seconds from now. `goal` is what the run wants to know, for choosing passages.
    `known` are the addresses of the web that results of this branch have offered; `private` is text
    of its own documents that results have shown. Both follow from recorded outcomes alone.
    `refused` maps addresses and queries of the call that must not go out to the reason; it is the
    gateway's to fill and the tool's to obey.
    """

    run_id: str
    tenant: str
    deadline: float
    goal: str
    language: str
    options: Options
    known: frozenset[str] = frozenset()
    private: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


class Tool(Protocol):
    """Something that a model may call."""

    @property
    def spec(self) -> ToolSpec:
        """Name, description and argument schema, as offered to a model."""
        ...

    async def call(self, arguments: Mapping[str, Json], context: CallContext) -> ToolResult:
        """Do it. Raises `ToolFailed` where the model may adapt, `ToolStop` where the run must end."""
        ...

    def render(self, value: Json, texts: Mapping[str, str]) -> str:
        """Return the text of a result for a model; pure, from the recorded value.

        `texts` maps the ids of the sources that the value names to their stored texts.
        """
        ...


class Tools(Protocol):
    """The tools of one run, behind argument checks and time limits."""

    def specs(self) -> Sequence[ToolSpec]:
        """Return what may be called, in a fixed order."""
        ...

    async def call(self, call: ToolCall, context: CallContext) -> ToolResult:
        """Check the arguments and do it. Raises `ToolFailed` (also for an unknown tool), `ToolStop`."""
        ...

    def render(self, name: str, value: Json, texts: Mapping[str, str]) -> str:
        """Return the text form of a recorded value; see `Tool.render`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A search: words, how many hits at most, and filters that a provider may or may not honour."""

    text: str
    limit: int = 10
    language: str = "en"
    sites: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    since: str | None = None
    year: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The reply to a query; no hits means that there is nothing, never that something failed.

    `ignored` names filters that the provider could not honour, and `vectors` where only words could be asked.
    """

    hits: tuple[Hit, ...]
    ignored: tuple[str, ...] = ()


class Search(Protocol):
    """Queries to hits: a web provider or a local corpus."""

    @property
    def name(self) -> str:
        """The provider's name, as hits carry it."""
        ...

    async def search(self, query: Query, *, deadline: float) -> Found:
        """Return hits, best first. Raises `ToolFailed`."""
        ...


class Reader(Protocol):
    """An address to its stored text."""

    def reads(self, uri: str) -> bool:
        """Return whether this reader is the one for `uri`."""
        ...

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        """Return the source. Raises `NotFound`, `ToolFailed`."""
        ...


# --- programs of a model -----------------------------------------------------------------

KilledBy: TypeAlias = Literal["time", "memory", "output", "disk", "crash"]
"""Why a program was ended: its seconds, its memory, a flood of output, its folder's size; `crash`
when the process that watches it inside the sandbox went away with it."""

Part: TypeAlias = Literal["stdout", "stderr", "files"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """Python text to run, with files that lie in its working folder by plain name.

    `timeout` is in seconds of wall time. Programs of one `session` share one interpreter, in
    order: names and files of the earlier ones are there. Without it each has its own.
    """

    code: str
    files: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    timeout: float = 30.0
    session: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OutFile:
    """A file that a program left. `media_type` is ours, by its bytes: an `image/png` was decoded and encoded anew."""

    name: str
    data: bytes
    media_type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """How a program ended: its text, its exit status (128 + n after signal n), its files.

    `truncated` names what was cut. `killed_by` is set when it did not end by itself. `fresh` is
    false when the program found the names and files of its session's earlier ones.
    """

    stdout: str
    stderr: str
    exit: int
    files: tuple[OutFile, ...] = ()
    truncated: tuple[Part, ...] = ()
    killed_by: KilledBy | None = None
    fresh: bool = True


class Sandbox(Protocol):
    """Runs Python where it can harm nobody and learn nothing."""

    async def run(self, program: Program) -> Ran:
        """Run it to its end or its timeout; cancelling kills it.

        Raises `InvalidArguments` for a program or file above the limits, `ToolFailed` where the
        sandbox cannot be started now, `ToolStop` where it may not be used at all.
        """
        ...


# --- readers of what happens -----------------------------------------------------------------


class Observer(Protocol):
    """Reads what happens; what it raises is the caller's bug, so it must not."""

    def record(self, run_id: str, tenant: str, record: Record) -> None:
        """Take a committed event, once, in the process that appended it."""
        ...

    def progress(self, progress: Progress) -> None:
        """Take live text; never stored."""
        ...
