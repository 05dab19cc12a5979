"""Parts of a run that work side by side: each a branch with its slice of the budget and its own ledger.

Nothing that decides depends on which of them is done first. Slices are cut before any part begins,
ledgers are merged in the order of the parts, and the time after them is the latest that any reached.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from leadline.domain import Budget, Failure, Part, Question, StopReason
from leadline.errors import ToolStop
from leadline.research import budget as budgets
from leadline.research.branch import Branch
from leadline.research.evidence import Ledger
from leadline.research.study import Cancelled, Gathered, Study
from leadline.research.together import together

T = TypeVar("T")


def slices(study: Study, parts: int, *, answers: int) -> list[Budget]:
    """Return equal slices of what a study leaves beside the share of writing, which costs `answers` answers."""
    one = study.answer_cost()
    cost = replace(
        one,
        prompt_tokens=one.prompt_tokens * answers,
        completion_tokens=one.completion_tokens * answers,
        cost_usd=one.cost_usd * answers,
    )
    seconds = answers * max(budgets.ANSWER_SECONDS, study.branch.slowest)
    left = study.remaining()
    return budgets.slices(left, keep=budgets.reserve(left, answer=cost, seconds=seconds), parts=parts)


def part_of(
    study: Study, name: str, *, budget: Budget, question: str | None = None, ledger: Ledger | None = None
) -> Study:
    """Return a desk beside others: a branch that begins where `study` is.

    Its ledger is one of its own that holds what is known so far, or the one given, to read from.
    """
    asked = study.question if question is None else Question(text=question, language=study.question.language)
    part = Study(
        recorder=study.recorder,
        branch=Branch(name=name, budget=budget, recorder=study.recorder, after=(study.branch,)),
        ledger=ledger or study.ledger.fork(),
        means=study.means,
        question=asked,
        options=study.options,
    )
    part.keeps = False
    return part


async def side_by_side(parts: Sequence[Study], work: Callable[[int, Study], Awaitable[T]]) -> list[T]:
    """Carry out `work(number, part)` for all parts at once; results come in the order of the parts.

    A cancelled run ends once every part has taken notice.
    """

    async def one(number: int, part: Study) -> T | None:
        try:
            return await work(number, part)
        except Cancelled:
            return None

    works = {part.branch.name: one(number, part) for number, part in enumerate(parts)}
    results = await together(works)
    if any(result is None for result in results):
        raise Cancelled
    return [result for result in results if result is not None]


async def gathered_by(work: Callable[[Study], Awaitable[Gathered]], part: Study) -> Gathered:
    """Return what a part gathers; a tool that stops it leaves what it found before."""
    try:
        return await work(part)
    except ToolStop as stop:
        return Gathered(stop=StopReason.ERROR, failure=Failure(code=stop.code, message=str(stop)))


def join(study: Study, parts: Sequence[Study]) -> None:
    """Take over what parts found, spent and failed to read, in their order."""
    for part in parts:
        if part.ledger is not study.ledger:
            study.ledger.merge(part.ledger)
        study.failed_addresses.update(part.failed_addresses)
        study.failed_searches.update(part.failed_searches)
        study.searched += part.searched
        study.visited += part.visited
    study.branch.join([part.branch for part in parts])


def told_parts(parts: Sequence[Study], outcomes: Sequence[Gathered], *, known: int) -> list[Part]:
    """Return what became of each part; `known` sources were there before."""
    read = [_read(part) for part in parts]
    readers = read_by(parts)
    return [
        Part(
            question=part.question.text,
            stop_reason=outcome.stop,
            sources=len(part.ledger.sources) - known,
            addresses=len(addresses),
            shared=sum(readers[address] > 1 for address in addresses),
        )
        for part, outcome, addresses in zip(parts, outcomes, read, strict=True)
    ]


def read_by(parts: Sequence[Study]) -> Counter[str]:
    """Return how many parts read each address."""
    return Counter(address for part in parts for address in _read(part))


def _read(part: Study) -> set[str]:
    """Return the addresses that a part read; a fragment makes no other page."""
    return {uri.partition("#")[0].rstrip("/") for uri in part.visited if uri not in part.failed_addresses}


def joint_reason(outcomes: Sequence[Gathered]) -> StopReason:
    """Return why several parts ended together: answered where one was, a person's wish before all."""
    reasons = [outcome.stop for outcome in outcomes]
    for reason in (StopReason.FINISHED_EARLY, StopReason.ANSWERED):
        if reason in reasons:
            return reason
    return reasons[0]
