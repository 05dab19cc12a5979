"""Verification as a part of a run: words and values for every claim, a judge for what they leave open.

The judge gets at most its share of the budget, the direct answer and figures first; what it cannot
look at any more is `unchecked`, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from leadline.domain import Citation, Contradiction, Draft, DraftSentence, Excerpt, Flag, Policy
from leadline.events import ClaimChecked
from leadline.research.evidence import Ledger
from leadline.research.study import Study
from leadline.research.verification.claims import Told, build_claims, sentences_of
from leadline.research.verification.contradictions import contradictions
from leadline.research.verification.judge import (
    JUDGE_SCHEMA,
    apply_judgement,
    judge_prompt,
    open_for_judge,
    out_of_budget,
    parse_judgement,
)
from leadline.research.verification.statements import Desk
from leadline.research.verification.verify import Checked, check_claims
from leadline.text.rank import Bm25

JUDGE_TOKENS = 300
"""Tokens that one judgement may have."""

SIDE_BY_SIDE = 8
"""Claims that are put to the judge at once."""

COMPARED = 60
"""Excerpts, nearest to the question, among which contradictions are looked for."""


MOST_DISAGREEMENTS = 8
"""Contradictions that a report tells."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What verification came to."""

    told: Told
    contradictions: tuple[Contradiction, ...]


async def check(study: Study, draft: Draft) -> Findings:
    """Check every claim of a draft against the ledger, and the ledger's evidence against itself."""
    study.next_round()
    cpu, ledger = study.means.cpu, study.ledger
    sentences = sentences_of(draft)
    size = 400 * len(sentences) + sum(excerpt.end - excerpt.start for excerpt in ledger.excerpts)
    looked = await cpu.run(look, study.question.text, sentences, ledger, size=size * 4)
    checked = list(looked.checked)
    if study.means.judge is not None:
        await _judge(study, checked, answer=len(draft.answer))
    told = build_claims(draft, checked, drop=study.options.policy is Policy.DROP)
    for claim in told.claims:
        event = ClaimChecked(claim=claim.id, verdict=claim.verdict, decided_by=claim.checks.decided_by)
        study.branch.note(event)
    return Findings(told=told, contradictions=looked.contradictions)


class Looked(NamedTuple):
    """What words and values say of a draft, and of the evidence against itself."""

    checked: tuple[Checked, ...]
    contradictions: tuple[Contradiction, ...]


def look(question: str, sentences: Sequence[DraftSentence], ledger: Ledger) -> Looked:
    """Check every sentence, and compare the excerpts nearest to the question with each other. Pure."""
    desk = Desk()  # each sentence of the evidence is taken apart once for both
    checked = check_claims(sentences, ledger, desk=desk)
    cited = [citation for one in checked for citation in one.citations]
    return Looked(checked, _disagreements(question, ledger, desk=desk, cited=cited) if cited else ())


def _disagreements(
    question: str, ledger: Ledger, *, desk: Desk, cited: Sequence[Citation]
) -> tuple[Contradiction, ...]:
    nearest = _nearest(question, ledger)
    return contradictions(nearest, ledger, desk=desk, cited=cited)[:MOST_DISAGREEMENTS]


def _nearest(question: str, ledger: Ledger) -> Sequence[Excerpt]:
    """Return the excerpts among which contradictions are looked for, in the ledger's order."""
    excerpts = ledger.excerpts
    if len(excerpts) <= COMPARED:
        return excerpts
    scores = Bm25([ledger.quote(e) for e in excerpts]).scores(question)
    nearest = sorted(range(len(excerpts)), key=lambda i: (-scores[i], i))[:COMPARED]
    return [excerpts[i] for i in sorted(nearest)]


async def _judge(study: Study, checked: list[Checked], *, answer: int) -> None:
    """Replace the verdicts of open claims by the judge's, as far as budget and people's patience go."""
    waiting = list(open_for_judge(checked, answer=answer))
    while waiting:
        batch, waiting = waiting[:SIDE_BY_SIDE], waiting[SIDE_BY_SIDE:]
        prompts = [judge_prompt(checked[i], study.ledger) for i in batch]
        together = [message for prompt in prompts for message in prompt]
        if not study.affordable(together, max_tokens=JUDGE_TOKENS * len(batch), price=study.options.judge_price):
            for index in (*batch, *waiting):
                checked[index] = out_of_budget(checked[index])
            return
        if study.next_round() is Flag.FINISH:
            return
        replies = await study.judge(prompts, schema=JUDGE_SCHEMA, max_tokens=JUDGE_TOKENS)
        if study.interrupted:
            study.next_round()  # a person who cancelled is heard here
            return
        for index, reply in zip(batch, replies, strict=True):
            said = parse_judgement(reply.answer.text) if reply.answer is not None else None
            checked[index] = apply_judgement(checked[index], said)
