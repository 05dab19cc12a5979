"""Claim against excerpt: verdicts, the cheapest check first.

A claim that stands verbatim in its evidence is a quotation. Otherwise numbers, dates, names and
negations are compared by value, then the words are counted. What only words have checked says so
(`decided_by="words"`); between languages words decide nothing. A claim is contradicted only where
an otherwise matching sentence holds a differing value, date or negation.

Everything here is pure and bounded: a claim looks at its excerpts and their neighbours, never at a
whole source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from leadline.domain import Checks, DraftSentence, Excerpt, Verdict
from leadline.research.evidence import Ledger
from leadline.research.passages import find
from leadline.research.verification.compare import Checked, Evidence, compare
from leadline.research.verification.quotations import quotations, settle_quotations
from leadline.research.verification.statements import Desk, Statement, figures
from leadline.text.offsets import Span

__all__ = ["MAX_CLAIM", "Checked", "check", "check_claims"]

# Sentences on each side of an excerpt that may complete what it says.
_NEIGHBOURS: Final = 2
_BESIDE: Final = 400
# A longer excerpt is searched for the passages that speak of the claim.
_WIDE: Final = 1_500
_PASSAGES: Final = 4
# A longer sentence claims too much at once to be checked.
MAX_CLAIM: Final = 4_000
# Passages looked at for a claim that names no excerpt.
_CANDIDATES: Final = 3


def check_claims(
    sentences: Sequence[DraftSentence], ledger: Ledger, *, desk: Desk | None = None
) -> tuple[Checked, ...]:
    """Return the verdict on each sentence of a draft, in order.

    A sentence that asserts nothing, and holds no number, date or quotation, stays a plain one.
    One that names no excerpt is bound by retrieval over the ledger, or stays `unchecked`.
    """
    desk = desk or Desk()
    return tuple(_checked(sentence, ledger, desk=desk) for sentence in sentences)


def _checked(sentence: DraftSentence, ledger: Ledger, *, desk: Desk) -> Checked:
    long = len(sentence.text) > MAX_CLAIM
    if not (sentence.claims or long or figures(sentence.text) or quotations(sentence.text)):
        return Checked(text=sentence.text, verdict=None, checks=Checks(decided_by="none", bound_by="none"))
    named = [e for e in map(ledger.get, sentence.excerpt_ids) if e is not None]
    if named or long:
        return check(sentence.text, named, ledger=ledger, desk=desk)
    return _retrieved(sentence.text, ledger, desk=desk)


def _unchecked(text: str, reason: str) -> Checked:
    return Checked(
        text=text,
        verdict=Verdict.UNCHECKED,
        checks=Checks(decided_by="none", bound_by="none", reasons=(reason,)),
    )


def _retrieved(text: str, ledger: Ledger, *, desk: Desk) -> Checked:
    """Bind a claim that names no excerpt to the passage that says it best."""
    found = [
        Excerpt(id="", source_id=passage.source_id, start=passage.start, end=passage.end)
        for passage in ledger.find(text, _CANDIDATES)
    ]
    seen = [check(text, [excerpt], ledger=ledger, desk=desk) for excerpt in found]
    # Passages of one source may complete each other; words of strangers only happen to meet.
    together = [one for one in found if one.source_id == found[0].source_id]
    if len(together) > 1 and all(one.verdict is not Verdict.SUPPORTED for one in seen):
        seen.append(check(text, together, ledger=ledger, desk=desk))
    best = max(seen, key=_rank, default=None)
    if best is None or best.verdict in {Verdict.UNSUPPORTED, Verdict.UNCHECKED}:
        return _unchecked(text, "no passage of the sources says this")
    return replace(best, checks=replace(best.checks, bound_by="retrieval"))


_ORDER: Final = {
    Verdict.UNCHECKED: 0,
    Verdict.UNSUPPORTED: 1,
    Verdict.PARTIAL: 2,
    Verdict.CONTRADICTED: 3,
    Verdict.SUPPORTED: 4,
}


def _rank(checked: Checked) -> tuple[int, float]:
    verdict = checked.verdict or Verdict.UNCHECKED
    return _ORDER[verdict], checked.checks.score or 0.0


# --- one claim -------------------------------------------------------------------------------


def check(text: str, excerpts: Sequence[Excerpt], *, ledger: Ledger, desk: Desk) -> Checked:
    """Return the verdict on one claim against these excerpts and their neighbours."""
    if len(text) > MAX_CLAIM:
        return _unchecked(text, "too long to check")
    exact, quotes, missing = settle_quotations(text, excerpts, ledger=ledger)
    evidence = gather(exact, excerpts, ledger=ledger, desk=desk)
    claim = desk.statement(exact, "", 0)
    checked = compare(claim, evidence, ledger=ledger)
    if missing:
        return _without_quotation(checked, missing[0])
    if quotes:
        checked = replace(checked, citations=tuple(dict.fromkeys((*quotes, *checked.citations))))
    return checked


def _without_quotation(checked: Checked, quotation: str) -> Checked:
    reason = f"the quotation does not stand in the source: {_short(quotation)}"
    checks = replace(checked.checks, decided_by="quote", reasons=(reason, *checked.checks.reasons))
    verdict = Verdict.CONTRADICTED if checked.verdict is Verdict.CONTRADICTED else Verdict.UNSUPPORTED
    return replace(checked, verdict=verdict, checks=checks)


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "\u2026"


def gather(text: str, excerpts: Sequence[Excerpt], *, ledger: Ledger, desk: Desk) -> Evidence:
    """Return the sentences of the excerpts, then their neighbours, read once each."""
    inside: dict[Statement, None] = {}
    beside: dict[Statement, None] = {}
    titles: set[str] = set()
    for excerpt in excerpts:
        source = ledger.source(excerpt.source_id)
        titles |= desk.terms(source.title)
        body = ledger.text(source.id)
        for start, end in _looked_at(text, excerpt, body=body, desk=desk):
            near = desk.reading(source.id, body=body).around(start, end, reach=_BESIDE)
            core = [s for s in near if s.start < end and start < s.end]
            for place, spans in ((inside, core), (beside, _around(near, core))):
                made = (desk.statement(s.of(body), source.id, s.start) for s in spans)
                place.update(dict.fromkeys(made))
    return Evidence((*inside, *(s for s in beside if s not in inside)), frozenset(titles))


def _looked_at(text: str, excerpt: Excerpt, *, body: str, desk: Desk) -> list[tuple[int, int]]:
    if excerpt.end - excerpt.start <= _WIDE:
        return [(excerpt.start, excerpt.end)]
    found = find(text, [desk.part(excerpt, body=body)], limit=_PASSAGES)
    return [(excerpt.start + p.start, excerpt.start + p.end) for p in found]


def _around(near: Sequence[Span], core: Sequence[Span]) -> list[Span]:
    if not core:
        return []
    before = [s for s in near if s.end <= core[0].start][-_NEIGHBOURS:]
    behind = [s for s in near if s.start >= core[-1].end][:_NEIGHBOURS]
    return before + behind
