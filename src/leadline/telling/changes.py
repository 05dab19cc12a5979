"""What changed between two reports on the same question; pure, and the same on every machine."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from leadline.domain import Changed, Changes, Cited, Claim, Difference, Gist, Report, Source, Stated
from leadline.text.dates import DateValue, compatible, find_dates
from leadline.text.names import find_names, name_key
from leadline.text.negation import has_negation
from leadline.text.numbers import close, find_numbers
from leadline.text.quantities import Quantity
from leadline.text.tokens import content_terms

T = TypeVar("T")

_SAME: Final = 0.75
"""From this share of common terms on, subject and names being the same, two sentences state the same thing."""


def gist(report: Report) -> Gist:
    """Return what a later report is compared with."""
    return Gist(
        run_id=report.run_id,
        question=report.question,
        created_at=report.created_at,
        claims=tuple(Stated(text=claim.text, verdict=claim.verdict) for claim in report.claims),
        sources=tuple(_cited(source) for source in report.sources),
    )


def same_question(one: str, other: str) -> bool:
    """Whether two questions differ in nothing but blanks, case and the mark at their end."""
    return _bare(one) == _bare(other)


def changes(earlier: Gist, later: Report) -> Changes:
    """Return what changed, each part in its own report's order.

    Sources are the same by their address. Claims are the same by their words, blanks, case and full
    stop aside; else by their first term, most of the others and all names, numbers and dates left
    out: then another number or date, or a denial, is a change of value.
    """
    old_sources = {source.uri: source for source in earlier.sources}
    new_uris = {source.uri for source in later.sources}
    pairs, new, gone = _paired(earlier.claims, later.claims)
    changed = (_changed(before, claim) for before, claim in pairs)
    known = [source for source in later.sources if source.uri in old_sources]
    return Changes(
        earlier=earlier.run_id,
        earlier_at=earlier.created_at,
        new_claims=tuple(claim.id for claim in new),
        changed_claims=tuple(one for one in changed if one is not None),
        gone_claims=tuple(gone),
        new_sources=tuple(source.id for source in later.sources if source.uri not in old_sources),
        changed_sources=tuple(source.id for source in known if source.sha256 != old_sources[source.uri].sha256),
        gone_sources=tuple(source for source in earlier.sources if source.uri not in new_uris),
    )


def _cited(source: Source) -> Cited:
    return Cited(uri=source.uri, title=source.title, sha256=source.sha256)


def _changed(before: Stated, claim: Claim) -> Changed | None:
    differs = []
    if _bare(before.text) != _bare(claim.text) and _Statement.of(before.text).differs(_Statement.of(claim.text)):
        differs.append(Difference.VALUE)
    if before.verdict is not claim.verdict:
        differs.append(Difference.VERDICT)
    return Changed(claim_id=claim.id, differs=tuple(differs), before=before) if differs else None


class _Pairs(NamedTuple):
    """Claims of both reports that state the same thing, in the later one's order, and what is in one alone."""

    pairs: list[tuple[Stated, Claim]]
    new: list[Claim]
    gone: list[Stated]


def _paired(earlier: Sequence[Stated], later: Sequence[Claim]) -> _Pairs:
    old: dict[str, Stated] = {}
    for stated in earlier:
        old.setdefault(_bare(stated.text), stated)
    claims: dict[str, Claim] = {}
    for claim in later:
        claims.setdefault(_bare(claim.text), claim)
    found = {key: old[key] for key in claims if key in old}
    rest = [key for key in claims if key not in found]
    free = [key for key in old if key not in found]
    for key, other in _alike(rest, free, claims=claims, old=old):
        found[key] = old[other]
        free.remove(other)
    return _Pairs(
        [(found[key], claim) for key, claim in claims.items() if key in found],
        [claim for key, claim in claims.items() if key not in found],
        [old[key] for key in free],
    )


def _alike(
    rest: Sequence[str], free: Sequence[str], *, claims: dict[str, Claim], old: dict[str, Stated]
) -> list[tuple[str, str]]:
    """Return which of the later claims state what which of the earlier did, the likest first, each once."""
    later = [_Statement.of(claims[key].text) for key in rest]
    before = [_Statement.of(old[key].text) for key in free]
    found = [
        (-alike, here, there)
        for here, one in enumerate(later)
        for there, other in enumerate(before)
        if (alike := one.alike(other)) >= _SAME
    ]
    pairs: dict[int, int] = {}
    for _, here, there in sorted(found):
        if here not in pairs and there not in pairs.values():
            pairs[here] = there
    return [(rest[here], free[there]) for here, there in pairs.items()]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Statement:
    """A claim taken apart: its values, and the terms that stand around them, the first one being its subject."""

    terms: Sequence[str]
    names: frozenset[str]
    dates: Sequence[DateValue]
    numbers: Sequence[Quantity]
    negated: bool

    @classmethod
    def of(cls, text: str) -> _Statement:
        dates = find_dates(text)
        numbers = find_numbers(text, skip=[date.span for date in dates])
        around, at = [], 0
        for span in sorted([date.span for date in dates] + [number.span for number in numbers]):
            around.append(text[at : span.start])
            at = max(at, span.end)
        around.append(text[at:])
        return cls(
            terms=list(dict.fromkeys(content_terms(" ".join(around)))),
            names=frozenset(name_key(name.text) for name in find_names(text)),
            dates=dates,
            numbers=numbers,
            negated=has_negation(text),
        )

    def alike(self, other: _Statement) -> float:
        """Return the share of both statements' terms that both have, 0 where names or subjects differ."""
        if self.names != other.names or not (self.terms and other.terms):
            return 0.0
        if self.terms[0] not in other.terms or other.terms[0] not in self.terms:
            return 0.0
        one, two = set(self.terms), set(other.terms)
        return len(one & two) / len(one | two)

    def differs(self, other: _Statement) -> bool:
        """Whether a date or number of one is not the other's, or one of them denies."""
        dates = _matched(self.dates, other.dates, compatible)
        return self.negated != other.negated or not (dates and _matched(self.numbers, other.numbers, close))


def _matched(one: Sequence[T], other: Sequence[T], same: Callable[[T, T], bool]) -> bool:
    return all(any(same(a, b) for b in other) for a in one) and all(any(same(a, b) for a in one) for b in other)


def _bare(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(".。?!")
