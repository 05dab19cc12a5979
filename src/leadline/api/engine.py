"""`Leadline`: the engine in this process."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from leadline.api import asking
from leadline.api.archive import Archive
from leadline.api.estimate import Estimate, estimate
from leadline.api.following import Following
from leadline.api.keeping import LOCAL
from leadline.api.reading import reading
from leadline.api.results import Shelf
from leadline.api.scheduling import firing
from leadline.api.slots import Slots
from leadline.domain import Flag, Json, Options, Question, Report, RunState
from leadline.errors import RunWaits, WrongState
from leadline.events import ENGINE, Progress, Record, RunWaiting
from leadline.hub import Hub
from leadline.ports import Depth, NewRun, Observer, Run
from leadline.ports.correlation import origin_here
from leadline.research.planning import checked_reply
from leadline.settings import Settings, load
from leadline.text.language import detect
from leadline.version import __version__
from leadline.wiring import IndexProgress, IndexReport, Platform, Telemetry, has_sandbox, library_telemetry, platform
from leadline.wiring.external import External
from leadline.wiring.held_tools import HeldTools
from leadline.wiring.owners import new_owner
from leadline.worker import Worker


class Leadline(Archive):
    """An engine in this process; use inside `async with`.

    `settings` are those of `leadline settings` unless given. `observers` read every event of the
    runs that this process carries. `method` says in metrics and logs how they were asked:
    `cli`, `api`, `openai`, `mcp` or `schedule`. `telemetry` is what this process tells of itself;
    without, what the settings say for a library (traces, a log of its own). With `everyones` the runs
    of all tenants of the store are reached, as for its operator, not those of this machine's people alone.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        observers: Sequence[Observer] = (),
        method: str = "api",
        telemetry: Telemetry | None = None,
        everyones: bool = False,
    ) -> None:
        self.settings = settings or load()
        self._observers = tuple(observers)
        self._method = method
        self._tenant = None if everyones else LOCAL
        self._telemetry = telemetry
        self._stack = AsyncExitStack()
        self._hub = Hub()
        self._entered: tuple[Platform, Worker] | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _start(self) -> None:
        told = self._telemetry
        if told is None:
            told = await self._stack.enter_async_context(library_telemetry(self.settings))
        running = await self._stack.enter_async_context(platform(self.settings, telemetry=told))
        worker = Worker(
            store=running.store,
            blobs=running.blobs,
            clock=running.clock,
            provides=running.means,
            owner=new_owner(),
            lease=self.settings.tasks.lease_seconds,
            observers=(self._hub, *told.observers, *self._observers),
            signals=told.signals,
            traced=told.share,
            released=self._hub.ended,
        )
        await self._stack.enter_async_context(worker.working())
        self._entered = (running, worker)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)
        self._entered = None

    # -- asking -------------------------------------------------------------------------------

    def options(self, **overrides: Any) -> Options:  # noqa: ANN401 fields of `Options` have different types
        """Return a run's options: those of the settings, with `overrides` by field name of `Options`.

        Raises `InputError` for a name that is none.
        """
        can_compute = self._entered[0].can_compute if self._entered else has_sandbox(self.settings)
        return asking.options_of(self.settings, overrides, can_compute=can_compute)

    async def start(
        self,
        question: str,
        *,
        docs: Sequence[Path] = (),
        options: Options | None = None,
        language: str | None = None,
        servers: Sequence[str] = (),
        indexing: Callable[[IndexProgress], None] | None = None,
        indexed: Callable[[IndexReport], None] | None = None,
        carry: bool = True,
    ) -> str:
        """Store a run, begin it in this process, and return its id.

        Without `carry` it is only queued, for `work` of this or any other process to take it up.
        `docs` are files and folders, whose index is brought up to date first; `indexing` is told
        how far that is, `indexed` what came of it. `language` (`en`, `zh`) is the question's own unless given.
        `servers` are tool servers of the settings whose pinned tools the model may call. Raises
        `InputError` for an empty or overlong question or a missing path, `SettingsError` for a
        strategy without its model, `BudgetError` for a budget that cannot be kept.
        """
        text = asking.checked_question(question)
        wanted = asking.checked(options or self.options(), self.settings, self._running.models)
        asking.check_tools(wanted, can_compute=self._running.can_compute)
        wanted = asking.decided(await asking.with_window(wanted, self.settings, self._running.models), text)
        if servers:
            wanted = asking.with_external(wanted, await self._running.external.offered(servers))
        await self._running.corpora.check(wanted.corpora)
        if docs:
            corpus, found = await self._running.corpora.refresh(docs, indexing)
            if indexed is not None:
                indexed(found)
            wanted = replace(wanted, corpora=(*wanted.corpora, corpus))
        wanted = replace(wanted, not_read=self._running.corpora.not_read(wanted.corpora))
        if wanted.ledger_of is not None:
            wanted = replace(wanted, ledger_of=(await self.run(wanted.ledger_of)).id)
        new = NewRun(
            id=asking.new_run_id(self._running.clock.now()),
            tenant=LOCAL,
            question=Question(text=text, language=language or detect(text)),
            options=wanted,
            seed=secrets.randbits(32),
            software=__version__,
            origin=origin_here(self._method),
        )
        if carry:
            worker = self._worker
            worker.take(await self._running.store.create(new, owner=worker.owner, lease=worker.lease))
        else:
            await self._running.store.create(new)
        return new.id

    async def work(self, *, concurrency: int, stop: asyncio.Event) -> None:
        """Take runs from the queue, at most `concurrency` at a time, until `stop` is set; then hand back what is held.

        Afterwards this engine carries no more runs.
        """
        running = self._running
        async with running.shipping(), firing(running), reading(running):
            await Slots(worker=self._worker, store=running.store, wake=running.wake, count=concurrency).serve(stop)

    def follow_models(self, settings: Settings) -> None:
        """Have the model servers that `settings` name from now on; calls under way end where they are.

        Raises `SettingsError`, with nothing changed, where a model in use would be another one or none.
        """
        self._running.models.follow(settings)

    @property
    def tools(self) -> HeldTools:
        """The tools of this process, for calls outside of a run."""
        return self._running.tools

    @property
    def external(self) -> External:
        """The tool servers of the settings."""
        return self._running.external

    async def depth(self) -> Depth:
        """Return how many runs wait, run and are due, of all tenants, and how long the oldest has waited."""
        return await self._running.store.depth()

    async def stream(self, run_id: str, *, after: int = 0) -> AsyncIterator[Record | Progress]:
        """Yield a run's events from `seq` `after` + 1 on until it ended, and live text where it runs here.

        Raises `UnknownRun`, and what ended the hold of a run that this process carried, if that was
        a failure.
        """
        run_id = (await self.run(run_id)).id
        following = Following(store=self._running.store, hub=self._hub, worker=self._worker)
        async for item in following.follow(run_id, after=after):
            yield item

    async def result(self, run_id: str) -> Report:
        """Wait for a run's end and return its report.

        Raises `UnknownRun`, `RunFailed`, `RunCancelled`, `RunWaits` where a person must answer first
        (see `reply`), and what ended the hold of a run carried here.
        """
        run_id = (await self.run(run_id)).id
        await self._worker.wait(run_id)
        async for item in self.stream(run_id, after=max(0, (await self.run(run_id)).last_seq - 1)):
            if isinstance(item, Record) and isinstance(item.event, RunWaiting):
                await self._refuse_waiting(await self.run(run_id))
        return await self.report(run_id)

    async def reply(self, run_id: str, reply: Mapping[str, Json]) -> None:
        """Answer a run that waits for a person, and take it up in this process.

        To a plan: `{"approve": True}`, `{"plan": [sub-question, ...]}` in its stead, or
        `{"reject": True}`, which cancels the run. To a question: `{"answer": text}`, which may be
        empty. Raises `UnknownRun`, `WrongState` for a run that does not wait, `InputError` for
        what answers something else.
        """
        run = await self.run(run_id)
        asks = await self._asks(run)
        if asks is None:
            raise WrongState(f"run {run.id} does not wait for a person: it is {run.state}")
        answer = checked_reply(reply, asks)
        if answer.get("reject") is True:
            await self.cancel(run.id)
            return
        await self._running.store.reply(run.id, answer, tenant=run.tenant)
        await self._claim(run)

    async def asks(self, run_id: str) -> Mapping[str, Json] | None:
        """Return what a run asks of a person, `None` where it does not wait. Raises `UnknownRun`.

        `{"for": "plan", "plan": [sub-question, ...]}` or `{"for": "question", "question": text}`.
        """
        return await self._asks(await self.run(run_id))

    async def finish(self, run_id: str) -> None:
        """Ask a run to stop gathering and write now. Raises `UnknownRun`, `WrongState`, `RunWaits`."""
        await self._refuse_waiting(await self.run(run_id))
        await self._flag(run_id, Flag.FINISH)

    async def cancel(self, run_id: str) -> None:
        """Ask a run to stop. Raises `UnknownRun`, `WrongState`."""
        await self._flag(run_id, Flag.CANCEL)

    async def resume(self, run_id: str) -> None:
        """Take up in this process a run that nobody holds. Raises `UnknownRun`, `WrongState`, `RunWaits`."""
        run = await self.run(run_id)
        if run.state.ended:
            raise WrongState(f"run {run.id} has ended ({run.state}); see it with `leadline show {run.id}`")
        await self._refuse_waiting(run)
        await self._claim(run)

    async def _claim(self, run: Run) -> None:
        worker = self._worker
        claimed = await self._running.store.claim(worker.owner, lease=worker.lease, engines=(ENGINE,), run_id=run.id)
        if claimed is None:
            raise WrongState(f"run {run.id} is held by another process ({run.owner}), or its engine is another version")
        worker.take(claimed)

    # -- documents ----------------------------------------------------------------------------

    async def index(
        self, paths: Sequence[Path], progress: Callable[[IndexProgress], None] | None = None
    ) -> IndexReport:
        """Bring the index of files and folders up to date. Raises `MissingPath`, `StoreError`."""
        _, report = await self._running.corpora.refresh(paths, progress)
        return report

    async def corpus(self, paths: Sequence[Path], progress: Callable[[IndexProgress], None] | None = None) -> str:
        """Bring an index up to date and return its id, for `Options.corpora` of many runs over one scan."""
        corpus, _ = await self._running.corpora.refresh(paths, progress)
        return corpus

    async def documents(self, paths: Sequence[Path]) -> Shelf:
        """Bring an index up to date and return what searches and reads its documents, outside of a run."""
        corpus, _ = await self._running.corpora.refresh(paths, None)
        found = await self._running.corpora.by_id(corpus)
        return Shelf(search=found, reader=found)

    async def estimate(self, question: str, *, docs: Sequence[Path] = (), options: Options | None = None) -> Estimate:
        """Return what a run may use; nothing is asked of a model, nothing is stored."""
        wanted = asking.checked(options or self.options(), self.settings, self._running.models)
        return estimate(asking.decided(wanted, asking.checked_question(question)))

    # -- inside -------------------------------------------------------------------------------

    @property
    def _running(self) -> Platform:
        if self._entered is None:
            raise RuntimeError("use Leadline inside `async with`")
        return self._entered[0]

    @property
    def _worker(self) -> Worker:
        if self._entered is None:
            raise RuntimeError("use Leadline inside `async with`")
        return self._entered[1]

    async def _asks(self, run: Run) -> Mapping[str, Json] | None:
        """Return what a waiting run asks: the event with which it began to wait, the last but for a flag's."""
        if run.state is not RunState.WAITING:
            return None
        last = await self._running.store.records(run.id, after=run.last_seq - 1)
        return next((r.event.asks for r in last if isinstance(r.event, RunWaiting)), None)

    async def _refuse_waiting(self, run: Run) -> None:
        asks = await self._asks(run)
        if asks is not None:
            how = f"answer with `leadline approve {run.id}`"
            raise RunWaits(
                f"run {run.id} waits for a person: {(run.waits_for or '').rstrip('.。')}; {how}",
                run_id=run.id,
                asks=asks,
            )

    async def _flag(self, run_id: str, flag: Flag) -> None:
        run = await self.run(run_id)
        await self._running.store.flag(run.id, flag, tenant=run.tenant)
        self._worker.flag(run.id, flag)
