"""Numbers, dates and names of a claim against those of its evidence, by value.

A number stands where the evidence holds the same amount in a clause that speaks of the same. It
is contradicted where the clause that speaks most clearly of the same holds another amount.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from typing import Final, NamedTuple

from leadline.research.verification.statements import Fact, Statement
from leadline.research.verification.words import Unit, coverage, held_terms, holds, units, weight
from leadline.text.dates import compatible
from leadline.text.language import has_cjk
from leadline.text.names import Name, name_key
from leadline.text.numbers import Kind, Quantity, close, same_quantity
from leadline.text.units import in_base, is_money, same_dimension

# How much a word of the claim's clause counts where the evidence has it: in the value's clause,
# before it (a subject carries over to what follows), or elsewhere.
_SHARES: Final = (1.0, 0.7, 0.2)
# From this fit on a clause speaks of what the claim's clause speaks of.
_SPEAKS: Final = 0.35
# A differing value must fit this much better than an equal one to refute it.
_BETTER: Final = 0.2
_FIGURE: Final = re.compile(r"\d+")
# 一 is left out: it is a part of many words.
_NUMERALS: Final = frozenset("二三四五六七八九十两百千")
_PARTICLE: Final = re.compile(r"(?:of|in|at|by|for|from)\s(?:the\s)?|the\s")


class Finding(NamedTuple):
    """What became of one value, name or negation of a claim."""

    kind: str  # number, date, name, polarity
    stands: bool
    conflict: bool  # the evidence says otherwise, rather than nothing
    reason: str
    statement: Statement | None
    clause: int = -1  # of the statement, where the value stands
    asked: int = -1  # of the claim, where it is stated

    @classmethod
    def turned(cls, reason: str, statement: Statement | None) -> Finding:
        """Return the finding that a negation or an opposite turns the claim round."""
        return cls("polarity", stands=False, conflict=True, reason=reason, statement=statement)


class _Place(NamedTuple):
    """A value of the evidence that could be the one a claim speaks of."""

    statement: Statement
    fact: Fact
    fit: float
    beside: float  # the part of the fit that the value's own clause gives


class Setting:
    """The evidence as values are looked up in it: what stands beside, before and elsewhere.

    `context` are terms of titles, which hold for everything below them.
    """

    def __init__(self, evidence: Sequence[Statement], *, context: AbstractSet[str]) -> None:
        self.evidence = sorted(evidence, key=lambda s: (s.source_id, s.start))
        self._context = frozenset(context)

    @cached_property
    def _everywhere(self) -> frozenset[str]:
        return self._context.union(*(s.held for s in self.evidence))

    @cached_property
    def _before(self) -> dict[int, frozenset[str]]:
        """What stands before each statement in its source, titles included."""
        before: dict[int, frozenset[str]] = {}
        carried, source = self._context, ""
        for statement in self.evidence:
            if statement.source_id != source:
                carried, source = self._context, statement.source_id
            before[id(statement)] = carried
            carried |= statement.held
        return before

    def places(self, claim: Statement, fact: Fact) -> Iterator[_Place]:
        """Yield the values that could be `fact`, each with how well its clause fits the claim's."""
        wanted = claim.clauses[fact.clause].wanted or claim.wanted
        for statement in self.evidence:
            for other in statement.facts:
                if comparable(fact, other):
                    rings = self._rings(statement, other.clause)
                    fit, beside = _fit(wanted, rings, names=claim.name_terms)
                    yield _Place(statement, other, fit, beside)

    def _rings(self, statement: Statement, clause: int) -> tuple[AbstractSet[str], ...]:
        earlier = (part.held for part in statement.clauses[:clause])
        before = self._before[id(statement)].union(*earlier)
        return statement.clauses[clause].held, before, self._everywhere


def check_values(claim: Statement, setting: Setting, *, words: bool = True) -> list[Finding]:
    """Return what becomes of each number and date of the claim.

    Without `words` (evidence in another language) only the values themselves are compared.
    """
    found = []
    for fact in claim.facts:
        places = list(setting.places(claim, fact))
        finding = _settle(claim, fact, places=places, words=words)
        if finding is not None:
            found.append(finding)
    return found


def _fit(wanted: Sequence[Unit], rings: Sequence[AbstractSet[str]], *, names: AbstractSet[str]) -> tuple[float, float]:
    total = gained = beside = 0.0
    for unit in wanted:
        worth = weight(unit, names)
        total += worth
        for held, share in zip(rings, _SHARES, strict=True):
            if holds(unit, held):
                gained += worth * share
                beside += worth if held is rings[0] else 0.0
                break
    return (gained / total, beside / total) if total else (0.0, 0.0)


def _settle(claim: Statement, fact: Fact, *, places: Sequence[_Place], words: bool) -> Finding | None:
    kind = "number" if fact.date is None else "date"
    equal = [place for place in places if same(fact, place.fact)]
    claimed = [other for other in claim.facts if other is not fact]
    others = [place for place in places if not same(fact, place.fact) and not any(same(c, place.fact) for c in claimed)]
    best = max(equal, key=lambda place: place.fit, default=None)
    rival = max(others, key=lambda place: place.fit, default=None)
    if not words:
        reason = "" if best else f"the evidence does not hold {fact.raw}"
        return Finding(kind, best is not None, conflict=False, reason=reason, statement=best and best.statement)
    if best is None:
        return _absent(fact, kind, rival=rival)
    if rival is not None and _refutes(claim, rival, best):
        return Finding(kind, stands=False, conflict=True, reason=_says(fact, rival.fact), statement=rival.statement)
    limit = _unlimited(fact, equal)
    if limit is not None:
        return Finding(kind, stands=False, conflict=False, reason=limit, statement=best.statement)
    turned = _misput(fact, equal)
    if turned is not None:
        return Finding(kind, stands=False, conflict=True, reason=turned, statement=best.statement)
    crossed = _crossed(claim, fact, equal=equal)
    if crossed is not None:
        return Finding(kind, stands=False, conflict=False, reason=crossed, statement=best.statement)
    return Finding(
        kind,
        stands=True,
        conflict=False,
        reason="",
        statement=best.statement,
        clause=best.fact.clause,
        asked=fact.clause,
    )


def _refutes(claim: Statement, rival: _Place, best: _Place) -> bool:
    """Whether a differing value speaks so much more clearly of the same that an equal one does not count."""
    clearer = rival.fit >= best.fit + _BETTER and rival.beside > best.beside
    # "In fiscal year 2023, ...": a phrase dates all of its sentence.
    whole = [coverage(claim.wanted, place.statement.held) for place in (rival, best)]
    return clearer and (rival.statement is best.statement or whole[0] > whole[1])


def _absent(fact: Fact, kind: str, *, rival: _Place | None) -> Finding | None:
    speaks = rival is not None and rival.fit >= _SPEAKS
    # A table's figures are stated as their column says, which no sentence tells.
    if rival is not None and speaks and not rival.statement.is_row:
        return Finding(kind, stands=False, conflict=True, reason=_says(fact, rival.fact), statement=rival.statement)
    if fact.quantity is not None and fact.quantity.kind is Kind.ORDINAL:
        return None  # "first", "second" often only count what the writer lists
    reason = f"the evidence does not hold {fact.raw.strip()}"
    return Finding(kind, stands=False, conflict=False, reason=reason, statement=None)


def _says(fact: Fact, other: Fact) -> str:
    return f"the evidence says {other.raw.strip()}, not {fact.raw.strip()}"


def _misput(fact: Fact, equal: Sequence[_Place]) -> str | None:
    """Return how the evidence puts the same value otherwise: as the other end, or the other limit."""
    roles = {place.fact.role for place in equal}
    if fact.role and roles and roles <= {"from", "to"} - {fact.role}:
        return f"in the evidence {fact.raw.strip()} is the other end of the change"
    bounds = {place.fact.bound for place in equal}
    if fact.bound and bounds and bounds <= {"<", ">"} - {fact.bound}:
        return f"in the evidence {fact.raw.strip()} is the opposite limit"
    return None


def _unlimited(fact: Fact, equal: Sequence[_Place]) -> str | None:
    """Return that one side gives as a limit what the other gives as the value, where both name the same."""
    limits = {place.fact.bound for place in equal if _alike(fact, place.fact)}
    if fact.bound and limits == {""}:
        return f"in the evidence {fact.raw.strip()} is no limit"
    if not fact.bound and limits == {"<"}:
        return f"in the evidence {fact.raw.strip()} is a limit"
    return None


def _alike(fact: Fact, other: Fact) -> bool:
    return fact.quantity is not None and other.quantity is not None and same_quantity(fact.quantity, other.quantity)


def _crossed(claim: Statement, fact: Fact, *, equal: Sequence[_Place]) -> str | None:
    """Return the name that in the evidence goes with another value of the same kind."""
    part = claim.clauses[fact.clause]
    for name in claim.names:
        if not (part.start <= name.start < part.end):
            continue
        strays = [_stray(name, fact, place) for place in equal]
        if strays and all(strays):
            return f"in the evidence {name.text} goes with {strays[0]}, not {fact.raw.strip()}"
    return None


def _stray(name: Name, fact: Fact, place: _Place) -> str | None:
    """Return the other value with which the sentence puts `name`, `None` where it does not."""
    statement = place.statement
    key = name_key(name.text)
    first = name_key(statement.names[0].text) if statement.names else key
    if first == key or statement.key.startswith(key):
        return None  # the subject goes with every value of its sentence
    held = [
        index
        for index, clause in enumerate(statement.clauses)
        if key in name_key(statement.text[clause.start : clause.end])
    ]
    if not held or place.fact.clause in held:
        return None
    for other in statement.facts:
        if other.clause in held and comparable(fact, other) and not same(fact, other):
            return other.raw.strip()
    return None


def check_remnants(claim: Statement, evidence: Sequence[Statement]) -> list[Finding]:
    """Return the figures that belong to words of the claim (COVID-19, 三号) and the evidence lacks.

    They are no amounts; but another figure makes another thing.
    """
    held = frozenset[str]().union(*(s.held for s in evidence))
    figures = {figure for s in evidence for figure in _FIGURE.findall(s.text)}
    missing = [figure for figure in _FIGURE.findall(claim.words) if figure not in figures]
    for unit in claim.wanted:
        numeral = frozenset.intersection(*map(frozenset, unit.terms)) if unit.wide else frozenset()
        missing += sorted(numeral & _NUMERALS if not holds(unit, held) else ())
    return [
        Finding(
            "number",
            stands=False,
            conflict=False,
            reason=f"the evidence does not hold {figure}",
            statement=None,
        )
        for figure in dict.fromkeys(missing)
    ]


# --- by value --------------------------------------------------------------------------------


def comparable(claim: Fact, other: Fact) -> bool:
    """Whether two values could be told of the same thing: two dates, two lengths, two sums."""
    if claim.date is not None or other.date is not None:
        return claim.date is not None and other.date is not None
    if claim.quantity is None or other.quantity is None:
        return False
    a, b = claim.quantity, other.quantity
    if Kind.CLOCK in {a.kind, b.kind} or Kind.ORDINAL in {a.kind, b.kind}:
        return a.kind is b.kind
    if is_money(a.unit) and is_money(b.unit):
        return True
    return same_dimension(a.unit, b.unit) or a.value == b.value


def same(claim: Fact, other: Fact) -> bool:
    """Whether the evidence's value bears out the claim's: equal, or what it was rounded from."""
    if claim.date is not None or other.date is not None:
        return claim.date is not None and other.date is not None and compatible(claim.date, other.date)
    if claim.quantity is None or other.quantity is None:
        return False
    a, b = claim.quantity, other.quantity
    if same_quantity(a, b) or (a.value == b.value and (a.unit is None or b.unit is None)):
        return True
    return close(a, b) and _coarser(a, b) and _within(claim, a, b)


def _coarser(claim: Quantity, other: Quantity) -> bool:
    """Whether the claim is at most as exact as the evidence: it may round, not sharpen."""
    return claim.approximate or _step(claim) >= _step(other, rounded=other.approximate)


def _step(quantity: Quantity, *, rounded: bool = False) -> float:
    """Return the worth of the last digit stated; final zeros of what is `rounded` are not stated."""
    low = in_base(quantity.value, quantity.unit)
    exponent = quantity.value.normalize().as_tuple().exponent
    step = max(quantity.step, Decimal(1).scaleb(exponent)) if rounded and isinstance(exponent, int) else quantity.step
    return abs(float(in_base(quantity.value + step, quantity.unit) - low))


def _within(fact: Fact, claim: Quantity, other: Quantity) -> bool:
    mine, theirs = in_base(claim.value, claim.unit), in_base(other.value, other.unit)
    if fact.bound == ">":
        return theirs >= mine
    if fact.bound == "<":
        return theirs <= mine
    return True


# --- names -----------------------------------------------------------------------------------


def with_opening_name(claim: Statement, evidence: Sequence[Statement]) -> Statement:
    """Return the claim with its first word as a name where the evidence uses it as one.

    A single capitalised word at the start of a sentence does not show by its form what it is.
    """
    first = claim.text.split(maxsplit=1)[:1]
    word = first[0].strip(",.'\u2019s") if first else ""
    if not word[:1].isupper() or any(name.start == 0 for name in claim.names):
        return claim
    key, terms = name_key(word), held_terms(word)
    if not any(s.calls(key) for s in evidence if terms <= s.held):
        return claim
    name = Name(text=word, start=0, end=len(word))
    return replace(claim, opening=name)


def check_names(claim: Statement, evidence: Sequence[Statement], *, context: AbstractSet[str]) -> list[Finding]:
    """Return what becomes of each proper name of the claim; `context` are terms of titles."""
    found = []
    for name in claim.names:
        shown = _without_opening(name, evidence)
        holder = next((s for s in evidence if names(s, shown, context=context)), None)
        stands = holder is not None or held_terms(shown) <= context
        reason = "" if stands else f"the evidence does not name {name.text}"
        found.append(Finding("name", stands, conflict=False, reason=reason, statement=holder))
    return found


def _without_opening(name: Name, evidence: Sequence[Statement]) -> str:
    """Return a name that opens its sentence without the common word that may precede it.

    "Construction of the Halden" and "Building Halden" are capitalised like names.
    """
    first, _, rest = name.text.partition(" ")
    if name.start or not rest:
        return name.text
    particle = _PARTICLE.match(rest)
    if particle:
        return rest[particle.end() :]
    common = first.endswith("ing") or any(f" {first.lower()} " in s.text for s in evidence)
    return rest if common else name.text


def names(statement: Statement, name: str, *, context: AbstractSet[str]) -> bool:
    """Whether a sentence, read under its titles, holds the name as it stands or all its words."""
    if has_cjk(name):
        return name_key(name) in statement.key
    if all(holds(unit, statement.held) or holds(unit, context) for unit in units(name)):
        return True
    return f" {name_key(name)} " in f" {statement.key} "
