"""Plan: sub-questions side by side, then an outline and its sections.

A model makes the plan, a person may approve it, each sub-question is researched in a branch of its
own with its slice of the budget, and what they found is merged in the order of the plan. A part that
fails leaves the others as they are: what it would have answered is told as open.
"""

from __future__ import annotations

from collections.abc import Sequence

from leadline.domain import Failure, Plan, Step, StopReason
from leadline.research.auto import choose_single
from leadline.research.phrases import phrase, spoken
from leadline.research.planning import MOST_STEPS, approved, planned
from leadline.research.side import gathered_by, join, joint_reason, part_of, side_by_side, slices, told_parts
from leadline.research.strategies import extractive
from leadline.research.strategies.single import SINGLE
from leadline.research.study import Gathered, Study

WRITING = 3
"""Answers that writing costs: the outline, the sections together, the direct answer."""


async def gather(study: Study) -> Gathered:
    """Make a plan and research its sub-questions; without a usable plan the question is researched as one."""
    most = MOST_STEPS if study.options.budget.steps is None else min(MOST_STEPS, study.options.budget.steps)
    made = await planned(study, "plan", most=max(1, most))
    if made.early:
        return Gathered(stop=StopReason.FINISHED_EARLY)
    plan = made.value or Plan(steps=(Step(text=study.question.text),))
    plan = approved(study, plan)
    if made.value is None and len(plan.steps) == 1:
        return await _as_one(study, made.failure)
    return await _researched(study, [step.text for step in plan.steps])


async def _as_one(study: Study, failure: Failure | None) -> Gathered:
    gathered = await SINGLE[choose_single(study.options).strategy](study)
    reason = "" if failure is None else failure.message
    gathered.remarks.append(phrase("plan_failed", study.question.language, reason=reason))
    return gathered


async def _researched(study: Study, questions: Sequence[str]) -> Gathered:
    """Research sub-questions side by side, as many as there are steps for."""
    left = study.remaining().steps
    chosen = questions if left is None else questions[: max(1, left)]
    language = study.question.language
    known = len(study.ledger.sources)
    budgets = slices(study, len(chosen), answers=WRITING)
    parts = [
        part_of(study, f"part-{number}", budget=budget, question=question)
        for number, (question, budget) in enumerate(zip(chosen, budgets, strict=True), 1)
    ]
    outcomes = await side_by_side(parts, lambda _, part: _answered(part))
    told = told_parts(parts, outcomes, known=known)
    join(study, parts)
    gathered = Gathered(
        stop=joint_reason(outcomes),
        open=[title for outcome in outcomes for title in outcome.open],
        notes=list(dict.fromkeys(note for outcome in outcomes for note in outcome.notes)),
        plan=tuple(chosen),
        parts=told,
        answers=[outcome.answer for outcome in outcomes],
        remarks=[remark for outcome in outcomes for remark in outcome.remarks],
    )
    for question, outcome, part in zip(chosen, outcomes, told, strict=True):
        if not part.sources:
            reason = _reason(outcome, language)
            gathered.gaps.append(phrase("part_open", language, question=question, reason=reason))
    gathered.gaps += [phrase("part_dropped", language, question=question) for question in questions[len(chosen) :]]
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    if failures and not any(part.sources for part in told):
        gathered.failure = failures[0]
    return gathered


async def _answered(part: Study) -> Gathered:
    """Research one sub-question; where the model fails, search and read without it, in the same slice."""
    gathered = await gathered_by(SINGLE[choose_single(part.options).strategy], part)
    failure = gathered.failure
    if failure is None:
        return gathered
    again = await gathered_by(extractive.gather, part)
    again.notes = [*gathered.notes, *again.notes]
    again.remarks.append(
        phrase("part_quoted", part.question.language, reason=failure.message, question=part.question.text)
    )
    again.stop = gathered.stop if again.stop is StopReason.ANSWERED else again.stop
    again.failure = failure
    return again


def _reason(outcome: Gathered, language: str) -> str:
    if outcome.failure is not None:
        return outcome.failure.message
    return phrase(outcome.stop, language) if spoken(outcome.stop) else phrase("part_nothing", language)
