"""Heavy: several researchers side by side on one question, each with an angle and a seed of its own.

They know nothing of each other; their evidence is merged in their order and one report is written
from all of it, with each one's conclusion beside it. The wall time is about that of one researcher.
A researcher that dies costs what it alone would have found.
"""

from __future__ import annotations

from collections.abc import Sequence

from leadline.domain import Plan, Step, StopReason
from leadline.research.auto import choose_single
from leadline.research.phrases import phrase
from leadline.research.planning import MOST_STEPS, approved, planned
from leadline.research.side import gathered_by, join, joint_reason, part_of, read_by, side_by_side, slices, told_parts
from leadline.research.strategies.single import SINGLE
from leadline.research.study import Gathered, Study
from leadline.research.write import relabelled

WRITING = 2
"""Answers that fusion costs at most: it is asked again where a server takes less than was said."""

ANGLES = (
    "Look at original sources and data first.",
    "Look first for what speaks against the obvious answer: criticism, corrections, exceptions.",
    "Look at what is newest first, and at what changed.",
    "Look at how it began and developed first.",
    "Look first at what independent others say, far from those concerned.",
    "Look at numbers and how they were measured first.",
    "Search in other words and other languages than the question's.",
)
"""Angles where the model gives none; the first researcher has the bare question."""


async def gather(study: Study) -> Gathered:
    """Let researchers work on the question at once, and merge what they found."""
    count = min(study.options.researchers, MOST_STEPS)
    made = await planned(study, "angles", most=max(1, count - 1))
    if made.early:
        return Gathered(stop=StopReason.FINISHED_EARLY)
    given = () if made.value is None else made.value.steps
    left = study.remaining().steps
    angles = [*(step.text for step in given), *ANGLES][: count - 1 if left is None else min(count, left) - 1]
    plan = approved(study, Plan(steps=tuple(Step(text=angle) for angle in angles)))
    return await _researched(study, [step.text for step in plan.steps])


async def _researched(study: Study, angles: Sequence[str]) -> Gathered:
    question = study.question.text
    asked = [question, *(f"{question}\n\n{angle}" for angle in angles)]
    known = len(study.ledger.sources)
    budgets = slices(study, len(asked), answers=WRITING)
    parts = [
        part_of(study, f"researcher-{number}", budget=budget, question=text)
        for number, (text, budget) in enumerate(zip(asked, budgets, strict=True), 1)
    ]
    strategy = SINGLE[choose_single(study.options).strategy]
    outcomes = await side_by_side(parts, lambda _, part: gathered_by(strategy, part))
    told = told_parts(parts, outcomes, known=known)
    gathered = Gathered(
        stop=joint_reason(outcomes),
        open=[title for outcome in outcomes for title in outcome.open],
        notes=list(dict.fromkeys(note for outcome in outcomes for note in outcome.notes)),
        parts=told,
        chosen=tuple(dict.fromkeys(one for outcome in outcomes for one in outcome.chosen)),
        remarks=[*_lost(outcomes, study.question.language), _overlap(parts, study.question.language)],
    )
    join(study, parts)
    gathered.answers = [
        relabelled(outcome.answer, part.ledger, whole=study.ledger)
        for outcome, part in zip(outcomes, parts, strict=True)
    ]
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    if len(failures) == len(outcomes):
        gathered.failure = failures[0]
    return gathered


def _lost(outcomes: Sequence[Gathered], language: str) -> list[str]:
    return [
        phrase("researcher_lost", language, number=number, reason=outcome.failure.message)
        for number, outcome in enumerate(outcomes, 1)
        if outcome.failure is not None
    ]


def _overlap(parts: Sequence[Study], language: str) -> str:
    readers = read_by(parts)
    shared = sum(count > 1 for count in readers.values())
    return phrase("overlap", language, count=len(parts), pages=len(readers), shared=shared)
