"""One claim against the sentences of its evidence: what values say, then what words say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from leadline.domain import Checks, Citation, Verdict
from leadline.research.evidence import Ledger
from leadline.research.verification.bearers import check_bearers
from leadline.research.verification.cells import check_cells
from leadline.research.verification.pairing import check_counted, check_pairs
from leadline.research.verification.polarity import Clause, conflict
from leadline.research.verification.statements import Statement
from leadline.research.verification.values import (
    Finding,
    Setting,
    check_names,
    check_remnants,
    check_values,
    with_opening_name,
)
from leadline.research.verification.words import coverage, holds, longest_gap, opposite_pair, phrases, units, weight
from leadline.text.language import CJK, CJK_MARKS
from leadline.text.lines import on_one_line
from leadline.text.spans import fold

# The share of a claim's words that its evidence must hold. Chosen on tests/quality.
SUPPORTED: Final = 0.7
PARTIAL: Final = 0.45
# From this share on a sentence speaks of the same and may contradict.
MATCHING: Final = 0.6
# A clause of fewer words is no statement of its own.
_CLAUSE: Final = 2.0
# Of the evidence, sentences are taken until the next one would add less than this.
_LEAST_GAIN: Final = 0.08
_MOST_SENTENCES: Final = 3
# Fewer words (of weight 1) around a value do not say what it is the value of.
_LEAST_SAID: Final = 1.0
# As many Chinese characters in a row that the evidence lacks are a word of their own.
_GAP_ZH: Final = 3
_FOLDING: Final = 20
# Up to this many characters, without a full stop, a line is a heading, or a row of a table.
_HEADING: Final = 60
_MARKED: Final = re.compile(r"\s*#{1,6}\s")
# Blanks where a line of Chinese was broken.
_BROKEN: Final = re.compile(rf"(?<=[{CJK}{CJK_MARKS}])\s+(?=[{CJK}{CJK_MARKS}])")
# What a pronoun stands for, put before a quotation.
_RESOLVED: Final = re.compile(r"\A\s*\[[^\[\]]{1,80}\]\s*")
_STOPPED: Final = re.compile(r"""[.。!！?？;；…”"][)\]）】]*(?:\[\d+\])*\Z""")
_OPENING: Final = re.compile(r"[A-Z][a-z]{2,30}(?<!ing)\b")
# What the score is made of; chosen on human labels of attribution (docs/benchmarks.md).
_ALL, _WINDOW, _PHRASES, _MISSING = 0.4, 0.4, 0.2, 0.2
_WINDOW_SENTENCES: Final = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A sentence of a draft after its check; `verdict` is `None` for one that asserts nothing.

    `text` is as it may be shown: quotations in it are exact, or stand without quotation marks.
    """

    text: str
    verdict: Verdict | None
    checks: Checks
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sentences that a claim is held against, and the terms of their sources' titles.

    Those of the excerpts come first, then their neighbours.
    """

    statements: tuple[Statement, ...]
    titles: frozenset[str]


def compare(claim: Statement, evidence: Evidence, *, ledger: Ledger) -> Checked:
    """Return the verdict on `claim`, with the sentences that decide as citations."""
    repeated = _repeated(claim, evidence, ledger=ledger)
    if repeated is not None:
        return _told(claim, _Ruling(Verdict.SUPPORTED, "quote"), shown=[repeated], score=1.0, ledger=ledger)
    if not (claim.wanted or claim.facts):
        return _told(claim, _NOTHING_ASKED, shown=(), score=None, ledger=ledger)
    alike = [s for s in evidence.statements if s.language == claim.language]
    if not alike:
        return _foreign(claim, evidence.statements, ledger=ledger)
    claim = with_opening_name(claim, alike)
    findings = [
        *check_values(claim, Setting(alike, context=evidence.titles)),
        *check_names(claim, alike, context=evidence.titles),
        *check_remnants(claim, alike),
    ]
    chosen = _choose(claim, alike, findings=findings)
    held = evidence.titles.union(*(s.held for s in chosen))
    share = coverage(claim.wanted, held, names=claim.name_terms)
    score = _score(claim, alike, chosen=chosen, findings=findings, titles=evidence.titles)
    findings.extend(_turned_round(claim, chosen, findings=findings))
    findings.extend(_other_subject(claim, chosen, alike=alike))
    gap = longest_gap(claim.wanted, held)
    ruling = _SILENT if not chosen else _rule(findings, share, gap=gap, unsaid=_unsaid(claim, held))
    if ruling.verdict is Verdict.SUPPORTED:
        # What only takes support away is looked at where there is support to take away.
        findings.extend(_borne_otherwise(claim, alike, context=evidence.titles))
        ruling = _rule(findings, share, gap=gap, unsaid=False)
    if ruling.verdict is Verdict.SUPPORTED and sum(unit.weight for unit in claim.wanted) < _LEAST_SAID:
        ruling = replace(ruling, verdict=Verdict.PARTIAL, reasons=("it says too little to be compared",))
    shown = [f.statement for f in findings if f.conflict and f.statement] or _said(
        claim, chosen, context=evidence.titles
    )
    return _told(claim, ruling, shown=shown, score=score, ledger=ledger)


def _borne_otherwise(
    claim: Statement, evidence: Sequence[Statement], *, context: frozenset[str]
) -> tuple[Finding, ...]:
    """Return what the evidence says of another thing, with another value, or only with a reserve."""
    return (
        *check_pairs(claim, evidence),
        *check_counted(claim, evidence),
        *check_cells(claim, evidence),
        *check_bearers(claim, evidence, context=context),
    )


def _said(
    claim: Statement, chosen: Sequence[Statement], *, context: frozenset[str], words: bool = True
) -> list[Statement]:
    """Return the sentences that say something.

    A heading completes them; it is evidence of its own only where it holds a value that they lack.
    """
    said = [s for s in chosen if not _is_heading(s)]
    valued = [s for s in chosen if _is_heading(s) and s.facts]
    if said and valued:
        alone = check_values(claim, Setting(said, context=context), words=words)
        if not all(finding.stands for finding in alone):
            return [s for s in chosen if s in said or s in valued]
    return said or list(chosen)


def _is_heading(statement: Statement) -> bool:
    """Whether a line has a heading's mark, or is short and ends as no sentence does."""
    text = statement.text.rstrip()
    return bool(_MARKED.match(text)) or (len(text) <= _HEADING and not _STOPPED.search(text))


def _repeated(claim: Statement, evidence: Evidence, *, ledger: Ledger) -> Statement | None:
    """Return the sentence of the evidence that the claim repeats, but for its full stop."""
    said = _RESOLVED.sub("", claim.text)
    wanted = _bare(said)
    if not wanted:
        return None
    for statement in evidence.statements:
        text = statement.text
        if "\n" in text:  # set in lines: justified with blanks, its words divided
            text = on_one_line(text, within=ledger.text(statement.source_id))
        # Folding changes a length a little at most.
        if abs(len(text) - len(said)) <= _FOLDING and _bare(text) == wanted:
            return statement
    return None


def _bare(text: str) -> str:
    return _BROKEN.sub("", fold(text)).strip().rstrip(".。；;").strip()


@dataclass(frozen=True, slots=True)
class _Ruling:
    verdict: Verdict
    decided_by: str
    reasons: tuple[str, ...] = ()


_NOTHING_ASKED: Final = _Ruling(Verdict.UNCHECKED, "none", ("it holds nothing that could be compared",))
_SILENT: Final = _Ruling(Verdict.UNSUPPORTED, "words", ("the evidence does not speak of this",))


def _rule(findings: Sequence[Finding], share: float, *, gap: int, unsaid: bool) -> _Ruling:
    """Return the verdict that values allow, and where they allow support, the one of the words."""
    conflicts = [f.reason for f in findings if f.conflict]
    missing = [f.reason for f in findings if not f.stands and not f.conflict]
    stands = any(f.stands for f in findings)
    if conflicts:
        verdict = Verdict.CONTRADICTED if share >= MATCHING else Verdict.UNSUPPORTED
        return _Ruling(verdict, "values", tuple(conflicts + missing))
    if missing:
        reserved = all(f.stands or f.kind == "qualifier" for f in findings)
        verdict = Verdict.PARTIAL if (stands or reserved) and share >= PARTIAL else Verdict.UNSUPPORTED
        return _Ruling(verdict, "words" if reserved else "values", tuple(missing))
    decided_by = "values" if any(f.stands and f.kind != "name" for f in findings) else "words"
    if share < PARTIAL:
        return _Ruling(Verdict.UNSUPPORTED, "words", ("few of its words stand in the evidence",))
    if share < SUPPORTED or gap >= _GAP_ZH or unsaid:
        return _Ruling(Verdict.PARTIAL, "words", ("some of its words are not in the evidence",))
    return _Ruling(Verdict.SUPPORTED, decided_by)


def _unsaid(claim: Statement, held: frozenset[str]) -> bool:
    """Whether the evidence says next to nothing of one of the claim's clauses, however well it says the rest."""
    parts = [c for c in claim.clauses if sum(unit.weight for unit in c.wanted) >= _CLAUSE]
    return len(claim.clauses) > 1 and any(coverage(part.wanted, held) < PARTIAL for part in parts)


def _score(
    claim: Statement,
    statements: Sequence[Statement],
    *,
    chosen: Sequence[Statement],
    findings: Sequence[Finding],
    titles: frozenset[str],
) -> float:
    """Return how well the evidence bears the claim out, 0 to 1: for ranking, not for deciding.

    The share of its words in all the evidence and in the best run of sentences, the share of its
    phrases, less what is missing of its numbers and names.
    """
    placed = sorted(statements, key=lambda s: (s.source_id, s.start))
    held = [titles | s.held for s in placed]
    runs = (held[i : i + _WINDOW_SENTENCES] for i in range(len(held)))
    window = max(coverage(claim.wanted, frozenset[str]().union(*run)) for run in runs)
    everything = coverage(claim.wanted, frozenset[str]().union(*held), names=claim.name_terms)
    score = _ALL * everything + _WINDOW * window
    score += _PHRASES * phrases(claim.wanted, [s.wanted for s in chosen])
    for kinds in (frozenset(["number", "date"]), frozenset(["name"])):
        asked = [finding.stands for finding in findings if finding.kind in kinds]
        score -= _MISSING * asked.count(False) / max(1, len(asked))
    return min(1.0, max(0.0, score))


def _foreign(claim: Statement, statements: Sequence[Statement], *, ledger: Ledger) -> Checked:
    """Judge a claim whose evidence is in another language: values may refute it, words not."""
    findings = check_values(claim, Setting(statements, context=frozenset()), words=False)
    missing = tuple(f.reason for f in findings if not f.stands)
    bound = list(dict.fromkeys(f.statement for f in findings if f.statement))
    shown = _said(claim, bound or statements, context=frozenset(), words=False)[: len(bound) or 1]
    if missing:
        ruling = _Ruling(Verdict.UNSUPPORTED, "values", missing)
    else:
        decided_by = "values" if findings else "none"
        reason = "the evidence is in another language: words decide nothing"
        ruling = _Ruling(Verdict.UNCHECKED, decided_by, (reason,))
    return _told(claim, ruling, shown=shown, score=None, ledger=ledger)


def _choose(claim: Statement, statements: Sequence[Statement], *, findings: Sequence[Finding]) -> list[Statement]:
    """Return the few sentences that together hold most of the claim, in order of their use."""
    needed = [f.statement for f in findings if f.stands and f.statement is not None]
    total = sum(weight(u, claim.name_terms) for u in claim.wanted) + len(needed) or 1.0
    left = list(claim.wanted)
    chosen: list[Statement] = []
    while len(chosen) < _MOST_SENTENCES:
        gains = [
            sum(weight(u, claim.name_terms) for u in left if holds(u, s.held))
            + sum(1.0 for n in needed if n is s and s not in chosen)
            for s in statements
        ]
        best = max(range(len(gains)), key=gains.__getitem__, default=None)
        if best is None or gains[best] < _LEAST_GAIN * total:
            break
        chosen.append(statements[best])
        left = [u for u in left if not holds(u, statements[best].held)]
    chosen.extend(n for n in dict.fromkeys(needed) if n not in chosen)
    return chosen


def _turned_round(claim: Statement, chosen: Sequence[Statement], *, findings: Sequence[Finding]) -> list[Finding]:
    """Return what the evidence says the other way round: negations and words of opposite meaning."""
    found = []
    theirs = [clause for statement in chosen for clause in statement.clauses]
    word = conflict(claim.clauses, theirs, wanted=claim.wanted)
    if word is not None:
        found.append(Finding.turned(f"a negation differs: {word}", _holder(word, chosen)))
    for index, clause in enumerate(claim.clauses):
        if not clause.wanted or clause.heads:
            continue
        values = [f for f in findings if f.statement and f.asked == index]
        beside = [f.statement.clauses[f.clause] for f in values if f.statement]
        pair = _opposite(clause, beside, around=beside) or _opposite_best(clause, chosen)
        if pair is not None:
            reason = f"the evidence says the opposite: {pair[0]} / {pair[1]}"
            found.append(Finding.turned(reason, _holder(pair[1], chosen)))
    return found


def _opposite(clause: Clause, others: Sequence[Clause], *, around: Sequence[Clause]) -> tuple[str, str] | None:
    """Return a word of the clause that nothing `around` has, and its opposite in one of `others`."""
    held = frozenset[str]().union(*(other.held for other in around))
    for other in others:
        pair = None if other.heads else opposite_pair(clause.held, other.held)
        if pair is not None and pair[0] not in held:
            return pair
    return None


def _opposite_best(clause: Clause, chosen: Sequence[Statement]) -> tuple[str, str] | None:
    """Return an opposite in the clauses that fit the claim's best, each judged by its own sentence."""
    fits = [(coverage(clause.wanted, c.held), c, s) for s in chosen for c in s.clauses]
    near = max([PARTIAL, *(fit for fit, _, _ in fits)]) - 0.05
    for fit, other, statement in fits:
        pair = _opposite(clause, [other], around=statement.clauses) if fit >= near else None
        if pair is not None:
            return pair
    return None


def _other_subject(claim: Statement, chosen: Sequence[Statement], *, alike: Sequence[Statement]) -> list[Finding]:
    """Return the word that opens the claim where the evidence has another one in its place."""
    opening = _OPENING.match(claim.text)
    if opening is None or not chosen or claim.language != "en":
        return []
    mine, theirs = opening[0], _OPENING.match(chosen[0].text)
    known = any(holds(unit, s.held) for s in alike for unit in units(mine))
    if known or theirs is None or not units(mine):
        return []
    replaced = [unit for unit in units(theirs[0]) if not holds(unit, claim.held)]
    if not replaced:
        return []
    reason = f"the evidence speaks of {theirs[0]}, not {mine}"
    return [Finding("name", stands=False, conflict=False, reason=reason, statement=chosen[0])]


def _holder(word: str, chosen: Sequence[Statement]) -> Statement | None:
    return next((s for s in chosen if word in s.held), None)


def _told(
    claim: Statement,
    ruling: _Ruling,
    *,
    shown: Sequence[Statement],
    score: float | None,
    ledger: Ledger,
) -> Checked:
    checks = Checks(
        decided_by=ruling.decided_by,
        bound_by="writer",
        reasons=ruling.reasons,
        score=None if score is None else round(score, 3),
    )
    return Checked(
        text=claim.text,
        verdict=ruling.verdict,
        checks=checks,
        citations=citations_of(shown, ledger=ledger),
    )


def citations_of(shown: Sequence[Statement], *, ledger: Ledger) -> tuple[Citation, ...]:
    """Return the sentences as spans, neighbours joined, the best first.

    No quotation of a sentence begins or ends with a heading: those stand by themselves, last.
    """
    spans: list[_Place] = []
    for statement in dict.fromkeys(shown):
        end = statement.start + len(statement.text)
        made = _Place(_is_heading(statement), statement.source_id, statement.start, end)
        for index, kept in enumerate(spans):
            between = ledger.text(kept.source)[min(kept.end, made.end) : max(kept.start, made.start)]
            if kept[:2] == made[:2] and not between.strip():
                low, high = min(kept.start, made.start), max(kept.end, made.end)
                spans[index] = kept._replace(start=low, end=high)
                break
        else:
            spans.append(made)
    ordered = sorted(spans, key=lambda place: place.heading)
    return tuple(ledger.citation(place.source, place.start, place.end) for place in ordered)


class _Place(NamedTuple):
    """A span of a source that is cited."""

    heading: bool
    source: str
    start: int
    end: int
