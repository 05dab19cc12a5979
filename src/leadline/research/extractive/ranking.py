"""Sentences of the ledger by how well they answer a question as a whole. Pure; made for `Cpu`.

A sentence scores by its page's worth, by the share of the question's weighted terms that it covers,
by saying what the question asks of its names, by holding a value of the type asked for, and by being
the line over which another page of worth was found. What is chosen covers the question together:
each further sentence of a page counts less, each new term of the question more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from leadline.research.evidence import Ledger
from leadline.research.extractive.asking import Kind, key_of
from leadline.research.extractive.hops import Survey, sigmoid, survey
from leadline.research.extractive.reading import Line
from leadline.text.dates import find_dates
from leadline.text.language import HAN
from leadline.text.names import find_names
from leadline.text.numbers import find_numbers
from leadline.text.offsets import Span
from leadline.text.tokens import terms
from leadline.text.units import same_dimension

PAGES = 6
"""Pages that a report draws on at most."""

SECOND = 0.03
"""Probability below which a second page is left out."""

THIRD = 0.08
"""Probability below which a third page is left out."""

LEAST = 0.08
"""Probability below which a further one is."""


FULLER = 0.1
"""Share of the question by which a page says more than the best pages together, to be drawn on as well."""

_SOMEWHERE = re.compile(
    rf"\b(?:in|at|near|from|to|on|of)\s(?:the\s)?[A-Z\u00c0-\u00de]|[在于於至到][{HAN}]{{2}}|[省市县縣区區镇鎮村州国國岛島]"
)


class Merits(NamedTuple):
    """What speaks for a sentence, each about 0 to 1; also the weights of these, in log-odds."""

    bias: float
    page: float  # its page's probability
    titled: float  # the question's terms in it and its title
    own: float  # in it alone
    rest: float  # of what the question says of its names
    left: float  # of what the line that led here left open
    best_left: float  # the same as a share of the page's best sentence
    best_own: float  # `own` as a share of the page's best
    bridge: float  # a page of worth was found over it
    kind: float  # holds a value of the kind asked for
    measure: float  # holds a quantity of the dimension asked for, on a page of the question's names
    opening: float  # opens its page
    early: float  # stands near its page's beginning
    prose: float
    long: float


WORTH = Merits(-8.0, 2.2, -0.3, 0.2, -0.4, 2.4, 0.5, 1.1, 0.8, 0.6, 3.0, 0.0, 1.8, 2.0, 0.1)
SHORT_PAGE = 40
"""Sentences up to which a page's beginning tells what it is about."""

SPAN = 3.0
"""How much a sentence's log-odds count against the penalties of choice."""
WITHIN = 6.0
"""Log-odds by which a sentence may fall short of the best one."""

BESIDE = 0.5
"""Share of what the direct answer says of the question that a sentence says at least to stand beside it."""

REPEATED = 0.3
NEW = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranked:
    """A sentence of a source. `coverage` is the weighted share of the question's terms in it with its title.

    `under` is the heading or label close before it; `prose` is false for what is a heading or label itself.
    """

    source_id: str
    start: int
    end: int
    score: float
    coverage: float
    terms: frozenset[str]
    under: Span | None = None
    prose: bool = True


def rank(question: str, ledger: Ledger, limit: int) -> tuple[Ranked, ...]:
    """Return the best `limit` sentences of all sources, best first."""
    return ranked(survey(question, ledger))[:limit]


def ranked(seen: Survey, *, also: frozenset[int] = frozenset()) -> tuple[Ranked, ...]:
    """Return the sentences of the pages that bear on the question, and of those in `also`, best first."""
    found = [
        Ranked(
            source_id=seen.pages[line.page].source.id,
            start=line.start,
            end=line.end,
            score=sum(m * w for m, w in zip(merits, WORTH, strict=True)),
            coverage=seen.cover(line.terms | heading_terms(seen, line) | seen.pages[line.page].title_terms),
            under=line.under,
            prose=line.prose,
            terms=line.terms,
        )
        for line, merits in weighed(seen, also=also)
    ]
    found.sort(key=lambda r: (-r.score, r.source_id, r.start))
    return tuple(found)


def weighed(seen: Survey, *, also: frozenset[int] = frozenset()) -> list[tuple[Line, Merits]]:
    """Return the sentences of the pages that bear on the question or are `also` named, with what speaks for each."""
    bridges = _bridges(seen)
    found = []
    first = bearing(seen)
    for index in dict.fromkeys([*first, *_fuller(seen, first), *sorted(also)]):
        page = seen.pages[index]
        left = _left(seen, index)
        held = [line.terms | heading_terms(seen, line) for line in page.lines]
        lefts = [seen.cover(one, left) for one in held]
        owns = [seen.cover(one) for one in held]
        most_left, most_own = (max(values, default=0.0) or 1.0 for values in (lefts, owns))
        opening = next((line.start for line in page.lines if line.prose), -1)
        for place, line in enumerate(page.lines):
            if line.asks:
                continue
            merits = Merits(
                bias=1.0,
                page=sigmoid(seen.odds[index]),
                titled=seen.cover(held[place] | page.title_terms),
                own=owns[place],
                rest=seen.cover(held[place], seen.asked.rest),
                left=lefts[place],
                best_left=lefts[place] / most_left,
                best_own=owns[place] / most_own,
                bridge=bridges.get((index, line.start), 0.0),
                kind=_kind(seen, line) * lefts[place] / most_left,
                measure=_measure(seen, line),
                opening=float(line.start == opening),
                early=1.0 / (1.0 + place) if len(page.lines) <= SHORT_PAGE else 0.0,
                prose=float(line.prose),
                long=min(1.0, (line.end - line.start) / 200),
            )
            found.append((line, merits))
    return found


def heading_terms(seen: Survey, line: Line) -> frozenset[str]:
    """Return the terms of the heading that a line is read under, names of several words among them."""
    if line.under is None:
        return frozenset()
    heading = seen.pages[line.page].text[slice(*line.under)]
    key = f" {key_of(heading)} "
    return frozenset([*terms(heading), *(t for t in seen.asked.terms if " " in t and f" {t} " in key)])


def _left(seen: Survey, index: int) -> tuple[str, ...]:
    """Return the terms that the best line leading to a page leaves open; all of `rest` where none leads there."""
    best = max(
        (hop for hop in seen.hops if hop.target == index),
        key=lambda hop: (hop.score * sigmoid(seen.odds[hop.origin]), -hop.origin),
        default=None,
    )
    rest = seen.asked.rest or seen.asked.terms
    if best is None:
        return rest
    said = best.line.terms | seen.pages[best.origin].title_terms
    return tuple(term for term in rest if term not in said) or rest


def _kind(seen: Survey, line: Line) -> float:
    """Return 1 where a line holds a value of the kind that is asked for."""
    page = seen.pages[line.page]
    text = page.text[line.start : line.end]
    match seen.asked.kind:
        case Kind.DATE:
            return float(bool(find_dates(text)))
        case Kind.NUMBER:
            return float(bool(find_numbers(text)))
        case Kind.PLACE:
            return float(bool(_SOMEWHERE.search(text)))
        case Kind.PERSON:
            own = {key for key, _ in page.keys}
            return float(any(key_of(name.text) not in own and name.start for name in find_names(text)))
        case _:
            return 0.0


def _measure(seen: Survey, line: Line) -> float:
    """Return 1 where a line of prose tells a measure of the kind asked for; no words of the question are needed."""
    unit = seen.asked.unit
    if unit is None or not line.prose:
        return 0.0
    text = seen.pages[line.page].text[line.start : line.end]
    return float(any(q.unit is not None and same_dimension(q.unit, unit) for q in find_numbers(text)))


def bearing(seen: Survey) -> list[int]:
    """Return the pages that a report may draw on, best first."""
    order = sorted(range(len(seen.pages)), key=lambda i: (-seen.odds[i], i))
    floors = [0.0, SECOND, THIRD] + [LEAST] * PAGES
    return [i for i, floor in zip(order, floors[:PAGES], strict=False) if sigmoid(seen.odds[i]) >= floor]


def _fuller(seen: Survey, pages: Sequence[int]) -> list[int]:
    """Return the page, if any, that by itself says clearly more of the question than `pages` together."""
    together = seen.cover(frozenset[str]().union(*(seen.pages[i].terms for i in pages)))
    others = (i for i in range(len(seen.pages)) if i not in pages)
    best = max(others, key=lambda i: (seen.cover(seen.pages[i].terms), seen.odds[i], -i), default=None)
    return [] if best is None or seen.cover(seen.pages[best].terms) < together + FULLER else [best]


def _bridges(seen: Survey) -> dict[tuple[int, int], float]:
    """Return the lines (page, start) over which other bearing pages were found, with how sure those are."""
    found: dict[tuple[int, int], float] = {}
    for hop in seen.hops:
        for line, end in ((hop.line, hop.target), (hop.there, hop.origin)):
            if line is not None:
                worth = sigmoid(seen.odds[end])
                found[line.page, line.start] = max(found.get((line.page, line.start), 0.0), worth)
    return found


def choose(found: Sequence[Ranked], seen: Survey, *, limit: int, said: Sequence[Ranked] = ()) -> tuple[Ranked, ...]:
    """Return up to `limit` sentences: good ones first, each bringing something that the chosen and `said` lack."""
    chosen: list[Ranked] = []
    counted: Counter[str] = Counter(one.source_id for one in said)
    held = frozenset[str]().union(*(one.terms for one in said))
    rest = [r for r in found if r.score >= found[0].score - WITHIN]
    if said:
        least = BESIDE * max(seen.cover(one.terms) for one in said)
        rest = [r for r in rest if r.prose and seen.cover(r.terms) >= least]
    while rest and len(chosen) < limit:
        best = max(rest, key=lambda r: (_gain(r, seen, counted=counted, held=held), -r.start))
        rest.remove(best)
        if any(_same(best, other) for other in (*said, *chosen)):
            continue
        chosen.append(best)
        counted[best.source_id] += 1
        held |= best.terms
    return tuple(chosen)


def _gain(candidate: Ranked, seen: Survey, *, counted: Counter[str], held: frozenset[str]) -> float:
    new = seen.cover(candidate.terms | held) - seen.cover(held)
    return candidate.score / SPAN - REPEATED * counted[candidate.source_id] + NEW * new


def _same(one: Ranked, other: Ranked) -> bool:
    union = len(one.terms | other.terms)
    return union > 0 and len(one.terms & other.terms) / union > 0.85
