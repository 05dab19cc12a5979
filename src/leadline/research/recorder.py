"""The one door through which anything non-deterministic enters a run.

Model answers, tool results, time, chance and people's flags reach the engine only as outcomes in
the journal. A live run writes them, a resumed run reads what is there and goes live where it ends,
a replay only reads. Since every decision stands on outcomes alone, all three take the same course.

A call's way: its intent is appended, with all that waits; once that is durable, the fence stands
and the lease is fresh, it starts; its outcome is appended when it arrives. On resume an intent
without outcome was in flight: it is issued again if it is idempotent, and what was lost is charged
its reservation; otherwise its outcome is unknown and says so.

Time is the latest `at` among the outcomes that a branch has taken, and counts only while a worker
held the run (`Timeline`). Outcomes are taken in call order, whatever the order of their arrival.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeAlias

from leadline.domain import Failure, Flag, Json, Source, Usage
from leadline.errors import Diverged, LeadlineError, RecordIncomplete, StoreError
from leadline.events import (
    Entry,
    Event,
    FlagSeen,
    ModelAnswered,
    ModelAsked,
    Record,
    RunFinished,
    RunHandedOver,
    RunWaiting,
    SourceStored,
    ToolAnswered,
    ToolAsked,
)
from leadline.ports import Blobs, Clock, Observer, RunStore
from leadline.ports.correlation import calling
from leadline.research.history import History, Past, asked_for
from leadline.research.hold import Hold
from leadline.research.outbox import Outbox
from leadline.research.together import together

CANCEL_MARGIN = 0.05
"""Seconds of its deadline that a call leaves to its own clean-up before it is cut off."""

INTERRUPTED = "interrupted"
"""Failure code of a call that a flag ended."""

DEADLINE = "deadline"
"""Failure code of a call that had no time left."""

Asked: TypeAlias = ModelAsked | ToolAsked
Answered: TypeAlias = ModelAnswered | ToolAnswered


class Waits(Exception):
    """A person must answer before the run can go on; `waiting` says what is asked."""

    def __init__(self, waiting: RunWaiting) -> None:
        super().__init__(waiting.reason)
        self.waiting = waiting


class Body(NamedTuple):
    """A source with what must be durable before it is named."""

    source: Source
    text: str
    raw: bytes | None


class Made(NamedTuple):
    """A live call's outcome, and the sources that it brought."""

    answered: Answered
    bodies: tuple[Body, ...] = ()


class Part(Protocol):
    """A branch, as the recorder knows it: the time that it reached, and what it spent."""

    at: float
    spent: Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class Outside:
    """All that a live run reaches: absent in a replay."""

    store: RunStore
    clock: Clock
    hold: Hold
    observers: tuple[Observer, ...] = ()


class FailedAs(Protocol):
    """Makes the outcome of a call that failed."""

    def __call__(self, failure: Failure, *, began: bool) -> Answered:
        """Return the outcome, with what it cost: nothing where the call never began."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A call that is about to be made: its intent, and how to make it live."""

    asked: Asked
    make: Callable[[], Awaitable[Made]]
    timeout: float
    failed: FailedAs


class Recorder:
    """Makes calls live, or reads their outcomes from the journal. One for each hold on a run."""

    def __init__(
        self, *, run_id: str, tenant: str, records: Sequence[Record], blobs: Blobs, outside: Outside | None
    ) -> None:
        self.run_id = run_id
        self.tenant = tenant
        self.blobs = blobs
        self.history = History(records)
        started = self.history.started
        if started is None:
            raise RecordIncomplete(f"run {run_id}: the journal does not begin with `run_started`")
        self.started = started
        self.branches: list[Part] = []
        self._outside = outside
        self._breaks: dict[asyncio.Task[Answered], frozenset[Flag]] = {}
        self._broken: set[asyncio.Task[Answered]] = set()
        self._brought: dict[str, str] = {}
        self._outbox: Outbox | None = None
        if outside is not None:
            outside.hold.watch(self._interrupt)
            self._outbox = Outbox(
                run_id=run_id,
                fence=outside.hold.fence,
                store=outside.store,
                clock=outside.clock,
                committed=self._committed,
                patient=outside.hold.patient,
            )

    def enter(self, branch: Part) -> None:
        """Count a new branch in."""
        self.branches.append(branch)

    @property
    def usage(self) -> Usage:
        """What all branches have spent, with the seconds held at the latest outcome taken."""
        total = Usage()
        for branch in self.branches:
            total += branch.spent
        return replace(total, seconds=round(self.held(self.latest), 3))

    @property
    def latest(self) -> float:
        """Wall time of the latest outcome that any branch has taken."""
        return max((branch.at for branch in self.branches), default=self.history.began_at)

    def held(self, at: float) -> float:
        """Return the seconds for which the run had been held at wall time `at`."""
        return self.history.timeline.held(at)

    async def finish(self, event: RunFinished) -> None:
        """Write the end; in a replay compare it."""
        recorded = self.history.finished
        if recorded is not None:
            left = [name for name, notes in self.history.notes.items() if notes]
            if recorded != event or left:
                raise Diverged(
                    f"run {self.run_id}: the end differs: recorded {recorded}, now {event}; notes left in {left}"
                )
            return
        if self._outbox is not None:
            await self._outbox.write(self._entry("", event))

    async def close(self) -> None:
        """Write what waits; a store that fails now keeps what it has."""
        if self._outbox is not None:
            await self._outbox.close()

    def leave(self) -> None:
        """Wait for a store that is away no longer than a worker on its way out can; also in a write under way."""
        if self._outbox is not None:
            self._outbox.leave()

    async def hand_over(self, reason: str, owner: str) -> None:
        """Give the run back for another worker to go on."""
        self.leave()
        if self._outbox is not None:
            await self._outbox.write(self._entry("", RunHandedOver(owner=owner, reason=reason)))

    async def wait(self, waiting: RunWaiting) -> None:
        """Give the run up until a person answers."""
        if self._outbox is not None:
            await self._outbox.write(self._entry("", waiting))

    def replied(self, waiting: RunWaiting) -> Mapping[str, Json]:
        """Return what a person answered to this. Raises `Waits` where nobody did yet."""
        past = self.history.replies.get(asked_for(waiting))
        if past is None:
            if self._outside is None:
                raise RecordIncomplete(f"run {self.run_id}: the record ends before the reply to: {waiting.reason}")
            raise Waits(waiting)
        if past.waiting != waiting:
            raise Diverged(f"run {self.run_id}: a person was asked `{past.waiting.reason}`, now `{waiting.reason}`")
        return past.reply

    def progress(self, observe: Callable[[Observer], None]) -> None:
        """Tell live observers something that is never stored."""
        if self._outside is not None:
            for observer in self._outside.observers:
                observe(observer)

    # -- for branches -------------------------------------------------------------------------

    def note(self, branch: str, event: Event) -> None:
        """Write an event that follows from outcomes; where the journal has it, compare."""
        recorded = self.history.notes[branch]
        if recorded:
            past = recorded.popleft().event
            if past != event:
                raise Diverged(
                    f"run {self.run_id}, branch {branch}: `{event.type}` differs from the record `{past.type}`"
                )
            return
        if self._outbox is None:
            raise Diverged(f"run {self.run_id}, branch {branch}: `{event.type}` is not in the record")
        self._outbox.put(self._entry(branch, event))

    def flag(self, branch: str, round_: int) -> Flag | None:
        """Return the flag that this round of the branch sees."""
        recorded = self.history.flags.get((branch, round_))
        if recorded is not None or self.history.passed(branch, round_) or self._outside is None:
            return recorded
        flag = self._outside.hold.flag
        if flag is not None and self._outbox is not None:
            self._outbox.put(self._entry(branch, FlagSeen(round=round_, flag=flag)))
        return flag

    async def calls(self, branch: str, wanted: Sequence[Call], *, breaks: frozenset[Flag]) -> list[tuple[Record, Past]]:
        """Return the outcomes of `wanted`, in their order; recorded ones as they are, others made now.

        A flag among `breaks` ends calls that are under way, and lets none begin.
        """
        fresh = [call for call in wanted if self._past(call) is None]
        if fresh or any(self._unanswered(call) for call in wanted):
            await self._intend(branch, fresh)
            await self._make([c for c in wanted if self._unanswered(c)], branch, breaks=breaks)
        outcomes = []
        for call in wanted:
            past = self.history.calls[call.asked.call]
            if past.answered is None:
                raise RecordIncomplete(f"run {self.run_id}: call {call.asked.call} has no outcome")
            outcomes.append((past.answered, past))
        return outcomes

    async def text(self, source: Source) -> str:
        """Return a source's stored text: as its call has just brought it, else from the blobs."""
        brought = self._brought.pop(source.sha256, None)
        return brought if brought is not None else (await self.blobs.get(self.tenant, source.sha256)).decode()

    # -- inside -------------------------------------------------------------------------------

    def _past(self, call: Call) -> Past | None:
        past = self.history.calls.get(call.asked.call)
        if past is None:
            return None
        recorded = past.asked.event
        assert isinstance(recorded, ModelAsked | ToolAsked)  # noqa: S101 the journal's index holds nothing else
        if recorded.request != call.asked.request:
            raise Diverged(
                f"run {self.run_id}: call {call.asked.call} asks something else than recorded "
                f"(request {call.asked.request[:12]}, recorded {recorded.request[:12]})"
            )
        return past

    def _unanswered(self, call: Call) -> bool:
        past = self.history.calls.get(call.asked.call)
        return past is None or past.answered is None

    async def _intend(self, branch: str, fresh: Sequence[Call]) -> None:
        if self._outside is None or self._outbox is None:
            what = f"call {fresh[0].asked.call}" if fresh else "the outcome of a call in flight"
            raise RecordIncomplete(f"run {self.run_id}: the record ends before {what}")
        entries = [self._entry(branch, call.asked) for call in fresh]
        await self._outbox.write(*entries)
        for call, entry in zip(fresh, entries, strict=True):
            intent = Record(seq=0, at=entry.at, branch=branch, event=call.asked)
            self.history.calls[call.asked.call] = Past(asked=intent)
        await self._outside.hold.fresh()

    async def _make(self, wanted: Sequence[Call], branch: str, *, breaks: frozenset[Flag]) -> None:
        await together({f"call {call.asked.call}": self._one(call, branch, breaks) for call in wanted})

    async def _one(self, call: Call, branch: str, breaks: frozenset[Flag]) -> Answered:
        assert self._outside is not None  # noqa: S101 only live calls come here
        assert self._outbox is not None  # noqa: S101 as above
        past = self.history.calls[call.asked.call]
        stored: Sequence[Body] = ()
        if isinstance(call.asked, ToolAsked) and not call.asked.idempotent and past.lost:
            failure = Failure(
                code="unknown_outcome",
                message="the worker died during this call; whether it took effect is unknown",
            )
            answered = call.failed(failure, began=False)
        elif self._outside.hold.flag in breaks:
            failure = Failure(code=INTERRUPTED, message="not begun: a stop was asked for before")
            answered = call.failed(failure, began=False)
        else:
            answered, stored = await self._attempt(call, breaks)
        entries = [self._entry(branch, SourceStored(call=call.asked.call, source=source)) for source, _, _ in stored]
        last = self._entry(branch, answered)
        await self._keep(stored)
        past.answered = Record(seq=0, at=last.at, branch=branch, event=answered)
        past.sources = [source for source, _, _ in stored]
        self._outbox.put(*entries, last)
        self._outbox.soon()
        return answered

    async def _attempt(self, call: Call, breaks: frozenset[Flag]) -> Made:
        """Make the call; its typed failures, an interruption and its deadline are outcomes too."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 a coroutine runs in a task
        self._breaks[task] = breaks
        try:
            with calling(call.asked.call):
                async with asyncio.timeout(call.timeout):
                    return await call.make()
        except TimeoutError:
            failure = Failure(code=DEADLINE, message=f"no answer within {call.timeout:.0f} s", retryable=True)
        except asyncio.CancelledError:
            if task not in self._broken:
                raise
            self._broken.discard(task)
            task.uncancel()
            failure = Failure(code=INTERRUPTED, message="stopped on request")
        except StoreError:
            raise
        except LeadlineError as error:
            failure = Failure(code=error.code, message=str(error), retryable=error.retryable)
        finally:
            del self._breaks[task]
        return Made(call.failed(failure, began=True))

    async def _keep(self, stored: Sequence[Body]) -> None:
        """Make texts and raw bytes durable before the rows that name them."""
        for source, text, raw in stored:
            await self.blobs.put(self.tenant, text.encode())
            self._brought[source.sha256] = text
            if raw is not None and raw != text.encode():
                await self.blobs.put(self.tenant, raw)

    def _committed(self, record: Record) -> None:
        """Tell observers of what is durable now."""
        assert self._outside is not None  # noqa: S101 only a live run commits
        self.history.timeline.see(record)
        for observer in self._outside.observers:
            observer.record(self.run_id, self.tenant, record)

    def _interrupt(self, flag: Flag) -> None:
        for task, breaks in self._breaks.items():
            if flag in breaks and task not in self._broken:
                self._broken.add(task)
                task.cancel(f"flag {flag.value}")

    def _entry(self, branch: str, event: Event) -> Entry:
        at = self._outside.clock.now() if self._outside is not None else self.latest
        return Entry(at=round(at, 6), branch=branch, event=event)
