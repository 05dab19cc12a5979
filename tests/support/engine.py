"""The engine with real small parts: SQLite, bodies in memory, a scripted model, a canned web.

    async with rig(tmp_path, script=[...]) as engine:
        told = await engine.ask()

`ask` carries a run through and then replays it: every run of every test leads to the same bytes again.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from leadline.blobs.memory import MemoryBlobs
from leadline.cpu import InlineCpu
from leadline.domain import (
    Budget,
    Flag,
    Json,
    ModelAnswer,
    ModelRequest,
    Options,
    Origin,
    Question,
    Report,
    RunState,
    StrategyName,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
)
from leadline.errors import StoreError, ToolError
from leadline.events import ENGINE, Entry, Event, Record
from leadline.ports import CallContext, Clock, Cpu, Model, NewRun, Run, Search, Tool
from leadline.research.pipeline import conduct
from leadline.research.recorder import Recorder
from leadline.research.reporting.report import from_json, to_json
from leadline.research.study import Means
from leadline.resilience import SystemClock
from leadline.tasks.sqlite.store import SqliteStore
from leadline.telemetry.follow import Broadcast
from leadline.testing import CannedReader, CannedSearch, EventRecorder, FakeClock, ScriptedModel, hit
from leadline.tools.recall import RecallTool
from leadline.tools.registry import ToolSet
from leadline.tools.search import SearchTool
from leadline.tools.visit import VisitTool
from leadline.worker import Worker, finished, journal

QUESTION = "When were the lighthouses on the Eddystone lit?"
PAGES: Mapping[str, str] = {
    "https://one.test/": "The first lighthouse on the Eddystone was lit in 1698. It stood on the rocks.",
    "https://two.test/": "The second lighthouse on the Eddystone was finished in 1709. It was built of oak.",
    "https://three.test/": "The third lighthouse on the Eddystone was lit in 1759. John Smeaton built it.",
}
SEARCH = ToolCall(name="search", arguments={"query": "Eddystone"}, id="s")
VISIT = ToolCall(name="visit", arguments={"url": ["https://one.test/", "https://three.test/"]}, id="v")
ANSWER = "<answer>1698 and 1759.</answer>"
REPORT = "ANSWER: The first lighthouse was lit in 1698 [1].\n\n## More\nThe third lighthouse was lit in 1759 [2].\n"
ROUNDS: Sequence[Any] = (SEARCH, VISIT, ANSWER, REPORT)
WITH_MODEL = Options(strategy=StrategyName.REACT, model="scripted", web=True, window=16_000, max_tokens=1_000)
WITHOUT = Options(strategy=StrategyName.EXTRACTIVE, web=True)


def fake_clock() -> FakeClock:
    """Return a clock that begins now, as the store's own does."""
    return FakeClock(time.time())


def turn(text: str = "", *calls: ToolCall, tokens: int = 100, cost: float = 0.0, **fields: Any) -> ModelAnswer:
    """Return a model's answer with its usage."""
    usage = Usage(model_calls=1, prompt_tokens=tokens, completion_tokens=10, cost_usd=cost)
    finish = "tool_calls" if calls else "stop"
    return ModelAnswer(text=text, finish=finish, tool_calls=calls, usage=usage, model="scripted", **fields)


class PageTool:
    """A tool of the test's own: `work` does it."""

    def __init__(
        self, work: Callable[[Mapping[str, Json]], Awaitable[ToolResult]], *, name: str = "act", idempotent: bool = True
    ) -> None:
        self._work = work
        self._spec = ToolSpec(
            name=name,
            description="A tool of the test.",
            parameters={"type": "object", "properties": {"n": {"type": "integer"}}},
            idempotent=idempotent,
        )

    @property
    def spec(self) -> ToolSpec:
        return self._spec

    async def call(self, arguments: Mapping[str, Json], context: CallContext) -> ToolResult:
        return await self._work(arguments)

    def render(self, value: Json, texts: Mapping[str, str]) -> str:
        return str(value)


class Gate:
    """A model whose answers the test lets through one by one, and which tells when it was asked."""

    def __init__(self, model: ScriptedModel, clock: FakeClock | None = None, seconds: float = 0.0) -> None:
        import asyncio  # noqa: PLC0415 used by this class alone

        self._model = model
        self._clock = clock
        self._seconds = seconds
        self.asked = asyncio.Semaphore(0)
        self.open = asyncio.Semaphore(0)

    async def complete(
        self,
        request: ModelRequest,
        *,
        deadline: float,
        session: str,
        progress: Callable[[str, str], None] | None = None,
    ) -> ModelAnswer:
        self.asked.release()
        await self.open.acquire()
        if self._clock is not None:
            await self._clock.advance(self._seconds)
        return await self._model.complete(request, deadline=deadline, session=session, progress=progress)


class Flaky:
    """A store whose appends fail as the test wishes; `appended` are the events of those that did not."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.fails: Callable[[Sequence[Entry]], StoreError | None] = lambda _: None
        self.appended: list[list[Event]] = []
        self.beats: Callable[[], StoreError | None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, run_id: str, fence: int, entries: Sequence[Entry]) -> int:
        error = self.fails(entries)
        if error is not None:
            raise error
        last = await self._store.append(run_id, fence, entries)
        self.appended.append([entry.event for entry in entries])
        return last

    async def beat(self, owner: str, *, lease: float) -> Any:
        error = self.beats()
        if error is not None:
            raise error
        return await self._store.beat(owner, lease=lease)


@dataclass(frozen=True)
class Told:
    """A run that ended, its journal and report."""

    run: Run
    records: Sequence[Record]
    report: Report | None

    @property
    def types(self) -> list[str]:
        return [record.event.type for record in self.records]

    def of(self, kind: type[Any]) -> list[Any]:
        return [r.event for r in self.records if isinstance(r.event, kind)]

    @property
    def sure(self) -> Report:
        assert self.report is not None, self.run.failure
        return self.report

    @property
    def text(self) -> str:
        report = self.sure
        said = [s.text for section in report.sections for s in section.sentences]
        return "\n".join([report.answer, *said, *report.notes])


@dataclass
class Engine:
    """A worker and all that it stands on."""

    store: Flaky
    blobs: MemoryBlobs
    clock: Clock
    cpu: Cpu
    worker: Worker
    observer: EventRecorder
    means: Means
    search: CannedSearch
    reader: CannedReader
    runs: list[str] = field(default_factory=list)

    async def begin(
        self,
        options: Options = WITH_MODEL,
        *,
        question: str = QUESTION,
        language: str = "en",
        traceparent: str = "",
        patient: bool = False,
    ) -> str:
        """Store a run, claimed by the worker, and begin it."""
        new = NewRun(
            id=f"run-{len(self.runs)}",
            tenant="local",
            question=Question(text=question, language=language),
            options=options,
            seed=7,
            origin=Origin(method="api", traceparent=traceparent),
        )
        self.runs.append(new.id)
        run = await self.store.create(new, owner=self.worker.owner, lease=self.worker.lease)
        self.worker.take(run, patient=patient)
        return new.id

    async def resume(self, run_id: str) -> None:
        claimed = await self.store.claim(self.worker.owner, lease=self.worker.lease, engines=(ENGINE,), run_id=run_id)
        assert claimed is not None
        self.worker.take(claimed)

    async def ask(self, options: Options = WITH_MODEL, *, question: str = QUESTION, language: str = "en") -> Told:
        """Carry a run through, and lead its record to the same bytes once more."""
        return await self.ended(await self.begin(options, question=question, language=language))

    async def ended(self, run_id: str) -> Told:
        await self.worker.wait(run_id)
        told = await self.told(run_id)
        assert told.run.state.ended
        assert [r.seq for r in told.records] == list(range(1, len(told.records) + 1))
        if told.run.state is RunState.DONE:
            assert await self.replayed(run_id) == told.report
        return told

    async def told(self, run_id: str) -> Told:
        run = await self.store.get(run_id, tenant="local")
        report = None if run.report is None else from_json(await self.blobs.get("local", run.report))
        return Told(run, await journal(self.store, run_id), report)

    async def replayed(self, run_id: str, means: Means | None = None) -> Report:
        """Conduct a run over its record with nothing outside; equal to the byte, or it raises."""
        told = await self.told(run_id)
        wished = told.run.options
        nothing = ScriptedModel([])
        given = means or replace(
            self.means, model=nothing if wished.model else None, judge=nothing if wished.judge else None
        )
        recorder = Recorder(run_id=run_id, tenant="local", records=told.records, blobs=self.blobs, outside=None)
        conclusion = await conduct(recorder, given)
        assert conclusion.report is not None
        stored = told.run.report or ""
        assert to_json(conclusion.report) == await self.blobs.get("local", stored)
        await recorder.finish(finished(conclusion, stored))
        return conclusion.report

    async def flag(self, run_id: str, flag: Flag) -> None:
        await self.store.flag(run_id, flag, tenant="local")


@asynccontextmanager
async def rig(
    folder: Path,
    script: Sequence[Any] | Callable[[ModelRequest], Any] = ROUNDS,
    *,
    model: Model | None = None,
    judge: Model | None = None,
    tools: Sequence[Tool] = (),
    pages: Mapping[str, str | ToolError] = PAGES,
    clock: Clock | None = None,
    lease: float = 30.0,
    owner: str = "worker",
    blobs: MemoryBlobs | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    refuses: Callable[[Run], None] = lambda run: None,
    told: Broadcast | None = None,
    traced: float = 0.0,
    searching: Search | None = None,
) -> AsyncIterator[Engine]:
    """Open an engine over `folder`; the model is `script` unless one is given. `told` hears what happens."""
    cpu, observer, blobs = InlineCpu(), EventRecorder(), blobs or MemoryBlobs()
    search = CannedSearch({"": [hit(uri, title=uri, rank=i) for i, uri in enumerate(pages, 1)]})
    reader = CannedReader(pages)
    scripted = model if model is not None else ScriptedModel(script)
    toolset = ToolSet([SearchTool([searching or search]), VisitTool([reader], cpu=cpu), *tools])
    async with SqliteStore.open(folder / "runs.db") as sqlite:
        store = Flaky(sqlite)
        means = Means(tools=toolset, cpu=cpu, model=scripted, judge=judge, recall=ToolSet([RecallTool(sqlite, blobs)]))

        @asynccontextmanager
        async def provides(run: Run) -> AsyncIterator[Means]:
            refuses(run)
            yield replace(means, model=scripted if run.options.model else None)

        clock = clock or SystemClock()
        worker = Worker(
            store=store,
            blobs=blobs,
            clock=clock,
            provides=provides,
            owner=owner,
            lease=lease,
            observers=(observer,) if told is None else (observer, told),
            signals=told,
            traced=traced,
            monotonic=monotonic,
        )
        async with worker.working():
            yield Engine(
                store=store,
                blobs=blobs,
                clock=clock,
                cpu=cpu,
                worker=worker,
                observer=observer,
                means=means,
                search=search,
                reader=reader,
            )


def budget(**limits: Any) -> Options:
    """Return options of a run with a model whose budget has only these limits."""
    return replace(WITH_MODEL, budget=Budget(**{"steps": None, "tokens": None, "seconds": None, **limits}))
