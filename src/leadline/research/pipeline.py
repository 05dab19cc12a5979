"""A question in, a verified report out: the whole story on one screen.

    recall   evidence of an earlier run, where the caller named one
    gather   a strategy searches and reads into the ledger; without a usable model, the extractive one
    write    one call over the ledger, or quoted sentences where no model can write
    verify   each claim against its excerpts; a judge only for what words cannot decide
    deliver  the report, by policy

Each part is a branch of the recorder with its slice of the budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from leadline.domain import (
    Dialect,
    Draft,
    Failure,
    Message,
    Options,
    Policy,
    Question,
    Report,
    RunState,
    StopReason,
    StrategyName,
    ToolCall,
    Usage,
    Verdict,
)
from leadline.errors import ContextOverflow, ToolStop
from leadline.ports import Tools
from leadline.research import budget as budgets
from leadline.research import context, write
from leadline.research.branch import CANCEL_ONLY, Branch
from leadline.research.checking import Findings, check
from leadline.research.evidence import Ledger
from leadline.research.parse import Answer, parse_turn
from leadline.research.phrases import language_name, phrase, spoken
from leadline.research.prompts import prompt
from leadline.research.recorder import Recorder
from leadline.research.report import Ending, assemble
from leadline.research.strategies import STRATEGIES
from leadline.research.study import Cancelled, Gathered, Means, Study

RESEARCH_STEPS = 6
"""Rounds for the claims that policy `research` looks into again."""

STARVED = frozenset({StopReason.TOKENS, StopReason.MONEY, StopReason.DEADLINE})
"""Reasons for which a model's gathering may end with nothing, where gathering without one still brings something."""

WRITER_ROOM = (1.0, 0.5, 0.25)
"""Shares of the window that the writer's excerpts may fill, tried in order where a server takes less than was said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conclusion:
    """What a run came to."""

    state: RunState
    stop: StopReason
    report: Report | None = None
    failure: Failure | None = None
    usage: Usage = field(default_factory=Usage)


async def conduct(recorder: Recorder, means: Means) -> Conclusion:
    """Carry a run through, or take it up where the journal ends.

    Raises what the store raises (`LeaseLost` among it): then the run is not over.
    """
    run = _Run(recorder, means)
    try:
        report = await run.story()
    except Cancelled:
        return Conclusion(state=RunState.CANCELLED, stop=StopReason.CANCELLED, usage=recorder.usage)
    stop = StopReason(report.stop_reason)
    return Conclusion(state=RunState.DONE, stop=stop, report=report, failure=run.failure, usage=recorder.usage)


def resolved(options: Options) -> StrategyName:
    """Return the strategy that `auto` stands for."""
    if options.strategy is StrategyName.AUTO:
        return StrategyName.REACT if options.model else StrategyName.EXTRACTIVE
    return options.strategy


class _Run:
    """The parts of one run, in order, and what they hand on."""

    def __init__(self, recorder: Recorder, means: Means) -> None:
        self.recorder = recorder
        self.question: Question = recorder.started.question
        self.options: Options = recorder.started.options
        self.means = means
        self.ledger = Ledger(read=recorder.blobs.reader(recorder.tenant).read)
        self.left = self.options.budget
        self.last: Branch | None = None
        self.failure: Failure | None = None
        self.notes: list[str] = []
        self.open: list[str] = []
        self.failed: dict[str, str] = {}

    async def story(self) -> Report:
        await self._recall()
        gathered = await self._gather()
        draft = await self._write(gathered)
        checked = await self._verify(draft)
        if self.options.policy is Policy.RESEARCH:
            checked = await self._research_again(draft, checked)
        return self._deliver(gathered, draft, checked)

    # -- parts --------------------------------------------------------------------------------

    async def _recall(self) -> None:
        earlier = self.options.ledger_of
        if earlier is None or self.means.recall is None:
            return
        study = self._study("recall", tools=self.means.recall)
        study.next_round()
        calls = [ToolCall(name=name, arguments={"run": earlier}) for name in study.specs]
        seen = await study.act(calls, limit=1, breaks=CANCEL_ONLY)
        self._settle(study)
        study.next_round()  # a person who cancelled is heard here
        lacking = [outcome.text for outcome in seen if not outcome.fresh]
        if lacking:
            raise ToolStop(f"run {earlier} gives no evidence to go on with: {lacking[0]}")

    async def _gather(self) -> Gathered:
        name = resolved(self.options)
        model = name is not StrategyName.EXTRACTIVE
        if model and self.means.model is None:
            model, name = False, StrategyName.EXTRACTIVE
        study = self._study("gather")
        gathered = await self._gathered(name, study)
        starved = gathered.stop in STARVED and not self.ledger.excerpts
        if model and (self.failure is not None or starved):
            return await self._gather_without_model(gathered)
        return gathered

    async def _gathered(self, name: StrategyName, study: Study) -> Gathered:
        """Run a strategy; a tool that stops the run leaves what was gathered before."""
        try:
            gathered = await STRATEGIES[name](study)
        except ToolStop as stop:
            gathered = Gathered(stop=StopReason.ERROR, failure=Failure(code=stop.code, message=str(stop)))
        self._settle(study)
        self.failure = self.failure or gathered.failure
        return gathered

    async def _gather_without_model(self, failed: Gathered) -> Gathered:
        gathered = await self._gathered(StrategyName.EXTRACTIVE, self._study("fallback"))
        gathered.stop = failed.stop
        gathered.notes = [*failed.notes, *gathered.notes]
        return gathered

    async def _write(self, gathered: Gathered) -> Draft:
        self.open += gathered.open
        self.notes += [phrase(n, self.question.language) for n in gathered.notes if spoken(n)]
        gaps = phrase("not_found", self.question.language)
        if (
            self.means.model is not None
            and self.failure is None
            and resolved(self.options) is not StrategyName.EXTRACTIVE
        ):
            text = await self._written(gathered)
            draft = write.draft_of(text, self.ledger, written_by=self.options.model or "", gaps=gaps)
            if draft.answer or draft.sections:
                return draft
        size = sum(source.chars for source in self.ledger.sources)
        made = await self.means.cpu.run(write.extract, self.question.text, self.ledger, self.options.length, size=size)
        return write.extractive_draft(made, self.ledger, language=self.question.language)

    async def _written(self, gathered: Gathered) -> str:
        """Return the model's text, empty where it gave none or there was nothing to write from or with."""
        own = self.options.dialect is Dialect.TONGYI
        if own and gathered.answer:
            return gathered.answer
        forced = own and bool(gathered.messages)
        if not forced and not self.ledger.excerpts:
            return ""
        study = self._study("write")
        text = ""
        for part in WRITER_ROOM:
            study.next_round()
            messages = self._forced(gathered) if forced else await self._writer_messages(part)
            if not study.affordable(messages, max_tokens=self.options.max_tokens, price=self.options.price):
                self.notes.append(phrase("no_room", self.question.language))
                break
            reply = await study.ask(messages, purpose="write", reserve=False)
            text = _said(reply.answer.text) if reply.answer is not None else ""
            self.failure = reply.failure
            if forced or reply.failure is None or reply.failure.code != ContextOverflow.code:
                break
        if study.interrupted:
            study.next_round()  # a person who cancelled is heard here
        self._settle(study)
        return text

    def _forced(self, gathered: Gathered) -> Sequence[Message]:
        """Return the conversation with the wish for an answer now."""
        force = prompt("force").format(language=language_name(self.question.language))
        return context.joined((*gathered.messages, Message(role="user", content=force)))

    async def _writer_messages(self, part: float) -> Sequence[Message]:
        """Return the writer's prompt, with as many excerpts as `part` of the window and the tokens left allow."""
        room = int((self.options.window - self.options.max_tokens) * part)
        if self.left.tokens is not None:
            room = min(room, self.left.tokens - self.options.max_tokens)
        sample = "".join(s.title for s in self.ledger.sources)[:2000] + self.question.text
        dense = context.tokens(sample) > len(sample) // 2
        chars = int(max(1_000, room * 0.9) * (1.0 if dense else 3.0))
        size = sum(excerpt.end - excerpt.start for excerpt in self.ledger.excerpts)
        wish = write.Wish(
            question=self.question.text,
            language=self.question.language,
            length=self.options.length,
            budget_chars=chars,
        )
        return await self.means.cpu.run(write.writer_messages, wish, self.ledger, size=size)

    async def _verify(self, draft: Draft, *, name: str = "verify") -> Findings:
        study = self._study(name)
        study.branch.budget = budgets.least(self.left, budgets.share(self.options.budget, budgets.CHECK_SHARE))
        checked = await check(study, draft)
        self._settle(study)
        return checked

    async def _research_again(self, draft: Draft, checked: Findings) -> Findings:
        """Gather once more for what is not supported, and check those claims against the larger ledger."""
        weak = [c.text for c in checked.told.claims if c.verdict in {Verdict.UNSUPPORTED, Verdict.UNCHECKED}]
        if not weak:
            return checked
        study = self._study("research")
        study.question = replace(self.question, text=f"{self.question.text}\n" + "\n".join(weak[:8]))
        steps = RESEARCH_STEPS if study.branch.budget.steps is None else min(RESEARCH_STEPS, study.branch.budget.steps)
        study.branch.budget = replace(study.branch.budget, steps=steps)
        known = len(self.ledger.sources)
        await self._gathered(StrategyName.EXTRACTIVE, study)
        if len(self.ledger.sources) == known:
            return checked
        return await self._verify(draft, name="verify-again")

    def _deliver(self, gathered: Gathered, draft: Draft, checked: Findings) -> Report:
        stop = gathered.stop
        if not checked.told.claims and stop is StopReason.ANSWERED:
            stop = StopReason.NOTHING_FOUND
        if self.failure is not None and stop is StopReason.ANSWERED:
            stop = StopReason.ERROR
        return assemble(
            Ending(
                run_id=self.recorder.run_id,
                question=self.question,
                options=self.options,
                strategy=resolved(self.options),
                stop=stop,
                at=self.recorder.latest,
                usage=self.recorder.usage,
                failure=self.failure,
                notes=tuple(self.notes),
                unread=tuple(dict.fromkeys(self.open)),
                failed=dict(self.failed),
            ),
            ledger=self.ledger,
            draft=draft,
            findings=checked,
        )

    # -- inside -------------------------------------------------------------------------------

    def _study(self, name: str, *, tools: Tools | None = None) -> Study:
        branch = Branch(name=name, budget=self.left, recorder=self.recorder, after=self.last)
        return Study(
            recorder=self.recorder,
            branch=branch,
            ledger=self.ledger,
            means=self.means if tools is None else replace(self.means, tools=tools),
            question=self.question,
            options=self.options,
        )

    def _settle(self, study: Study) -> None:
        """Take over what a branch used of the budget and of time."""
        self.left = budgets.left(
            self.left, spent=study.branch.spent, elapsed=study.branch.elapsed, rounds=study.branch.round
        )
        self.last = study.branch
        self.failed.update(study.failed_addresses)


def _said(text: str) -> str:
    """Return a writer's text without thoughts and tags; empty where it asks for tools instead of writing."""
    turn = parse_turn(text)
    return turn.text if isinstance(turn, Answer) else ""
