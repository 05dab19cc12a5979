"""Claims runs, carries them through, beats for them, and gives them back when it must go.

One worker a process. Its heartbeat is one statement for all the runs that it holds; flags come
with it, and sooner by the store's change signal. A run whose lease was lost is dropped at once and
without a word: its next owner tells the story. A store that fails ends the hold, not the run; so
does a process that lacks what the run needs, which hands it back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from leadline.domain import Failure, Flag, Report, RunState, StopReason
from leadline.errors import LeadlineError, LeaseLost, StoreError
from leadline.events import Entry, Record, RunFinished, RunHandedOver
from leadline.ports import FLAGS, Beat, Blobs, Clock, Observer, Quiet, Run, RunStore, Signals
from leadline.ports.correlation import Ids, belonging, trace_of
from leadline.ports.signals import Leaving, RunBroke, RunLeft, RunTaken
from leadline.research.hold import Hold
from leadline.research.pipeline import Conclusion, conduct
from leadline.research.recorder import Outside, Recorder, Waits
from leadline.research.reporting.report import to_json
from leadline.research.study import Means, Provides

log = logging.getLogger("leadline.worker")

JOURNAL_PAGE = 5_000
FLAG_PAUSE = 0.05
"""Seconds between two looks for flags, however often the store changes."""

FLAG_PATIENCE = 1.0
"""The same while the store is away."""


class Refused(Exception):
    """This process cannot give a run what it works with; another one may."""

    def __init__(self, error: LeadlineError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(kw_only=True, slots=True)
class _Held:
    run: Run
    hold: Hold
    task: asyncio.Task[None] | None = None
    recorder: Recorder | None = None
    begun: bool = False
    closing: bool = False  # the last write is under way: the run's end, a wait, or its hand-over
    taken: bool = False  # signals were told of it
    leaving: Leaving = "dropped"
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Worker:
    """Carries runs through for one owner; use inside `async with worker.working():`.

    `observers` are told each event that is written here, `signals` which runs are held. Of the runs'
    own traces the share `traced` is recorded.
    """

    def __init__(
        self,
        *,
        store: RunStore,
        blobs: Blobs,
        clock: Clock,
        provides: Provides,
        owner: str,
        lease: float,
        observers: Sequence[Observer] = (),
        signals: Signals | None = None,
        traced: float = 0.0,
        released: Callable[[str], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.owner = owner
        self.lease = lease
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._provides = provides
        self._observers = tuple(observers)
        self._signals = signals or Quiet()
        self._traced = traced
        self._released = released
        self._monotonic = monotonic
        self._failed: dict[str, LeadlineError] = {}
        self._held: dict[str, _Held] = {}
        self._group: asyncio.TaskGroup | None = None
        self._draining = False

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Worker]:
        """Beat and watch for flags while the context is open; on leaving, hand over what is still held.

        What the body raises comes out as it is, not in a group.
        """
        raised: BaseException | None = None
        async with asyncio.TaskGroup() as group:
            self._group = group
            keepers = [
                group.create_task(self._beats(), name="worker beats"),
                group.create_task(self._flags(), name="worker flags"),
            ]
            try:
                yield self
            except BaseException as error:  # noqa: BLE001 raised again below, outside of the group
                raised = error
            await self.drain()
            for keeper in keepers:
                keeper.cancel()
            self._group = None
        if raised is not None:
            raise raised

    def holds(self, run_id: str) -> bool:
        """Return whether this worker holds the run now."""
        return run_id in self._held

    def take(self, run: Run, *, patient: bool = False) -> None:
        """Carry a claimed run through, in the background. `wait` tells when it ended.

        With `patient` a full disk is waited for; else it ends the hold, and who waits is told.
        """
        if self._group is None or self._draining:
            raise RuntimeError("a worker takes runs only while it is working")
        self._failed.pop(run.id, None)
        hold = Hold(fence=run.fence, lease=self.lease, monotonic=self._monotonic, patient=patient)
        held = _Held(run=run, hold=hold)
        if run.flag is not None:
            hold.raise_flag(run.flag)
        self._held[run.id] = held
        held.task = self._group.create_task(self._carry(held), name=f"run {run.id}")

    async def wait(self, run_id: str) -> None:
        """Return when the run is no longer held here; see `raise_for`."""
        held = self._held.get(run_id)
        if held is not None:
            await held.ended.wait()
        self.raise_for(run_id)

    def raise_for(self, run_id: str) -> None:
        """Raise the failure that ended this worker's hold on a run, if one did."""
        if run_id in self._failed:
            raise self._failed[run_id]

    def flag(self, run_id: str, flag: Flag) -> None:
        """Tell a held run of a flag at once; the store must have it already."""
        held = self._held.get(run_id)
        if held is not None:
            held.hold.raise_flag(flag)

    async def drain(self) -> None:
        """Stop, and hand every held run back for another worker to go on at once.

        One whose last write is under way is left to its end, but does not wait long for a store that is away.
        """
        self._draining = True
        tasks = []
        for held in self._held.values():
            if held.task is None:
                continue
            tasks.append(held.task)
            if held.closing:
                if held.recorder is not None:
                    held.recorder.leave()
            elif held.begun:  # one that is cancelled before its first step would tell nobody of its end
                held.task.cancel("drain")
        for task in tasks:
            await asyncio.wait([task])

    # -- one run ------------------------------------------------------------------------------

    async def _carry(self, held: _Held) -> None:
        """Carry a run through; whatever happens, its waiters learn of it."""
        held.begun = True
        try:
            with belonging(self._ids(held.run)):
                await self._through(held)
        except Refused as refused:
            self._gave_up(held, refused.error)
        except LeadlineError as error:
            self._gave_up(held, error)
        except asyncio.CancelledError:
            if held.hold.lost:
                self._gave_up(held, LeaseLost("another worker took the run over"))
            raise
        finally:
            if self._held.get(held.run.id) is held:
                del self._held[held.run.id]
            if held.taken:
                self._signals.signal(RunLeft(run_id=held.run.id, how=held.leaving))
            held.ended.set()
            if self._released is not None:
                self._released(held.run.id)

    def _gave_up(self, held: _Held, error: LeadlineError) -> None:
        """Note why the run is held no longer; it is not over."""
        self._failed[held.run.id] = error
        held.leaving = "lost" if isinstance(error, LeaseLost) else "given_up"
        event = "run_lost" if isinstance(error, LeaseLost) else "run_given_up"
        log.warning(event, extra={"run": held.run.id, "code": error.code, "reason": str(error)})

    async def _through(self, held: _Held) -> None:
        run = held.run
        recorder = held.recorder = await self._opened(held)
        if recorder is None:
            return
        try:
            conclusion = await self._concluded(run, recorder)
            ending = await self._ending(run, conclusion)
            held.closing = True
            await recorder.finish(ending)
            held.leaving = "finished"
        except Waits as waits:
            held.closing = True
            await recorder.wait(waits.waiting)
            held.leaving = "waiting"
        except Refused:
            held.closing = True
            await recorder.hand_over("refused", self.owner)
            raise
        except asyncio.CancelledError:
            if self._draining and not held.closing:
                held.closing = True
                await recorder.hand_over("drain", self.owner)
                held.leaving = "handed_over"
            raise
        finally:
            await recorder.close()

    async def _opened(self, held: _Held) -> Recorder | None:
        """Return the run's door, or none where this worker drains: then the run was handed back as it came."""
        try:
            if not self._draining:
                return await self._recorder(held)
        except asyncio.CancelledError:
            if not self._draining or held.hold.lost:
                raise
        held.closing = True
        over = RunHandedOver(owner=self.owner, reason="drain")
        entry = Entry(at=round(self._clock.now(), 6), branch="", event=over)
        await self._store.append(held.run.id, held.run.fence, [entry])
        held.leaving = "handed_over"
        return None

    async def _recorder(self, held: _Held) -> Recorder:
        """Return the door of a run that was claimed; the store wrote the claim itself, observers hear of it here."""
        run = held.run
        try:
            records = await self._journal(run.id)
            outside = Outside(store=self._store, clock=self._clock, hold=held.hold, observers=self._observers)
            recorder = Recorder(run_id=run.id, tenant=run.tenant, records=records, blobs=self._blobs, outside=outside)
        except (ValueError, KeyError) as error:
            raise StoreError(f"the journal of run {run.id} cannot be read: {error}") from error
        held.taken = True
        self._signals.signal(RunTaken(run=run, past=records))
        for observer in self._observers:
            observer.record(run.id, run.tenant, records[-1])
        return recorder

    def _ids(self, run: Run) -> Ids:
        trace = trace_of(run.id, run.origin, share=self._traced)
        return Ids(run=run.id, tenant=run.tenant, request=run.origin.request, trace=trace)

    async def _concluded(self, run: Run, recorder: Recorder) -> Conclusion:
        """Conduct the run; what fails in it ends it, what fails before it or in the store does not."""
        try:
            async with AsyncExitStack() as stack:
                means = await self._provided(run, stack)
                return await conduct(recorder, means)
        except (StoreError, Refused, Waits):
            raise
        except LeadlineError as error:
            self._signals.signal(RunBroke(run_id=run.id, error=error))
            failure = Failure(code=error.code, message=str(error), retryable=error.retryable)
        except Exception as error:  # the border of a run: one run's bug must not end the others
            log.exception("run_failed", extra={"run": run.id})
            self._signals.signal(RunBroke(run_id=run.id, error=error))
            failure = Failure(code="internal", message="an internal error ended the run; the log tells more")
        return Conclusion(state=RunState.FAILED, stop=StopReason.ERROR, failure=failure, usage=recorder.usage)

    async def _provided(self, run: Run, stack: AsyncExitStack) -> Means:
        """Return what the run works with. Raises `Refused` where this process cannot give it."""
        try:
            return await stack.enter_async_context(self._provides(run))
        except StoreError:
            raise
        except LeadlineError as error:
            raise Refused(error) from error

    async def _ending(self, run: Run, conclusion: Conclusion) -> RunFinished:
        return finished(conclusion, None if conclusion.report is None else await self._stored(run, conclusion.report))

    async def _stored(self, run: Run, report: Report) -> str:
        return await self._blobs.put(run.tenant, to_json(report))

    async def _journal(self, run_id: str) -> list[Record]:
        return await journal(self._store, run_id)

    # -- keepers ------------------------------------------------------------------------------

    async def _beats(self) -> None:
        """Renew the leases each third of their length; a store that is away is asked again."""
        while True:
            await self._clock.sleep(self.lease / 3)
            holding = dict(self._held)
            if not holding:
                continue
            try:
                beats = {beat.run_id: beat for beat in await self._store.beat(self.owner, lease=self.lease)}
            except StoreError as error:
                log.warning("beat_failed", extra={"reason": str(error)})
                continue
            for run_id, held in holding.items():
                self._heard(held, beats.get(run_id))

    def _heard(self, held: _Held, beat: Beat | None) -> None:
        """Take what a heartbeat told of a run; one that it does not know was taken over, or is just ending."""
        if held.closing:
            return
        if beat is None or beat.fence != held.hold.fence:
            held.hold.lose()
            if held.task is not None:
                held.task.cancel("lease lost")  # its calls are made by the next owner now
            return
        held.hold.renewed(self.lease)
        if beat.flag is not None:
            held.hold.raise_flag(beat.flag)

    async def _flags(self) -> None:
        """Hear of flags as soon as the store changes."""
        seen = -1
        while True:
            try:
                seen = await self._store.changed(seen, timeout=self.lease, of=FLAGS)
                raised = await self._store.flags(self.owner) if self._held else {}
                for run_id, flag in raised.items():
                    self.flag(run_id, flag)
                pause = FLAG_PAUSE
            except StoreError as error:
                log.warning("flags_failed", extra={"reason": str(error)})
                pause = FLAG_PATIENCE
            await asyncio.sleep(pause)


def finished(conclusion: Conclusion, report: str | None) -> RunFinished:
    """Return the last event of a run that came to `conclusion`; `report` is the hash of its bytes."""
    told = conclusion.report
    return RunFinished(
        state=conclusion.state,
        stop_reason=conclusion.stop,
        report=report,
        usage=conclusion.usage,
        failure=conclusion.failure,
        changes=None if told is None or told.changes is None else told.changes.tally,
    )


async def journal(store: RunStore, run_id: str) -> list[Record]:
    """Return all records of a run."""
    records: list[Record] = []
    while True:
        page = await store.records(run_id, after=records[-1].seq if records else 0, limit=JOURNAL_PAGE)
        records.extend(page)
        if len(page) < JOURNAL_PAGE:
            return records
