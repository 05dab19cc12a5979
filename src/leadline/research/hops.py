"""Which pages of the ledger bear on a question, directly or over a bridge.

A page bears directly by its words and by the names that the question holds; over a bridge where a
sentence of a page that bears names another page, and that page, or the sentence, says what the
question still asks. Pure and deterministic; weights were fitted once (docs/quality.md).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from leadline.research.asking import Asked, Kind, key_of, take_apart, words_of
from leadline.research.evidence import Ledger
from leadline.research.reading import Line, Names, Page, read
from leadline.text.dates import find_dates
from leadline.text.numbers import find_numbers
from leadline.text.tokens import terms

SEEDS = 8
"""Pages from which a hop may start."""

SYNONYM = 0.6
"""What a related word counts of the word that it stands for."""

NAME = 1.5
"""How much more a word of a name weighs."""


class Weights(NamedTuple):
    """Weights of one page's evidence, in log-odds."""

    bias: float
    cover: float
    best: float
    rest: float
    linked: float
    hop: float
    onward: float
    mention: float
    rank: float
    kind: float


DIRECT = Weights(-4.0, 2.0, 3.0, 1.0, 2.0, 0.0, 0.0, 1.0, 1.0, 0.3)
JOINT = Weights(-4.5, 1.5, 2.5, 1.0, 2.0, 4.0, 2.0, 1.0, 1.0, 0.3)


class Hop(NamedTuple):
    """A way from a page to another: the line that names it, the name, and how good it is, 0 to 1."""

    origin: int
    target: int
    line: Line
    key: str
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """The ledger seen from a question. `odds` are the pages' probabilities of being needed, by page."""

    asked: Asked
    pages: tuple[Page, ...]
    weights: dict[str, float]
    linked: dict[int, float]
    linked_keys: frozenset[str]
    hops: tuple[Hop, ...]
    odds: tuple[float, ...]
    features: tuple[Weights, ...]

    def cover(self, terms: frozenset[str], wanted: Sequence[str] | None = None) -> float:
        """Return the weighted share of the question's terms (or of `wanted`) that `terms` hold."""
        return cover(self.asked, self.weights, terms=terms, wanted=wanted)


def cover(
    asked: Asked, weights: dict[str, float], *, terms: frozenset[str], wanted: Sequence[str] | None = None
) -> float:
    """Return the weighted share of the question's terms (or of `wanted`) that `terms` hold."""
    related = dict(asked.related)
    total = held = 0.0
    for term in asked.terms if wanted is None else wanted:
        total += weights[term]
        if term in terms:
            held += weights[term]
        elif term in related and not related[term].isdisjoint(terms):
            held += SYNONYM * weights[term]
    return held / total if total else 0.0


def survey(question: str, ledger: Ledger) -> Survey:
    """Return what the ledger's pages are worth for a question."""
    asked = take_apart(question)
    pages = read(_goal(asked), ledger)
    return look(asked, pages)


def _goal(asked: Asked) -> str:
    others = sorted({term for _, group in asked.related for term in group})
    return " ".join([asked.text, *others])


def look(asked: Asked, pages: tuple[Page, ...]) -> Survey:
    """Return what these pages are worth for a question."""
    weights = weigh(asked, pages)
    names = Names(pages)
    linked, keys = _linked(asked, names)
    desk = _Desk(asked=asked, pages=pages, weights=weights, names=names, linked=linked, keys=keys)
    return desk.survey()


def weigh(asked: Asked, pages: Sequence[Page]) -> dict[str, float]:
    """Return the weight of each term of the question: its rarity among the pages, names more."""
    counts: Counter[str] = Counter()
    interesting = frozenset(asked.terms)
    for page in pages:
        counts.update(page.terms & interesting)
    rest = frozenset(asked.rest)
    total = len(pages) + 1
    return {
        term: math.log(1 + (total + 0.5) / (counts[term] + 0.5)) * (1.0 if term in rest else NAME)
        for term in asked.terms
    }


def _linked(asked: Asked, names: Names) -> tuple[dict[int, float], frozenset[str]]:
    """Return the pages that the question names, and by which keys."""
    spots = names.spotted(asked.text, asked=True)
    for name in asked.names:
        spots += names.spotted(name, asked=True)
    linked: dict[int, float] = {}
    for page, strength, key in spots:
        sharing = sum(1 for other, s, k in dict.fromkeys(spots) if k == key and s >= strength)
        linked[page] = max(linked.get(page, 0.0), strength / max(1, sharing) ** 0.5)
    return linked, frozenset(key for _, _, key in spots)


class _Desk:
    """What the steps of a survey share."""

    def __init__(
        self,
        *,
        asked: Asked,
        pages: tuple[Page, ...],
        weights: dict[str, float],
        names: Names,
        linked: dict[int, float],
        keys: frozenset[str],
    ) -> None:
        self.asked = asked
        self.pages = pages
        self.weights = weights
        self.names = names
        self.linked = linked
        self.keys = keys
        self.asked_key = f" {' '.join(w.folded for w in words_of(asked.text))} "
        self.best: list[float] = [0.0] * len(pages)
        self.base = [self._features(page) for page in pages]
        top = max((f.rank for f in self.base), default=0.0) or 1.0
        self.base = [f._replace(rank=f.rank / top) for f in self.base]

    def survey(self) -> Survey:
        first = [logit(f, DIRECT) for f in self.base]
        hops: dict[tuple[int, int], Hop] = {}
        features = self.base
        odds = first
        for _ in range(2):
            seeds = sorted(range(len(self.pages)), key=lambda i: (-odds[i], i))[:SEEDS]
            for seed in seeds:
                for hop in self._hops_from(seed, odds[seed]):
                    known = hops.get((hop.origin, hop.target))
                    if known is None or hop.score > known.score:
                        hops[hop.origin, hop.target] = hop
            features = self._joined(hops)
            odds = [logit(f, JOINT) for f in features]
        ordered = tuple(sorted(hops.values(), key=lambda h: (-h.score, h.origin, h.target)))
        return Survey(
            asked=self.asked,
            pages=self.pages,
            weights=self.weights,
            linked=self.linked,
            linked_keys=self.keys,
            hops=ordered,
            odds=tuple(odds),
            features=tuple(features),
        )

    def _cover(self, terms: frozenset[str], wanted: Sequence[str] | None = None) -> float:
        return cover(self.asked, self.weights, terms=terms, wanted=wanted)

    def _features(self, page: Page) -> Weights:
        lines = page.lines
        best = max((self._cover(line.terms | page.title_terms) for line in lines), default=0.0)
        whole = self._cover(page.terms)
        rest = max((self._cover(line.terms, self.asked.rest) for line in lines), default=0.0) if self.asked.rest else 0.0
        mention = 0.0
        if page.index not in self.linked:
            for name in self.asked.names:
                key = key_of(name)
                if any(key in key_of(page.text[line.start : line.end]) for line in lines if _may_hold(line, name)):
                    mention = 1.0
        return Weights(
            bias=1.0,
            cover=whole,
            best=best,
            rest=rest,
            linked=self.linked.get(page.index, 0.0),
            hop=0.0,
            onward=0.0,
            mention=mention,
            rank=whole + best,
            kind=self._kind(page),
        )

    def _kind(self, page: Page) -> float:
        if self.asked.kind not in {Kind.DATE, Kind.NUMBER}:
            return 0.0
        line = max(page.lines, key=lambda ln: self._cover(ln.terms), default=None)
        if line is None:
            return 0.0
        text = page.text[line.start : line.end]
        return 1.0 if (find_dates(text) if self.asked.kind is Kind.DATE else find_numbers(text)) else 0.0

    def _hops_from(self, seed: int, odds: float) -> list[Hop]:
        """Return the hops from a page: names in its sentences that are other pages' and not the question's."""
        page = self.pages[seed]
        found: dict[int, Hop] = {}
        trust = sigmoid(odds)
        for line in page.lines:
            text = page.text[line.start : line.end]
            said = self._cover(line.terms | page.title_terms)
            rest = self._cover(line.terms, self.asked.rest) if self.asked.rest else 0.0
            for target, strength, key in self.names.spotted(text):
                if target == seed or key in self.keys or target in self.linked:
                    continue
                if f" {key} " in self.asked_key:
                    continue
                score = trust**0.5 * strength * (0.3 + 0.4 * said + 0.3 * rest) * (0.4 + 0.6 * self._left(line, page, target))
                if target not in found or score > found[target].score:
                    found[target] = Hop(seed, target, line, key, score)
        return list(found.values())

    def _left(self, line: Line, page: Page, target: int) -> float:
        """Return how much of what the line leaves open the target says."""
        there = self.pages[target]
        left = [t for t in self.asked.terms if t not in line.terms and t not in page.title_terms]
        if not left:
            return 0.5
        return max((self._cover(other.terms | there.title_terms, left) for other in there.lines), default=0.0)

    def _joined(self, hops: dict[tuple[int, int], Hop]) -> list[Weights]:
        into: dict[int, float] = {}
        onward: dict[int, float] = {}
        for hop in hops.values():
            into[hop.target] = max(into.get(hop.target, 0.0), hop.score)
            onward[hop.origin] = max(onward.get(hop.origin, 0.0), hop.score)
        return [f._replace(hop=into.get(i, 0.0), onward=onward.get(i, 0.0)) for i, f in enumerate(self.base)]


def _may_hold(line: Line, name: str) -> bool:
    return set(terms(name)) <= line.terms


def logit(features: Weights, weights: Weights) -> float:
    """Return the log-odds of a page."""
    return sum(f * w for f, w in zip(features, weights, strict=True))


def sigmoid(value: float) -> float:
    """Return the probability of log-odds."""
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, value))))
