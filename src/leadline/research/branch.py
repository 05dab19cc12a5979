"""A part of a run: rounds in order, its own clock, its slice of the budget; what strategies call through."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from leadline import codec
from leadline.domain import (
    Budget,
    Excerpt,
    Failure,
    Flag,
    Json,
    Message,
    ModelAnswer,
    ModelRequest,
    Source,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
)
from leadline.errors import ModelBroken, ModelTimeout
from leadline.events import Event, ModelAnswered, ModelAsked, Record, ToolAnswered, ToolAsked
from leadline.ports import CallContext
from leadline.research.history import Past
from leadline.research.recorder import (
    CANCEL_MARGIN,
    DEADLINE,
    INTERRUPTED,
    Answered,
    Body,
    Call,
    Made,
    Recorder,
)

ANY_FLAG = frozenset({Flag.FINISH, Flag.CANCEL})
"""Gathering is broken off by whatever a person wishes."""

CANCEL_ONLY = frozenset({Flag.CANCEL})
"""What a finished run needs goes on until a person cancels."""

COSTLY_FAILURES = frozenset({DEADLINE, INTERRUPTED, ModelTimeout.code, ModelBroken.code})
"""Failures after which a server may have worked: the reservation is charged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """A tool call's outcome as a branch takes it."""

    call: ToolCall
    value: Json = None
    sources: tuple[Source, ...] = ()
    shown: tuple[Excerpt, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A model call's outcome as a branch takes it: exactly one of the two is set."""

    answer: ModelAnswer | None = None
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A request to a model: `complete(deadline)` is called only if the journal has no outcome."""

    request: ModelRequest
    purpose: str
    reserved: Usage
    timeout: float
    complete: Callable[[float], Awaitable[ModelAnswer]]


class Branch:
    """A part of a run: rounds in order, its own clock, its slice of the budget.

    `slowest` are the seconds that the longest model call so far has taken. `inner` are the branches
    that began here and were joined again.
    """

    def __init__(self, *, name: str, budget: Budget, recorder: Recorder, after: Sequence[Branch] = ()) -> None:
        """Begin a part of the run at the time that all of `after` have reached, or at the run's start."""
        at: float = max((branch.at for branch in after), default=recorder.history.began_at)
        self.name = name
        self.budget = budget
        self.at: float = at
        self.spent = Usage()
        self.round = 0
        self.slowest = 0.0
        self.random = random.Random(f"{recorder.started.seed}:{name}")  # noqa: S311 repeatable choice, no secret
        self.inner: list[Branch] = []
        self._began = at
        self._recorder = recorder
        self._chain = RequestChain()
        self._calls = 0
        recorder.enter(self)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._recorder.run_id

    @property
    def elapsed(self) -> float:
        """Seconds held between the branch's start and the latest outcome that it took."""
        return self._recorder.held(self.at) - self._recorder.held(self._began)

    @property
    def used(self) -> Usage:
        """What this branch and those that it joined have spent."""
        total = self.spent
        for branch in self.inner:
            total += branch.used
        return total

    @property
    def rounds(self) -> int:
        """Rounds of this branch and of those that it joined."""
        return self.round + sum(branch.rounds for branch in self.inner)

    def join(self, parts: Sequence[Branch]) -> None:
        """Take over the time and the cost of parts that worked side by side."""
        self.inner += parts
        self.at = max([self.at, *(part.at for part in parts)])
        self.slowest = max([self.slowest, *(part.slowest for part in parts)])

    def next_round(self) -> Flag | None:
        """Begin a round; return the flag that it sees."""
        self.round += 1
        self._calls = 0
        return self._recorder.flag(self.name, self.round)

    def note(self, event: Event) -> None:
        """Write an event that follows from outcomes."""
        self._recorder.note(self.name, event)

    async def text(self, source: Source) -> str:
        """Return a source's stored text."""
        return await self._recorder.text(source)

    async def models(self, wanted: Sequence[Ask], *, breaks: frozenset[Flag] = ANY_FLAG) -> list[Reply]:
        """Ask a model, several requests side by side; replies come in the order of `wanted`."""
        calls = [self._model_call(ask) for ask in wanted]
        replies = []
        for record, past in await self._recorder.calls(self.name, calls, breaks=breaks):
            answered = record.event
            assert isinstance(answered, ModelAnswered)  # noqa: S101 a model's intent has a model's outcome
            self._take(record, past, answered.usage)
            replies.append(Reply(answer=answered.answer, failure=answered.failure))
        return replies

    def _model_call(self, ask: Ask) -> Call:
        asked = ModelAsked(
            call=self._id("model"),
            model=ask.request.model,
            request=self._chain.fingerprint(ask.request),
            purpose=ask.purpose,
            reserved=ask.reserved,
        )

        async def make() -> Made:
            answer = await ask.complete(max(0.1, ask.timeout - CANCEL_MARGIN))
            return Made(ModelAnswered(call=asked.call, answer=answer, usage=replace(answer.usage, model_calls=1)))

        def failed(failure: Failure, *, began: bool) -> Answered:
            lost = ask.reserved if began and failure.code in COSTLY_FAILURES else Usage()
            return ModelAnswered(call=asked.call, failure=failure, usage=replace(lost, model_calls=int(began)))

        return Call(asked=asked, make=make, timeout=ask.timeout, failed=failed)

    async def tools(
        self,
        calls: Sequence[ToolCall],
        *,
        specs: Mapping[str, ToolSpec],
        context: CallContext,
        invoke: Callable[[ToolCall, CallContext], Awaitable[ToolResult]],
        breaks: frozenset[Flag] = ANY_FLAG,
    ) -> list[Observation]:
        """Call tools side by side; outcomes come in the order of `calls`."""
        wanted = [self._tool_call(call, specs[call.name], context=context, invoke=invoke) for call in calls]
        outcomes = await self._recorder.calls(self.name, wanted, breaks=breaks)
        observations = []
        for call, (record, past) in zip(calls, outcomes, strict=True):
            answered = record.event
            assert isinstance(answered, ToolAnswered)  # noqa: S101 a tool's intent has a tool's outcome
            self._take(record, past, answered.usage)
            observations.append(
                Observation(
                    call=call,
                    value=answered.value,
                    sources=tuple(past.sources),
                    shown=answered.shown,
                    failure=answered.failure,
                )
            )
        return observations

    def _tool_call(
        self,
        call: ToolCall,
        spec: ToolSpec,
        *,
        context: CallContext,
        invoke: Callable[[ToolCall, CallContext], Awaitable[ToolResult]],
    ) -> Call:
        asked = ToolAsked(
            call=self._id("tool"),
            tool=call.name,
            arguments=dict(call.arguments),
            request=fingerprint([call.name, call.arguments]),
            idempotent=spec.idempotent,
        )
        counted = Usage(tool_calls={call.name: 1})

        async def make() -> Made:
            result = await invoke(call, context)
            answered = ToolAnswered(
                call=asked.call,
                tool=call.name,
                value=result.value,
                sources=tuple(fetched.source.id for fetched in result.sources),
                shown=result.shown,
                usage=counted + result.usage + Usage(cost_usd=result.cost_usd),
            )
            return Made(answered, tuple(Body(f.source, f.text, f.raw) for f in result.sources))

        def failed(failure: Failure, *, began: bool) -> Answered:
            usage = counted if began else Usage()
            return ToolAnswered(call=asked.call, tool=call.name, failure=failure, usage=usage)

        return Call(asked=asked, make=make, timeout=context.deadline, failed=failed)

    def _id(self, kind: str) -> str:
        identity = f"{self.name}/{self.round}/{kind}/{self._calls}"
        self._calls += 1
        return identity

    def _take(self, record: Record, past: Past, usage: Usage) -> None:
        self.at = max(self.at, record.at)
        self.spent += usage
        asked = past.asked.event
        if isinstance(asked, ModelAsked):
            self.slowest = max(self.slowest, self._recorder.held(record.at) - self._recorder.held(past.asked.at))
        if past.lost and isinstance(asked, ModelAsked | ToolAsked):
            for _ in range(past.lost):
                self.spent += asked.reserved


class RequestChain:
    """Hashes the requests of a growing conversation: messages that the last one had are not read again.

    The hash is that of the same request hashed alone.
    """

    def __init__(self) -> None:
        self._seen: tuple[Message, ...] = ()
        self._hash = hashlib.blake2b(digest_size=16)

    def fingerprint(self, request: ModelRequest) -> str:
        """Return the hash by which a recorded request is known again."""
        messages, known = request.messages, len(self._seen)
        if messages[:known] != self._seen:  # the same objects compare at once
            self._seen, self._hash, known = (), hashlib.blake2b(digest_size=16), 0
        for message in messages[known:]:
            self._hash.update(codec.canonical(message) + b"\n")
        self._seen = messages
        whole = self._hash.copy()
        whole.update(codec.canonical(replace(request, messages=())))
        return whole.hexdigest()


def fingerprint(request: object) -> str:
    """Return the hash by which a recorded request is known again: canonical JSON, BLAKE2b, 16 bytes."""
    return hashlib.blake2b(codec.canonical(request), digest_size=16).hexdigest()
