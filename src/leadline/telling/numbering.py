"""What all formats of a report share: the numbers of its citations, and its sentences with their claims."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from leadline.domain import Citation, Claim, Contradiction, Report, Section
from leadline.text.lines import on_one_line


class Numbered(NamedTuple):
    """A citation and its number, from 1."""

    number: int
    citation: Citation


class Told(NamedTuple):
    """A piece of a report's text, and the claim that it is, if it is one."""

    text: str
    claim: Claim | None


class Numbers:
    """The numbered citations of a report: one number for each cited span, by first use.

    Claims come in the order of reading, then contradictions.
    """

    def __init__(self, report: Report) -> None:
        claims = {claim.id: claim for claim in report.claims}
        read = [*report.answer_claims, *(s.claim_id for part in report.sections for s in part.sentences if s.claim_id)]
        self._by_span: dict[tuple[str, int, int], Numbered] = {}
        for claim_id in dict.fromkeys([*read, *claims]):
            self._add(claims[claim_id].citations)
        for pair in report.contradictions:
            self._add(pair.sides)
        self._by_source: dict[str, list[Numbered]] = {}
        for numbered in self._by_span.values():
            self._by_source.setdefault(numbered.citation.source_id, []).append(numbered)

    def _add(self, citations: Iterable[Citation]) -> None:
        for c in citations:
            self._by_span.setdefault((c.source_id, c.start, c.end), Numbered(len(self._by_span) + 1, c))

    def of(self, citations: Iterable[Citation]) -> tuple[int, ...]:
        """Return the numbers of citations, each once, in their order."""
        return tuple(dict.fromkeys(self._by_span[c.source_id, c.start, c.end].number for c in citations))

    def numbered(self, citations: Iterable[Citation]) -> tuple[Numbered, ...]:
        """Return citations with their numbers, each number once, in their order."""
        return tuple(dict.fromkeys(self._by_span[c.source_id, c.start, c.end] for c in citations))

    def in_source(self, source_id: str) -> Sequence[Numbered]:
        """Return the numbered citations of a source."""
        return self._by_source.get(source_id, ())


def closed(report: Report) -> bool:
    """Whether every claim and source that the report names is in it: what all formats rely on."""
    claims, sources = {claim.id for claim in report.claims}, {source.id for source in report.sources}
    named = {s.claim_id for part in report.sections for s in part.sentences if s.claim_id is not None}
    cited = {c.source_id for claim in report.claims for c in claim.citations}
    cited |= {side.source_id for pair in report.contradictions for side in pair.sides}
    if report.changes is not None:
        named |= {*report.changes.new_claims, *(one.claim_id for one in report.changes.changed_claims)}
        cited |= {*report.changes.new_sources, *report.changes.changed_sources}
    return claims.issuperset({*report.answer_claims, *named}) and sources.issuperset(cited)


def answer(report: Report, claims: Mapping[str, Claim]) -> tuple[Told, ...]:
    """Return the direct answer, cut behind each of its claims.

    A claim whose text the answer does not hold as it stands goes to the answer's end.
    """
    told: list[Told] = []
    rest: list[Told] = []
    at = 0
    for claim in (claims[c] for c in report.answer_claims):
        found = report.answer.find(claim.text, at) if claim.text else -1
        if found < 0:
            rest.append(Told("", claim))
            continue
        if report.answer[at:found].strip():
            told.append(Told(report.answer[at:found], None))
        at = found + len(claim.text)
        told.append(Told(claim.text, claim))
    if report.answer[at:].strip():
        told.append(Told(report.answer[at:], None))
    return (*told, *rest)


def sentences(section: Section, claims: Mapping[str, Claim]) -> tuple[Told, ...]:
    """Return a section's sentences with their claims."""
    return tuple(Told(s.text, None if s.claim_id is None else claims[s.claim_id]) for s in section.sentences)


def quoting(told: Iterable[Told]) -> bool:
    """Whether all that is claimed is quoted: then sentences stand as a list, else they are prose."""
    return all(t.claim is None or t.claim.checks.decided_by == "quote" for t in told)


# What a quoted sentence leaves unsaid stands before it in brackets.
_NAMED: Final = re.compile(r"\A\[[^\]]*\] ")


def flat(value: str) -> str:
    """Return text on one line without its closing full stop, to tell whether two texts say the same."""
    return on_one_line(value).rstrip(".。 ")


def said(report: Report) -> Iterator[str]:
    """Yield what the report says word for word, as `flat` has it: quotes of it need no second showing."""
    yield from (flat(claim.text) for claim in report.claims)
    yield from (flat(_NAMED.sub("", claim.text)) for claim in report.claims)
    yield from (flat(side.quote) for pair in report.contradictions for side in pair.sides)


def subject(pair: Contradiction) -> str:
    """Return what a contradiction is about, without a quotation that is shown beside it anyway."""
    about = " ".join(pair.about.split())
    for side in pair.sides:
        quote = flat(side.quote)
        if quote and about.startswith(quote):
            return about[len(quote) :].lstrip(".。:： ") or about
    return about
