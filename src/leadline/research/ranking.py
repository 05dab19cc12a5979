"""Sentences of the ledger by how well they answer a question as a whole. Pure; made for `Cpu`.

A sentence scores by its page's worth, by the share of the question's weighted terms that it covers,
by saying what the question asks of its names, by holding a value of the type asked for, and by being
the line over which another page of worth was found. What is chosen covers the question together:
each further sentence of a page counts less, each new term of the question more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from leadline.research.asking import Kind
from leadline.research.evidence import Ledger
from leadline.research.hops import Survey, sigmoid, survey
from leadline.research.reading import Line
from leadline.text.dates import find_dates
from leadline.text.numbers import find_numbers

PAGES = 6
"""Pages that a report draws on at most."""

SURE_PAGES = 2
"""Pages that are always drawn on; further ones only above `LEAST`."""

LEAST = 0.04
"""Probability below which a further page is left out."""

W_PAGE, W_TITLED, W_OWN, W_REST, W_KIND, W_OPENING, W_BRIDGE = 0.35, 1.0, 1.0, 1.2, 0.3, 0.5, 1.2
REPEATED = 0.5
NEW = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranked:
    """A sentence of a source. `coverage` is the weighted share of the question's terms in it with its title."""

    source_id: str
    start: int
    end: int
    score: float
    coverage: float
    terms: frozenset[str]


def rank(question: str, ledger: Ledger, limit: int) -> tuple[Ranked, ...]:
    """Return the best `limit` sentences of all sources, best first."""
    return ranked(survey(question, ledger))[:limit]


def ranked(seen: Survey) -> tuple[Ranked, ...]:
    """Return the sentences of the pages that bear on the question, best first."""
    bridges = _bridges(seen)
    found = []
    for index in bearing(seen):
        page = seen.pages[index]
        opening = next((line for line in page.lines if line.prose), None)
        for line in page.lines:
            score = _score(seen, line, bridge=bridges.get((line.page, line.start), 0.0), opening=line is opening)
            found.append(
                Ranked(
                    source_id=page.source.id,
                    start=line.start,
                    end=line.end,
                    score=score,
                    coverage=seen.cover(line.terms | page.title_terms),
                    terms=line.terms,
                )
            )
    found.sort(key=lambda r: (-r.score, r.source_id, r.start))
    return tuple(found)


def bearing(seen: Survey) -> list[int]:
    """Return the pages that a report may draw on, best first."""
    order = sorted(range(len(seen.pages)), key=lambda i: (-seen.odds[i], i))
    sure = [i for place, i in enumerate(order) if place < SURE_PAGES or sigmoid(seen.odds[i]) >= LEAST]
    return sure[:PAGES]


def _bridges(seen: Survey) -> dict[tuple[int, int], float]:
    """Return the lines (page, start) over which other bearing pages were found, with how sure those are."""
    found: dict[tuple[int, int], float] = {}
    for hop in seen.hops:
        for line, end in ((hop.line, hop.target), (hop.there, hop.origin)):
            if line is not None:
                worth = sigmoid(seen.odds[end])
                found[line.page, line.start] = max(found.get((line.page, line.start), 0.0), worth)
    return found


def _score(seen: Survey, line: Line, *, bridge: float, opening: bool) -> float:
    page = seen.pages[line.page]
    rest = seen.asked.rest
    titled = seen.cover(line.terms | page.title_terms)
    score = (
        W_PAGE * max(-4.0, min(4.0, seen.odds[line.page]))
        + W_TITLED * titled
        + W_OWN * seen.cover(line.terms)
        + W_BRIDGE * bridge
    )
    if rest:
        score += W_REST * seen.cover(line.terms, rest)
    if opening:
        score += W_OPENING
    if seen.asked.kind in {Kind.DATE, Kind.NUMBER}:
        text = page.text[line.start : line.end]
        holds = find_dates(text) if seen.asked.kind is Kind.DATE else find_numbers(text)
        score += W_KIND if holds else 0.0
    return score if line.prose else score - 1.0


def choose(found: Sequence[Ranked], seen: Survey, *, limit: int) -> tuple[Ranked, ...]:
    """Return up to `limit` sentences: good ones first, each bringing something that the chosen lack."""
    chosen: list[Ranked] = []
    counted: Counter[str] = Counter()
    held: frozenset[str] = frozenset()
    rest = list(found)
    while rest and len(chosen) < limit:
        best = max(rest, key=lambda r: (_gain(r, seen, counted, held), -r.start))
        rest.remove(best)
        if any(_same(best, other) for other in chosen):
            continue
        chosen.append(best)
        counted[best.source_id] += 1
        held |= best.terms
    return tuple(chosen)


def _gain(candidate: Ranked, seen: Survey, counted: Counter[str], held: frozenset[str]) -> float:
    new = seen.cover(candidate.terms | held) - seen.cover(held)
    return candidate.score - REPEATED * counted[candidate.source_id] + NEW * new


def _same(one: Ranked, other: Ranked) -> bool:
    union = len(one.terms | other.terms)
    return union > 0 and len(one.terms & other.terms) / union > 0.85
