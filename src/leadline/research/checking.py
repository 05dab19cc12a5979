"""Verification as a part of a run: words and values for every claim, a judge for what they leave open.

The judge gets at most its share of the budget, the direct answer and figures first; what it cannot
look at any more is `unchecked`, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from leadline.domain import Contradiction, Draft, Policy
from leadline.events import ClaimChecked
from leadline.research.claims import Told, build_claims, sentences_of
from leadline.research.contradictions import contradictions
from leadline.research.evidence import Ledger
from leadline.research.judge import (
    JUDGE_SCHEMA,
    apply_judgement,
    judge_prompt,
    open_for_judge,
    out_of_budget,
    parse_judgement,
)
from leadline.research.study import Study
from leadline.research.verify import Checked, check_claims
from leadline.text.rank import Bm25

JUDGE_TOKENS = 300
"""Tokens that one judgement may have."""

SIDE_BY_SIDE = 8
"""Claims that are put to the judge at once."""

COMPARED = 60
"""Excerpts, nearest to the question, among which contradictions are looked for."""


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
    size = 200 * len(sentences) + sum(min(source.chars, 2_000) for source in ledger.sources)
    checked = list(await cpu.run(check_claims, sentences, ledger, size=size))
    if study.means.judge is not None:
        await _judge(study, checked, answer=len(draft.answer))
    told = build_claims(draft, checked, drop=study.options.policy is Policy.DROP)
    for claim in told.claims:
        event = ClaimChecked(claim=claim.id, verdict=claim.verdict, decided_by=claim.checks.decided_by)
        study.branch.note(event)
    found = await cpu.run(disagreements, study.question.text, ledger, size=size * 4)
    return Findings(told=told, contradictions=found)


def disagreements(question: str, ledger: Ledger) -> tuple[Contradiction, ...]:
    """Return the contradictions among the excerpts nearest to the question. Pure."""
    excerpts = ledger.excerpts
    scores = Bm25([ledger.quote(e) for e in excerpts]).scores(question)
    nearest = sorted(range(len(excerpts)), key=lambda i: (-scores[i], i))[:COMPARED]
    return contradictions([excerpts[i] for i in sorted(nearest)], ledger)


async def _judge(study: Study, checked: list[Checked], *, answer: int) -> None:
    """Replace the verdicts of open claims by the judge's, as far as the budget goes."""
    waiting = list(open_for_judge(checked, answer=answer))
    while waiting:
        batch, waiting = waiting[:SIDE_BY_SIDE], waiting[SIDE_BY_SIDE:]
        prompts = [judge_prompt(checked[i], study.ledger) for i in batch]
        together = [message for prompt in prompts for message in prompt]
        if not study.affordable(together, max_tokens=JUDGE_TOKENS * len(batch), price=study.options.judge_price):
            for index in (*batch, *waiting):
                checked[index] = out_of_budget(checked[index])
            return
        study.next_round()
        replies = await study.judge(prompts, schema=JUDGE_SCHEMA, max_tokens=JUDGE_TOKENS)
        for index, reply in zip(batch, replies, strict=True):
            said = parse_judgement(reply.answer.text) if reply.answer is not None else None
            checked[index] = apply_judgement(checked[index], said)
