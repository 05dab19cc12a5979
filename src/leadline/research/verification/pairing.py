"""Which value of the evidence goes with which: the figure with its year, the measure with what it measures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from leadline.research.verification.statements import Fact, Statement
from leadline.research.verification.values import Finding, comparable, same
from leadline.research.verification.words import Unit, holds, units

# Values that count or date the same thing stand as near to each other as this.
_BESIDE: Final = 48
_CLOSE: Final = 5
# Words behind a value that tell what it is the value of.
_COMPANIONS: Final = 3


def check_pairs(claim: Statement, evidence: Sequence[Statement]) -> list[Finding]:
    """Return the values of the claim that the evidence pairs with others: the figure of another year."""
    found = []
    for first, second in pairwise(claim.facts):
        beside = [fact for fact in claim.facts if fact.clause == first.clause]
        if (first.date is None) == (second.date is None) or first.clause != second.clause:
            continue
        if len(beside) > 2 and second.start - first.end > _CLOSE:
            continue
        date, value = (first, second) if first.date is not None else (second, first)
        reason = _paired_otherwise(value, date, evidence)
        if reason is not None:
            found.append(Finding("bearer", stands=False, conflict=False, reason=reason, statement=None))
    return found


def _paired_otherwise(value: Fact, date: Fact, evidence: Sequence[Statement]) -> str | None:
    """Return the date beside every equal value of the evidence, where each is another one."""
    equal = [
        (statement, at)
        for statement in evidence
        for at, fact in enumerate(statement.facts)
        if fact.date is None and same(value, fact)
    ]
    own = [_date_of(statement, at, like=value) for statement, at in equal]
    beside = [other.raw.strip() for other in own if other is not None and not same(date, other)]
    if len(beside) < len(own):
        return None
    dated = any(same(date, fact) for statement in evidence for fact in statement.facts)
    return (
        f"in the evidence {value.raw.strip()} goes with {beside[0]}, not {date.raw.strip()}"
        if beside and dated
        else None
    )


def _date_of(statement: Statement, at: int, *, like: Fact) -> Fact | None:
    """Return the date that a value of a statement stands beside: the one in its clause with no like value between."""
    facts = statement.facts
    if sum(fact.date is None and comparable(like, fact) for fact in facts) < 2:
        return None
    after = _reach(facts[at + 1 :], facts[at], like=like)
    before = _reach(facts[:at][::-1], facts[at], like=like)
    if after is None or before is None:
        return after or before
    # "120,000 in 1950 to 310,000 in 1990": as the first value of the sentence has it.
    first = next(i for i, fact in enumerate(facts) if fact.date is None and comparable(like, fact))
    return before if any(fact.date is not None for fact in facts[:first]) else after


def _reach(others: Sequence[Fact], fact: Fact, *, like: Fact) -> Fact | None:
    for other in others:
        far = max(other.start - fact.end, fact.start - other.end) > _BESIDE or other.clause != fact.clause
        if far or (other.date is None and comparable(like, other)):
            return None
        if other.date is not None:
            return other
    return None


# --- what stands behind a value ------------------------------------------------------------------


def check_counted(claim: Statement, evidence: Sequence[Statement]) -> list[Finding]:
    """Return the values of the claim that the evidence gives of something else: 310 m long, not high."""
    found = []
    for fact in claim.facts:
        mine = _behind(claim, fact)
        if fact.date is not None or not mine:
            continue
        others = [(s, other) for s in evidence if not s.is_row for other in s.facts if other.date is None]
        equal = [(s, other) for s, other in others if same(fact, other)]
        rivals = [(s, other) for s, other in others if comparable(fact, other) and not same(fact, other)]
        reasons = [_of_else(claim, mine, _behind(s, other)) for s, other in equal]
        taken = any(holds(mine[0], _terms(_behind(s, other)[:1])) for s, other in rivals)
        if taken and reasons and all(reasons):
            reason = f"in the evidence {fact.raw.strip()} is the value of something else"
            found.append(Finding("bearer", stands=False, conflict=False, reason=reason, statement=equal[0][0]))
    return found


def _of_else(claim: Statement, mine: Sequence[Unit], theirs: Sequence[Unit]) -> str | None:
    """Return what the evidence has behind the value where the claim speaks of none of it."""
    if not theirs or holds(theirs[0], claim.held) or any(holds(unit, _terms(theirs)) for unit in mine):
        return None
    return theirs[0].terms[0]


def _terms(wanted: Sequence[Unit]) -> frozenset[str]:
    return frozenset(term for unit in wanted for term in unit.terms)


def _behind(statement: Statement, fact: Fact) -> tuple[Unit, ...]:
    """Return what stands right behind a value, up to the next one or the end of its clause."""
    nexts = [other.start for other in statement.facts if other.start >= fact.end]
    end = min([statement.clauses[fact.clause].end, *nexts])
    return units(statement.words[fact.end : end])[:_COMPANIONS]
