"""A question in, a verified report out: the whole story on one screen.

    recall   evidence of an earlier run, where the caller named one
    clarify  at most one question back to the person, where that was allowed
    gather   a strategy searches and reads into the ledger; without a usable model, the extractive one
    write    by a model over the ledger, or quoted sentences where no model can write
    verify   each claim against its excerpts; a judge only for what words cannot decide
    frame    the answer as JSON as well, where a schema was given
    deliver  the report, by policy; where an earlier run was asked the same, with what changed since

Each part is a branch of the recorder with its slice of the budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from leadline import codec
from leadline.domain import (
    Changes,
    Draft,
    Failure,
    Gist,
    Options,
    Policy,
    Question,
    Report,
    RunState,
    StopReason,
    StrategyName,
    Structured,
    ToolCall,
    Usage,
    Verdict,
)
from leadline.errors import ToolStop
from leadline.ports import Tools
from leadline.research import budget as budgets
from leadline.research import write
from leadline.research.auto import choose
from leadline.research.branch import CANCEL_ONLY, Branch
from leadline.research.evidence import Ledger
from leadline.research.phrases import phrase, spoken
from leadline.research.planning import clarified
from leadline.research.recorder import Recorder
from leadline.research.reporting.report import Ending, assemble
from leadline.research.strategies import STRATEGIES
from leadline.research.structured import structured
from leadline.research.study import Cancelled, Gathered, Means, Seen, Study
from leadline.research.verification.checking import Findings, check
from leadline.research.writing import written
from leadline.telling.changes import changes, same_question

RESEARCH_STEPS = 6
"""Rounds for the claims that policy `research` looks into again."""

STARVED = frozenset({StopReason.TOKENS, StopReason.MONEY, StopReason.DEADLINE})
"""Reasons for which a model's gathering may end with nothing, where gathering without one still brings something."""

CLAIM_CHARS = 400
"""Characters that a claim counts as where work beside the loop is estimated."""


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

    Raises what the store raises (`LeaseLost` among it), and `Waits` where a person must answer first:
    then the run is not over.
    """
    run = _Run(recorder, means)
    try:
        report = await run.story()
    except Cancelled:
        return Conclusion(state=RunState.CANCELLED, stop=StopReason.CANCELLED, usage=recorder.usage)
    stop = StopReason(report.stop_reason)
    return Conclusion(state=RunState.DONE, stop=stop, report=report, failure=run.failure, usage=recorder.usage)


def told_by(seen: Sequence[Seen]) -> Gist | None:
    """Return what an earlier run's report told, where one of the outcomes holds it."""
    for outcome in seen:
        value = outcome.value if isinstance(outcome.value, dict) else {}
        if value.get("told"):
            return codec.build(Gist, value["told"])
    return None


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
        self.gaps: list[str] = []
        self.strategy = choose(self.question.text, self.options).strategy
        self.failed: dict[str, str] = {}
        self.failed_searches: dict[str, str] = {}
        self.searched = False
        self.told: Gist | None = None

    async def story(self) -> Report:
        await self._recall()
        await self._clarify()
        gathered = await self._gather()
        draft = await self._write(gathered)
        checked = await self._verify(draft)
        if self.options.policy is Policy.RESEARCH:
            checked = await self._research_again(draft, checked)
        structured = await self._structure(checked)
        report = self._deliver(gathered, draft, checked, structured=structured)
        return replace(report, changes=await self._compare(report))

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
        self.told = told_by(seen)

    async def _clarify(self) -> None:
        """Let the model ask one question back; the answer is part of what is asked from then on."""
        if not self.options.clarify or self.means.model is None or self.strategy is StrategyName.EXTRACTIVE:
            return
        study = self._study("clarify")
        text = await clarified(study)
        self._settle(study)
        self.question = replace(self.question, text=text)

    async def _gather(self) -> Gathered:
        name = self.strategy
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
        gathered.remarks = [*failed.remarks, *gathered.remarks]
        gathered.gaps = [*failed.gaps, *gathered.gaps]
        gathered.parts = failed.parts
        return gathered

    async def _write(self, gathered: Gathered) -> Draft:
        self.open += gathered.open
        self.gaps += gathered.gaps
        self.notes += [phrase(n, self.question.language) for n in gathered.notes if spoken(n)]
        self.notes += gathered.remarks
        if self.means.model is not None and self.failure is None and self.strategy is not StrategyName.EXTRACTIVE:
            text = await self._written(gathered)
            gaps = phrase("not_found", self.question.language)
            draft = write.draft_of(text, self.ledger, written_by=self.options.model or "", gaps=gaps)
            if draft.answer or draft.sections:
                return draft
        size = sum(source.chars for source in self.ledger.sources)
        made = await self.means.cpu.run(write.extract, self.question.text, self.ledger, self.options.length, size=size)
        lacking = self._lacking(gathered.stop)
        return write.extractive_draft(made, self.ledger, language=self.question.language, lacking=lacking)

    def _lacking(self, stop: StopReason) -> str:
        """Return the name of the phrase that says why nothing was found."""
        options = self.options
        online = bool(options.web or options.urls)
        if stop is StopReason.FINISHED_EARLY:
            return "nothing_early"
        if options.not_read.all and not online:
            return "nothing_to_search"
        if self.failed_searches and not self.searched and not self.ledger.sources:
            return "nothing_searched"
        return "nothing_online" if online and not options.corpora else "nothing"

    async def _written(self, gathered: Gathered) -> str:
        study = self._study("write")
        done = await written(study, gathered)
        self._settle(study)
        self.failure = done.failure
        self.notes += done.remarks
        self.gaps += done.gaps
        return done.text

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

    async def _structure(self, checked: Findings) -> Structured | None:
        """Return the answer as JSON where a schema was given and a model works."""
        if self.options.schema is None or self.means.model is None or not checked.told.claims:
            return None
        study = self._study("structure")
        found = await structured(study, checked.told.claims, chars=max(2_000, study.room))
        self._settle(study)
        if found.failure is not None:
            self.notes.append(phrase("structure_failed", self.question.language, reason=found.failure.message))
        return found.value

    async def _compare(self, report: Report) -> Changes | None:
        """Return what changed since the earlier run, where that was asked the same."""
        if self.told is None or not same_question(self.told.question, report.question):
            return None
        size = CLAIM_CHARS * (len(report.claims) + len(self.told.claims))
        return await self.means.cpu.run(changes, self.told, report, size=size)

    def _deliver(self, gathered: Gathered, draft: Draft, checked: Findings, *, structured: Structured | None) -> Report:
        stop = gathered.stop
        if not checked.told.claims and stop is StopReason.ANSWERED:
            stop = StopReason.NOTHING_FOUND
        if self.failure is not None and stop is StopReason.ANSWERED:
            stop = StopReason.ERROR
        return assemble(
            Ending(
                run_id=self.recorder.run_id,
                question=self.recorder.started.question,
                options=self.options,
                strategy=self.strategy,
                stop=stop,
                at=self.recorder.latest,
                usage=self.recorder.usage,
                failure=self.failure,
                notes=tuple(self.notes),
                unread=tuple(dict.fromkeys(self.open)),
                failed=dict(self.failed),
                failed_searches=dict(self.failed_searches),
                gaps=tuple(dict.fromkeys(self.gaps)),
                parts=tuple(gathered.parts),
                structured=structured,
            ),
            ledger=self.ledger,
            draft=draft,
            findings=checked,
        )

    # -- inside -------------------------------------------------------------------------------

    def _study(self, name: str, *, tools: Tools | None = None) -> Study:
        branch = Branch(
            name=name, budget=self.left, recorder=self.recorder, after=() if self.last is None else (self.last,)
        )
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
            self.left, spent=study.branch.used, elapsed=study.branch.elapsed, rounds=study.branch.rounds
        )
        self.last = study.branch
        self.failed.update(study.failed_addresses)
        self.failed_searches.update(study.failed_searches)
        self.searched = self.searched or bool(study.searched)
