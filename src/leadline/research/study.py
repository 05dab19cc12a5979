"""What a strategy works with: one branch, its ledger, the tools, perhaps a model, and a budget.

`ask` and `act` are the only ways out. Both go through the recorder; `act` also admits what tools
bring into the ledger, in call order, and hands back text fit for a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from leadline.domain import (
    Budget,
    Failure,
    Flag,
    Json,
    Message,
    ModelAnswer,
    ModelRequest,
    Options,
    Part,
    Price,
    Question,
    StopReason,
    ToolCall,
    ToolSpec,
    Usage,
)
from leadline.errors import ToolStop
from leadline.events import Progress
from leadline.ports import CallContext, Model, Observer
from leadline.research import budget as budgets
from leadline.research import context
from leadline.research.artefacts import made_by
from leadline.research.branch import ANY_FLAG, CANCEL_ONLY, Ask, Branch, Observation, Reply, fingerprint
from leadline.research.evidence import Ledger
from leadline.research.learnt import Learnt
from leadline.research.means import Means, Provides
from leadline.research.recorder import INTERRUPTED, Recorder

__all__ = ["Cancelled", "Gathered", "Means", "Provides", "Seen", "Study"]

SEARCHES = frozenset(["search", "scholar"])
"""Tools whose failure leaves queries unanswered."""

TOOL_SECONDS = 120.0
"""Seconds that a round's tool calls may take, where the budget leaves as much."""

MODEL_SECONDS = 600.0
"""Seconds that one model call may take, where the budget leaves as much."""


class Cancelled(Exception):
    """A person cancelled the run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A call's outcome as a strategy shows it to a model.

    `fresh` is false for a call that brought nothing: an unknown tool, a repetition, a failure.
    `observation` is `None` where no call was made and `text` is the engine's own word. `excerpts` are
    the ids of what it showed, as the ledger has them.
    """

    call: ToolCall
    text: str
    fresh: bool
    value: Json = None
    observation: Observation | None = None
    excerpts: tuple[str, ...] = ()


@dataclass(kw_only=True, slots=True)
class Gathered:
    """What gathering came to: why it ended, a draft answer in the model's words, what stayed open.

    `chosen` are ids of excerpts that a writer should see first. Of what was researched side by side,
    `plan` holds the sub-questions, `parts` what became of each, `answers` what each researcher
    concluded. `gaps` and `remarks` are phrases of the report about what stayed unexamined, and
    about how it was made.
    """

    stop: StopReason
    answer: str = ""
    notes: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    failure: Failure | None = None
    messages: tuple[Message, ...] = ()
    chosen: tuple[str, ...] = ()
    plan: tuple[str, ...] = ()
    parts: list[Part] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


class Study:
    """One branch's desk.

    `keeps` says whether gathering leaves writing its share; a part whose slice was cut beside that
    share need not. `room` is what a prompt may have of the window, in tokens. `interrupted` tells that a flag broke
    a call off which the next round has not seen yet.
    """

    def __init__(
        self, *, recorder: Recorder, branch: Branch, ledger: Ledger, means: Means, question: Question, options: Options
    ) -> None:
        self.branch = branch
        self.ledger = ledger
        self.means = means
        self.question = question
        self.options = options
        self.specs: dict[str, ToolSpec] = {spec.name: spec for spec in means.tools.specs()}
        self.failed_addresses: dict[str, str] = {}
        self.failed_searches: dict[str, str] = {}  # by query, why
        self.searched: list[str] = []
        self.visited: list[str] = []
        self.recorder = recorder
        self.keeps = True
        self.interrupted = False
        self.room = options.window - options.max_tokens
        self._asked: dict[str, int] = {}
        self._learnt: Learnt | None = None
        self._prompt = context.PromptTokens()
        self._ratio = 1.0  # real prompt tokens for an estimated one, learnt from usage

    # -- budget -------------------------------------------------------------------------------

    def answer_cost(self) -> Usage:
        """Return what one report by the model may cost."""
        prompt = min(self.options.window - self.options.max_tokens, self.options.window * 2 // 3)
        return budgets.reservation(self.options.price, prompt=max(0, prompt), completion=self.options.max_tokens)

    def stop(self, messages: Sequence[Message] = (), *, max_tokens: int = 0) -> StopReason | None:
        """Return why no further round may begin, or `None`; a flag that broke a call off is for that round to see."""
        return None if self.interrupted else self._over(self.branch.budget, messages, max_tokens)

    def spares(self, messages: Sequence[Message], *, max_tokens: int) -> bool:
        """Return whether this round may make one more model call: writing keeps its reserve."""
        return self._over(replace(self.branch.budget, steps=None), messages, max_tokens) is None

    def _over(self, budget: Budget, messages: Sequence[Message], max_tokens: int) -> StopReason | None:
        keep = self._kept(self.answer_cost() if self.means.model else Usage())
        ahead = budgets.reservation(self.options.price, prompt=self.estimate(messages), completion=max_tokens)
        return budgets.stop(
            budget,
            spent=self.branch.used,
            elapsed=self.branch.elapsed,
            rounds=self.branch.rounds,
            keep=keep,
            ahead=ahead,
        )

    def _kept(self, answer: Usage) -> budgets.Reserve:
        """Return what gathering leaves: an answer takes as long as the slowest one did."""
        if not self.keeps:
            return budgets.NOTHING_KEPT
        seconds = max(budgets.ANSWER_SECONDS, self.branch.slowest)
        return budgets.reserve(self.branch.budget, answer=answer, seconds=seconds)

    def next_round(self) -> Flag | None:
        """Begin a round. Raises `Cancelled`; returns `finish` where a person wants the report now."""
        self.interrupted = False
        flag = self.branch.next_round()
        if flag is Flag.CANCEL:
            raise Cancelled
        return flag

    def estimate(self, messages: Sequence[Message]) -> int:
        """Estimate a prompt's tokens, by what servers counted so far in this branch."""
        return int(self._prompt.of(messages) * self._ratio)

    def seconds_left(self, *, reserve: bool) -> float:
        """Return the seconds that a call of this branch may take."""
        budget = self.branch.budget
        if budget.seconds is None:
            return MODEL_SECONDS
        keep = self._kept(Usage()).seconds if reserve else 0.0
        return max(0.5, budget.seconds - self.branch.elapsed - keep)

    def affordable(self, messages: Sequence[Message], *, max_tokens: int, price: Price | None) -> bool:
        """Return whether one more model call fits what is left of the branch's budget."""
        ahead = budgets.reservation(price, prompt=self.estimate(messages), completion=max_tokens)
        return budgets.affordable(self.branch.budget, spent=self.branch.used, elapsed=self.branch.elapsed, ahead=ahead)

    def remaining(self) -> Budget:
        """Return what this branch leaves."""
        return budgets.left(
            self.branch.budget, spent=self.branch.used, elapsed=self.branch.elapsed, rounds=self.branch.rounds
        )

    # -- out ----------------------------------------------------------------------------------

    async def ask(
        self,
        messages: Sequence[Message],
        *,
        purpose: str,
        tools: Sequence[ToolSpec] = (),
        stop: Sequence[str] = (),
        reserve: bool = True,
        max_tokens: int | None = None,
        schema: Mapping[str, Json] | None = None,
    ) -> Reply:
        """Ask the model. `reserve` keeps writing's share of the time free, and lets any flag break the call off."""
        request = ModelRequest(
            messages=tuple(messages),
            model=self.options.model or "",
            tools=tuple(tools),
            temperature=self.options.temperature,
            top_p=self.options.top_p,
            max_tokens=max_tokens or self.options.max_tokens,
            stop=tuple(stop),
            seed=self.branch.random.getrandbits(31),
            schema=schema,
        )
        ask = self._asking(self.means.model, request, purpose, price=self.options.price, reserve=reserve)
        [reply] = await self.branch.models([ask], breaks=ANY_FLAG if reserve else CANCEL_ONLY)
        self._heed(reply.failure)
        if reply.answer is not None and reply.answer.usage.prompt_tokens:
            estimated = self._prompt.of(messages)
            self._ratio = min(4.0, max(0.25, reply.answer.usage.prompt_tokens / max(1, estimated)))
        return reply

    async def judge(
        self, prompts: Sequence[Sequence[Message]], *, schema: Mapping[str, Json], max_tokens: int
    ) -> list[Reply]:
        """Put prompts to the judge side by side."""
        asks = []
        for messages in prompts:
            request = ModelRequest(
                messages=tuple(messages),
                model=self.options.judge or "",
                temperature=0.0,
                max_tokens=max_tokens,
                seed=self.branch.random.getrandbits(31),
                schema=schema,
            )
            asks.append(self._asking(self.means.judge, request, "judge", price=self.options.judge_price, reserve=False))
        replies = await self.branch.models(asks)
        for reply in replies:
            self._heed(reply.failure)
        return replies

    def _asking(
        self, model: Model | None, request: ModelRequest, purpose: str, *, price: Price | None, reserve: bool
    ) -> Ask:
        assert model is not None  # noqa: S101 strategies ask only where a model is set
        session = f"{self.branch.run_id}/{self.branch.name}"

        async def complete(deadline: float) -> ModelAnswer:
            answer = await model.complete(request, deadline=deadline, session=session, progress=self._progress)
            return replace(answer, usage=budgets.priced(answer.usage, price))

        return Ask(
            request=request,
            purpose=purpose,
            reserved=budgets.reservation(price, prompt=self.estimate(request.messages), completion=request.max_tokens),
            timeout=min(MODEL_SECONDS, self.seconds_left(reserve=reserve)),
            complete=complete,
        )

    async def act(self, calls: Sequence[ToolCall], *, limit: int, breaks: frozenset[Flag] = ANY_FLAG) -> list[Seen]:
        """Make calls side by side; texts are at most about `limit` characters each.

        A call of an unknown tool, or one that was made before in this branch, is not made: the
        text says so. Raises `ToolStop` where a tool says that the run must stop.
        """
        wanted: list[ToolCall] = []
        refused: dict[int, str] = {}
        for index, call in enumerate(calls):
            reason = self._refusal(call)
            if reason:
                refused[index] = reason
            else:
                wanted.append(call)
        observations = iter(await self._make(wanted, breaks) if wanted else ())
        seen = []
        for index, call in enumerate(calls):
            if index in refused:
                seen.append(Seen(call=call, text=refused[index], fresh=False))
            else:
                seen.append(await self._show(next(observations), limit))
        return seen

    def _refusal(self, call: ToolCall) -> str:
        if call.name not in self.specs:
            return f"Error (unknown_tool): there is no tool `{call.name}`. Tools: {', '.join(self.specs)}."
        key = fingerprint([call.name, call.arguments])
        if key in self._asked:
            return (
                f"Error (repeated_call): this very call was made in round {self._asked[key]}; its result was shown "
                "then. Ask something else, or answer with what you have."
            )
        self._asked[key] = self.branch.round
        return ""

    async def _make(self, calls: Sequence[ToolCall], breaks: frozenset[Flag]) -> list[Observation]:
        learnt = self._learnt = self._learnt or Learnt.of(
            self.ledger, online=bool(self.options.web or self.options.urls or self.options.external)
        )
        tool_context = CallContext(
            run_id=self.branch.run_id,
            tenant=self.recorder.tenant,
            deadline=min(TOOL_SECONDS, self.seconds_left(reserve=True)),
            goal=self.question.text,
            language=self.question.language,
            options=self.options,
            known=learnt.addresses,
            private=learnt.private,
            told=learnt.told,
        )
        return await self.branch.tools(
            calls, specs=self.specs, context=tool_context, invoke=self.means.tools.call, breaks=breaks
        )

    async def _show(self, observation: Observation, limit: int) -> Seen:
        call = observation.call
        if observation.failure is not None:
            failure = observation.failure
            self._heed(failure)
            if failure.code == ToolStop.code:
                raise ToolStop(failure.message)
            if call.name in SEARCHES and failure.code != INTERRUPTED:
                self.failed_searches.update(dict.fromkeys(_strings(call.arguments.get("query")), failure.message))
            if failure.retryable or failure.code == INTERRUPTED:
                self._asked.pop(fingerprint([call.name, call.arguments]), None)
            return Seen(
                call=call, text=f"Error ({failure.code}): {failure.message}", fresh=False, observation=observation
            )
        for query in _strings(call.arguments.get("query")):
            self.searched.append(query)
            self.failed_searches.pop(query, None)
        self.visited += _strings(call.arguments.get("url"))
        texts: dict[str, str] = {}
        for source in observation.sources:
            text = await self.branch.text(source)
            self.ledger.admit(source if self._learnt is None else self._learnt.described(source), text)
            texts[source.id] = text
        excerpts = tuple(
            self.ledger.excerpt(shown.source_id, shown.start, shown.end, snap=False).id
            for shown in observation.shown
            if texts.get(shown.source_id, "")[max(0, shown.start) : shown.end].strip()
        )
        if self._learnt is not None:
            self._learnt.take(observation.value, sources=observation.sources, shown=observation.shown, texts=texts)
        for made in made_by(call, observation.value):
            self.ledger.keep(made)
        self.failed_addresses.update(_unread(observation.value))
        return Seen(
            call=call,
            text=await self._cut(self.means.tools.render(call.name, observation.value, texts), call, limit),
            fresh=True,
            value=observation.value,
            observation=observation,
            excerpts=excerpts,
        )

    async def _cut(self, text: str, call: ToolCall, limit: int) -> str:
        """Return what a prompt holds of an observation: where it is too long, the passages nearest to its goal."""
        if len(text) <= limit:
            return text
        return await self.means.cpu.run(context.cut, text, self._goal(call), limit, size=len(text))

    def _heed(self, failure: Failure | None) -> None:
        self.interrupted = self.interrupted or (failure is not None and failure.code == INTERRUPTED)

    def _goal(self, call: ToolCall) -> str:
        goal = call.arguments.get("goal")
        return goal if isinstance(goal, str) and goal else self.question.text

    @property
    def began_at(self) -> float:
        """Unix time at which the run began: the engine's only date."""
        return self.recorder.history.began_at

    def _progress(self, kind: str, text: str) -> None:
        def tell(observer: Observer) -> None:
            observer.progress(Progress(run_id=self.branch.run_id, branch=self.branch.name, kind=kind, text=text))

        self.recorder.progress(tell)


def _unread(value: Json) -> dict[str, str]:
    """Return the pages of a visit that could not be read, with the reason."""
    pages = value.get("pages") if isinstance(value, dict) else None
    failed = [p for p in pages if isinstance(p, dict) and "failure" in p] if isinstance(pages, list) else []
    return {page["url"]: page["failure"]["message"] for page in failed}


def _strings(value: Json) -> list[str]:
    """Return the strings of an argument that is one or a list of them."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str)]
