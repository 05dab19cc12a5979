"""Settings -> what this process tells of itself; open it before, and close it after, everything else."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

from leadline.errors import MissingExtra, SettingsError
from leadline.ports import Observer, Quiet, RunFigures, Signals
from leadline.ports.admission import Bounds, Holds
from leadline.ports.signals import (
    BreakerChanged,
    CacheAnswered,
    DiskSeen,
    LogSeen,
    PartSeen,
    QueueSeen,
    QuotaSeen,
    ServerCalled,
    ServerTurned,
)
from leadline.resilience import BreakerState, SystemClock
from leadline.settings import LogPlace, Settings, secrets_of
from leadline.settings.eventlog import KAFKA
from leadline.settings.telemetry import STDERR
from leadline.wiring.kafka import topic_of

if TYPE_CHECKING:
    import logging

    from leadline.cache.types import Cached, Category, Told
    from leadline.model.pool.leases import Lease
    from leadline.model.pool.types import HealthChange, Outcome
    from leadline.telemetry.exposition import Exposition
    from leadline.telemetry.follow import Reader
    from leadline.telemetry.gate import Gate
    from leadline.wiring.eventlog import EventLog

T = TypeVar("T")

Process: TypeAlias = Literal["cli", "library", "worker", "service", "tools", "models"]

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Content type of `Telemetry.text`."""

_TOOL_NAMES: Final = {"google_scholar": "scholar", "PythonInterpreter": "python", "parse_file": "visit"}
_UNCOUNTED: Final = "this process counts nothing: its telemetry was opened without metrics"
_EXTRA: Final = "traces need an extra: pip install 'leadline[otel]'"


@dataclass(frozen=True, kw_only=True, slots=True)
class Telemetry:
    """What reads a process's runs and hears its signals.

    `share` is how many of the traces that begin here are recorded. `metrics` is `None` where nobody
    may ask for them.
    """

    observers: tuple[Observer, ...] = ()
    signals: Signals = field(default_factory=Quiet)
    share: float = 0.0
    metrics: Exposition | None = None
    gate: Gate | None = None

    def refusal(self, peer: str, headers: Mapping[str, str]) -> str | None:
        """Return why who asks from the address `peer` may not read metrics, `None` where it may."""
        if self.gate is None or self.gate.lets_in(peer, headers):
            return None
        return self.gate.refusal

    async def text(self) -> bytes:
        """Return what `GET /metrics` answers. Raises `SettingsError` where metrics were not asked for."""
        if self.metrics is None:
            raise SettingsError(_UNCOUNTED)
        return await self.metrics.text()

    def watch(self, figures: RunFigures, log: EventLog | None, folder: Path) -> None:
        """Let queue, event log and the disk under `folder` be looked at whenever somebody asks for metrics."""
        if self.metrics is None:
            return
        self.metrics.refresher(partial(_look, figures, self.signals))
        self.metrics.refresher(partial(_look_at_disk, folder, self.signals))
        if log is not None:
            self.metrics.refresher(partial(_look_at_log, log, self.signals))

    def watch_parts(self, parts: Mapping[str, Callable[[], Awaitable[object]]]) -> None:
        """Let each of `parts` be asked whether it answers whenever somebody asks for metrics; what fails does not."""
        if self.metrics is not None:
            for part, ask in parts.items():
                self.metrics.refresher(partial(_look_at_part, part, ask, self.signals))

    def watch_quotas(self, holds: Holds, bounds: Bounds) -> None:
        """Let what is gone of the tenants' budgets be read whenever somebody asks for metrics."""
        if self.metrics is not None:
            self.metrics.refresher(partial(_look_at_quotas, holds, bounds, self.signals))

    @asynccontextmanager
    async def served(self, host: str, port: int) -> AsyncIterator[int]:
        """Answer `GET /metrics` while the context is open; yield the port. Raises `SettingsError`."""
        from leadline.telemetry.serving import serving  # noqa: PLC0415 aiohttp's server only where it is wanted

        if self.gate is None:
            raise SettingsError(_UNCOUNTED)
        async with serving(self.text, gate=self.gate, host=host, port=port) as taken:
            yield taken


@contextmanager
def telemetry(settings: Settings, process: Process, *, metrics: bool = False) -> Iterator[Telemetry]:
    """Yield what this process tells of itself, as the settings choose; what waits is written on leaving.

    To be opened before an event loop and closed after it, which it would hold up at either end.
    A person's command and a library leave the program's log alone where lines would go to standard
    error. Raises `SettingsError`, `MissingExtra`.
    """
    readers: list[Reader] = []
    with ExitStack() as stack:
        _log(settings, process, stack)
        if process not in {"cli", "library"} or settings.log.sink.url != STDERR:
            from leadline.telemetry.lines import Lines  # noqa: PLC0415 only where lines are written

            readers.append(Lines(content=settings.log.content))
        exposition = gate = None
        if metrics:
            exposition, gate = _metrics(readers), gate_of_metrics(settings, process)
        if settings.traces.url is not None:
            _traces(settings, settings.traces.url, process, readers=readers, stack=stack)
        if not readers:
            yield Telemetry()
            return
        from leadline.telemetry.follow import Broadcast  # noqa: PLC0415 only where somebody reads

        broadcast = Broadcast(readers)
        share = settings.traces.share if settings.traces.url is not None else 0.0
        yield Telemetry(observers=(broadcast,), signals=broadcast, share=share, metrics=exposition, gate=gate)


SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which processes behind one port add up their counts, in the folder that it names."""


def process_gone(folder: str) -> Callable[[int], None]:
    """Return what is to be told the id of each process that ended, of those that add up in `folder`."""

    def gone(pid: int) -> None:
        from leadline.telemetry.exposition import process_gone as forget  # noqa: PLC0415 only where one has died

        forget(folder, pid)

    return gone


@asynccontextmanager
async def library_telemetry(settings: Settings) -> AsyncIterator[Telemetry]:
    """Yield what a process tells of itself whose event loop runs already; opened and closed beside it."""
    context = telemetry(settings, "library")
    told = await asyncio.to_thread(context.__enter__)
    try:
        yield told
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


# --- what gives signals, in its own words ----------------------------------------------------------


def cache_told(signals: Signals) -> Told:
    """Return what hears where answers came from."""

    def told(category: Category, cached: Cached) -> None:
        signals.signal(CacheAnswered(category=category.value, layer=cached.origin.value, stale=cached.stale))

    return told


def breaker_told(signals: Signals, part: str) -> Callable[[BreakerState], None]:
    """Return what hears a breaker change."""

    def told(state: BreakerState) -> None:
        signals.signal(BreakerChanged(part=part, state=state.value))

    return told


def tool_breaker_told(signals: Signals) -> Callable[[str, BreakerState], None]:
    """Return what hears the breakers of tools change."""

    def told(tool: str, state: BreakerState) -> None:
        signals.signal(BreakerChanged(part=f"tool:{tool}", state=state.value))

    return told


def health_told(signals: Signals) -> Callable[[HealthChange], None]:
    """Return what hears of model servers that went out of service or came back."""

    def told(change: HealthChange) -> None:
        signals.signal(ServerTurned(server=change.url, healthy=change.healthy, down_for=change.down_for))

    return told


def call_told(signals: Signals) -> Callable[[Lease, Outcome], None]:
    """Return what hears of calls at model servers."""

    def told(lease: Lease, outcome: Outcome) -> None:
        from leadline.model.connect import shown_url  # noqa: PLC0415 aiohttp only where a model is set

        signals.signal(
            ServerCalled(
                server=shown_url(lease.spec.url),
                outcome=outcome.value,
                seconds=lease.seconds,
                first_token=lease.first_token,
                session=lease.session,
            )
        )

    return told


# --- inside --------------------------------------------------------------------------------------


async def _look(figures: RunFigures, signals: Signals) -> None:
    signals.signal(QueueSeen(depth=await _look_at_part("store", figures.depth, signals)))


async def _look_at_part(part: str, ask: Callable[[], Awaitable[T]], signals: Signals) -> T:
    reached = False
    try:
        answer = await ask()
        reached = True
    finally:  # also where the time is over
        signals.signal(PartSeen(part=part, reachable=reached))
    return answer


async def _look_at_log(log: EventLog, signals: Signals) -> None:
    signals.signal(LogSeen(lag=await log.lag()))


async def _look_at_disk(folder: Path, signals: Signals) -> None:
    usage = await asyncio.to_thread(shutil.disk_usage, folder)
    # What is kept for the system's own user is neither used nor free for us.
    signals.signal(DiskSeen(free=usage.free / ((usage.used + usage.free) or 1)))


async def _look_at_quotas(holds: Holds, bounds: Bounds, signals: Signals) -> None:
    signals.signal(QuotaSeen(fullest=await holds.fullest(bounds)))


def _log(settings: Settings, process: Process, stack: ExitStack) -> None:
    log = settings.log
    if log.sink.url == STDERR and process in {"cli", "library"}:
        return
    from leadline.telemetry.logs import Shape, logging_to  # noqa: PLC0415 only where lines are written

    shape = Shape(level=log.level, format=log.format, per_second=log.per_second, process=process, content=log.content)
    stack.enter_context(logging_to(_sink(log.sink), shape, secrets=sorted(secrets_of(settings))))


def _sink(place: LogPlace) -> logging.Handler:
    from leadline.telemetry import logs  # noqa: PLC0415 as above

    if place.url == STDERR:
        return logs.terminal()
    return logs.kafka(topic_of(place)) if place.scheme in KAFKA else logs.file(place.path or Path())


def _metrics(readers: list[Reader]) -> Exposition:
    try:
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 an extra

        from leadline.telemetry.exposition import Exposition  # noqa: PLC0415 as above
        from leadline.telemetry.instruments import Instruments  # noqa: PLC0415 as above
        from leadline.telemetry.metrics import Metrics  # noqa: PLC0415 as above
    except ImportError as error:
        raise MissingExtra("metrics need an extra: pip install 'leadline[server]'") from error
    registry = CollectorRegistry()
    readers.append(Metrics(Instruments(registry), aliases=_TOOL_NAMES))
    return Exposition(registry)


def gate_of_metrics(settings: Settings, process: Process) -> Gate:
    """Return who may read metrics; a tool's service shows them by its own key as well."""
    from leadline.telemetry.gate import Gate  # noqa: PLC0415 only where metrics are shown

    keys = [settings.metrics.key, settings.tools.key if process == "tools" else None]
    return Gate(key.reveal() for key in keys if key is not None)


def _traces(settings: Settings, url: str, process: Process, *, readers: list[Reader], stack: ExitStack) -> None:
    try:
        from leadline.telemetry.otlp import exporting, resource_of  # noqa: PLC0415 an extra
        from leadline.telemetry.traces import Traces  # noqa: PLC0415 as above
    except ImportError as error:
        raise MissingExtra(_EXTRA) from error
    key = settings.traces.key
    headers = {} if key is None else {"Authorization": f"Bearer {key.reveal()}"}
    sink = stack.enter_context(exporting(url, headers))
    readers.append(
        Traces(
            sink,
            resource=resource_of(process),
            provider=settings.model.kind,
            share=settings.traces.share,
            now=SystemClock().now,
            content=settings.log.content,
        )
    )
