"""An engine in memory, with the same front as the real one: what commands do is seen on it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import pytest

from leadline.cli.engine import Format, Indexing
from leadline.cli.main import main
from leadline.domain import (
    Failure,
    Flag,
    Options,
    Question,
    Report,
    RunState,
    Source,
    StopReason,
    Usage,
)
from leadline.errors import InputError, LeadlineError, MissingExtra, UnknownRun, WrongState
from leadline.events import (
    ENGINE,
    ClaimChecked,
    Event,
    FlagSeen,
    Progress,
    Record,
    RunFinished,
    RunStarted,
    SourceStored,
    ToolAsked,
)
from leadline.ports import Run
from leadline.settings import Settings


class Seen(NamedTuple):
    """How far an index is."""

    found: int
    done: int
    name: str
    what: str = "documents"


class NotRead(NamedTuple):
    """A document that gives no text."""

    name: str
    reason: str


@dataclass(frozen=True)
class Index:
    """What an index holds."""

    added: int = 2
    changed: int = 0
    removed: int = 0
    unchanged: int = 1
    skipped: dict[str, int] = field(default_factory=lambda: {"hidden": 4})
    failed: tuple[Any, ...] = ()
    documents: int = 3
    seconds: float = 0.5
    embedded: int = 0
    pending: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """How a report stands."""

    ok: bool = True
    problems: tuple[str, ...] = ()
    claims: int = 2
    quotes: int = 3


@dataclass(frozen=True)
class Guess:
    """What a run is expected to use."""

    steps: int | None
    model_calls: int = 4
    tokens_low: int = 1000
    tokens_high: int = 20000
    usd_low: float | None = None
    usd_high: float | None = None
    strategy: str = "react"
    chosen: str = "one question"
    notes: tuple[str, ...] = ("no price is known",)


@dataclass(frozen=True)
class Swept:
    """What a collection freed."""

    runs: int
    bytes: int


@dataclass
class Script:
    """What the engine does, and what was asked of it."""

    settings: Settings | None = None
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    servers: list[tuple[str, ...]] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    flags: dict[str, asyncio.Event] = field(default_factory=dict)
    interrupts: int = 0
    missing: Format | None = None
    failures: dict[str, LeadlineError] = field(default_factory=dict)
    spoilt: dict[str, Failure] = field(default_factory=dict)
    cost: float = 0.01
    verdict: Verdict = field(default_factory=Verdict)
    index: Index = field(default_factory=Index)
    during: Callable[[Script, str], None] | None = None

    def called(self, name: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.calls if call[0] == name]


class FakeEngine:
    """See `leadline.cli.engine.Engine`."""

    def __init__(self, script: Script, settings: Settings) -> None:
        self.script = script
        self.script.settings = settings

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.script.calls.append(("closed",))

    def options(self, **overrides: Any) -> Options:
        return replace(Options(), **overrides)

    async def start(
        self,
        question: str,
        *,
        docs: Sequence[Path] = (),
        options: Options | None = None,
        language: str | None = None,
        servers: Sequence[str] = (),
        indexing: Callable[[Indexing], None] | None = None,
        indexed: Callable[[Index], None] | None = None,
    ) -> str:
        self.script.calls.append(("start", question, tuple(docs), options, language))
        self.script.servers.append(tuple(servers))
        if not question.strip():
            raise InputError("the question is empty")
        if docs and indexing is not None:
            if indexed is not None:
                indexed(self.script.index)
            indexing(Seen(2, 2, "a.txt"))
        options = options or Options()
        if docs:
            options = replace(options, corpora=("c1",))
        run_id = f"r{len(self.script.runs) + 1}00{len(self.script.runs) + 1}"
        self.script.runs[run_id] = Run(
            id=run_id,
            tenant="local",
            question=Question(text=question, language=language or "en"),
            options=options,
            seed=1,
            state=RunState.RUNNING,
            engine=ENGINE,
            priority=0,
            created_at=1_700_000_000.0,
            updated_at=1_700_000_000.0,
            attempts=0,
            fence=1,
        )
        return run_id

    async def stream(self, run_id: str, *, after: int = 0) -> AsyncIterator[Record | Progress]:
        run = self.script.runs[run_id]
        started = RunStarted(question=run.question, options=run.options, seed=1, engine=ENGINE)
        yield self._record(1, started)
        yield self._record(
            2,
            ToolAsked(call="main/0/tool/0", tool="search", arguments={"query": "whales"}, request="x"),
        )
        yield Progress(run_id=run_id, branch="main", kind="status", text="looking")
        for _ in range(self.script.interrupts):
            event = self.script.flags.setdefault(run_id, asyncio.Event())
            signal.raise_signal(signal.SIGINT)
            await asyncio.wait_for(event.wait(), 20)
            event.clear()
            yield self._record(3, FlagSeen(round=0, flag=self.script.runs[run_id].flag or Flag.FINISH))
        yield self._record(4, SourceStored(call="main/0/tool/0", source=source()))
        yield self._record(5, ClaimChecked(claim="c", verdict="supported", decided_by="quote"))
        yield self._record(6, self._end(run_id))

    def _record(self, seq: int, event: Event) -> Record:
        return Record(seq=seq, at=1_700_000_000.0 + seq, branch="main", event=event)

    def _end(self, run_id: str) -> RunFinished:
        run = self.script.runs[run_id]
        cancelled = run.flag is Flag.CANCEL
        end = RunFinished(
            state=RunState.CANCELLED if cancelled else RunState.DONE,
            stop_reason=StopReason.CANCELLED if cancelled else StopReason.ANSWERED,
            usage=Usage(cost_usd=self.script.cost),
        )
        self.script.runs[run_id] = replace(
            run,
            state=end.state,
            stop_reason=end.stop_reason,
            failure=self.script.spoilt.get(run.question.text),
            report=None if cancelled else "hash",
            usage=end.usage,
        )
        return end

    async def result(self, run_id: str) -> Report:
        self.script.calls.append(("result", run_id))
        if self.script.during is not None:
            self.script.during(self.script, run_id)
        run = self.script.runs[run_id]
        if run.question.text in self.script.failures:
            raise self.script.failures[run.question.text]
        if not run.state.ended:
            self._end(run_id)
        return await self.report(run_id)

    async def finish(self, run_id: str) -> None:
        await self._flag(run_id, Flag.FINISH)

    async def cancel(self, run_id: str) -> None:
        await self._flag(run_id, Flag.CANCEL)

    async def _flag(self, run_id: str, flag: Flag) -> None:
        self.script.calls.append((flag.value, run_id))
        run = self.script.runs[run_id]
        if run.state.ended:
            raise WrongState(f"run {run_id} has ended")
        self.script.runs[run_id] = replace(run, flag=flag)
        self.script.flags.setdefault(run_id, asyncio.Event()).set()

    async def resume(self, run_id: str) -> None:
        self.script.calls.append(("resume", run_id))
        if self.script.runs[run_id].state.ended:
            raise WrongState(f"run {run_id} has ended")

    async def run(self, run_id: str) -> Run:
        found = [r for r in self.script.runs if r.startswith(run_id)]
        if run_id == "last":
            found = list(self.script.runs)[-1:]
        if len(found) != 1:
            raise UnknownRun(f"no such run: {run_id}")
        return self.script.runs[found[0]]

    async def runs(self, *, state: RunState | None = None, limit: int = 50) -> Sequence[Run]:
        found = [r for r in reversed(self.script.runs.values()) if state in {None, r.state}]
        return found[:limit]

    async def report(self, run_id: str) -> Report:
        run = self.script.runs[run_id]
        return Report(
            run_id=run_id,
            question=run.question.text,
            language=run.question.language,
            strategy="extractive",
            stop_reason="answered",
            created_at="2026-01-01T00:00:00Z",
            answer="鲸 sank\x1b[31m.",
            answer_claims=(),
            sections=(),
            claims=(),
            sources=(),
            usage=Usage(cost_usd=self.script.cost),
        )

    def check_format(self, format: Format) -> None:
        self.script.calls.append(("check_format", format))
        if self.script.missing == format:
            raise MissingExtra("needs an extra")

    async def render(self, report: Report, format: Format) -> str:
        if format == "json":
            body = '{"run_id": "%s", "stop_reason": "answered", "usage": {"cost_usd": %s}}'
            return body % (report.run_id, report.usage.cost_usd)
        return f"{format} report {report.run_id}: {report.answer}\n"

    async def beside(self, report: Report) -> Mapping[str, bytes]:
        return {}

    async def records(self, run_id: str) -> Sequence[Record]:
        return [item async for item in self.stream(run_id) if isinstance(item, Record)]

    async def replay(self, run_id: str) -> Report:
        return await self.report(run_id)

    async def verify(self, target: str | Path) -> Verdict:
        self.script.calls.append(("verify", target))
        return self.script.verdict

    async def export(self, run_id: str, path: Path) -> None:
        self.script.calls.append(("export", run_id, path))

    async def index(self, paths: Sequence[Path], progress: Callable[[Indexing], None] | None = None) -> Index:
        self.script.calls.append(("index", tuple(paths)))
        return self.script.index

    async def estimate(self, question: str, *, docs: Sequence[Path], options: Options) -> Guess:
        self.script.calls.append(("estimate", question))
        return Guess(steps=options.budget.steps)

    async def gc(self, *, older_than_days: float | None) -> Swept:
        self.script.calls.append(("gc", older_than_days))
        return Swept(runs=2, bytes=3_000_000)


def source() -> Source:
    return Source(
        id="s1",
        uri="file:///docs/a.txt",
        sha256="0" * 64,
        raw_sha256="1" * 64,
        extractor="plain/1",
        content_type="text/plain",
        chars=1234,
        title="Whales\x1b]0;owned\x07",
    )


class Result(NamedTuple):
    """What a call of the program left."""

    code: int
    out: str
    err: str


Program = Callable[..., Result]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def leadline(script: Script, capsys: pytest.CaptureFixture[str]) -> Program:
    def run(*arguments: str) -> Result:
        code = main(arguments, factory=lambda settings: FakeEngine(script, settings))
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run
