"""Which pages of the ledger bear on a question, directly or over a bridge.

A page bears directly by its words and by the names that the question holds; over a bridge where a
sentence of a page that bears names another page, and that page, or the sentence, says what the
question still asks. Pure and deterministic; weights were fitted once (docs/quality.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from leadline.research.evidence import Ledger
from leadline.research.extractive.asking import Asked, Kind, key_of, take_apart, words_of
from leadline.research.extractive.coverage import cover, phrased, weigh
from leadline.research.extractive.reading import Line, Names, Page, read
from leadline.text.dates import find_dates
from leadline.text.language import has_cjk
from leadline.text.names import find_names
from leadline.text.numbers import find_numbers
from leadline.text.tokens import terms

SEEDS = 8
"""Pages from which a hop may start."""

NAMED_LINES = 6
"""Lines of a page whose names may lead on."""


class Weights(NamedTuple):
    """What speaks for a page, each about 0 to 1; also the weights of these, in log-odds."""

    bias: float
    cover: float  # the question's terms on the page
    best: float  # in its best sentence with the title
    rest: float  # of what the question says of its names, in one sentence
    linked: float  # it goes by a name of the question
    hop: float  # the best way to it as a page of a name
    onward: float  # the best way from it
    mention: float  # it mentions a name of the question
    rank: float  # `cover` and `best` as a share of the best page's
    kind: float  # its best sentence holds a date or number that is asked for
    first: float  # how early it was read
    hop_rank: float  # `hop` as a share of the best, squared
    onward_rank: float  # `onward` likewise
    apart: float  # other pages go by names of the question, it does not
    via: float  # the best way to it as a page that mentions a name
    via_rank: float  # `via` likewise
    own_rank: float  # the way to it as a share of the best from the same page


DIRECT = Weights(-5.5, -1.4, 0.2, 0.4, 3.0, 0.0, 0.0, 0.4, 3.4, 0.5, 2.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
JOINT = Weights(-6.2, -1.7, -0.2, -0.4, 4.6, 6.9, -1.1, -0.7, 2.9, 0.5, 2.7, 0.1, 1.2, -0.3, 2.3, 1.7, 1.9)


class Hop(NamedTuple):
    """A way from a page to another over a name: the line that holds it, and how good the way is, 0 to 1.

    The target goes by the name, or mentions it in the line `there`.
    """

    origin: int
    target: int
    line: Line
    there: Line | None
    key: str
    score: float

    @property
    def titled(self) -> bool:
        """Whether the target goes by the name."""
        return self.there is None


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
    phrases = tuple(key for name in asked.names if " " in (key := key_of(name)))
    if phrases:
        asked = replace(asked, terms=tuple(dict.fromkeys([*asked.terms, *phrases])))
        pages = tuple(page._replace(lines=tuple(phrased(line, phrases) for line in page.lines)) for page in pages)
    weights = weigh(asked, pages)
    names = Names(pages)
    linked, keys = _linked(asked, names)
    desk = _Desk(asked=asked, pages=pages, weights=weights, names=names, linked=linked, keys=keys)
    return desk.survey()


def _linked(asked: Asked, names: Names) -> tuple[dict[int, float], frozenset[str]]:
    """Return the pages that the question names, and by which keys."""
    spots = names.spotted(words_of(asked.text), asked=True)
    for name in asked.names:
        spots += names.spotted(words_of(name), asked=True)
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
        own = {term for key in keys for term in terms(key)}
        self.open = [t for t in asked.terms if t not in own] or list(asked.terms)
        self.named: dict[int, list[tuple[Line, list[str]]]] = {}
        self.holding: dict[str, list[Line]] = {}
        self.lefts: dict[tuple[int, int, int, int], float] = {}
        self.base = [self._features(page) for page in pages]
        top = max((f.rank for f in self.base), default=0.0) or 1.0
        self.base = [f._replace(rank=f.rank / top) for f in self.base]

    def survey(self) -> Survey:
        odds = [logit(f, DIRECT) for f in self.base]
        hops: dict[tuple[int, int, bool], Hop] = {}
        features = self.base
        for _ in range(2):
            for hop in self._hops(odds):
                known = hops.get((hop.origin, hop.target, hop.titled))
                if known is None or hop.score > known.score:
                    hops[hop.origin, hop.target, hop.titled] = hop
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

    def _hops(self, odds: Sequence[float]) -> list[Hop]:
        seeds = sorted(range(len(self.pages)), key=lambda i: (-odds[i], i))[:SEEDS]
        return [hop for i in seeds for hop in (*self._to_titles(i, odds[i]), *self._to_mentions(i, odds[i]))]

    def _cover(self, terms: frozenset[str], wanted: Sequence[str] | None = None) -> float:
        return cover(self.asked, self.weights, terms=terms, wanted=wanted)

    def _features(self, page: Page) -> Weights:
        lines = page.lines
        best = max((self._cover(line.terms | page.title_terms) for line in lines), default=0.0)
        whole = self._cover(page.terms)
        rest = (
            max((self._cover(line.terms, self.asked.rest) for line in lines), default=0.0) if self.asked.rest else 0.0
        )
        mention = 0.0
        if page.number not in self.linked:
            keys = [key_of(name) for name in self.asked.names]
            mention = float(any(line.holds(key) for key in keys for line in lines))
        return Weights(
            bias=1.0,
            cover=whole,
            best=best,
            rest=rest,
            linked=self.linked.get(page.number, 0.0),
            hop=0.0,
            onward=0.0,
            mention=mention,
            rank=whole + best,
            kind=self._kind(page),
            first=1.0 / (1.0 + page.number),
            hop_rank=0.0,
            onward_rank=0.0,
            via=0.0,
            via_rank=0.0,
            own_rank=0.0,
            apart=1.0 if self.linked and page.number not in self.linked else 0.0,
        )

    def _kind(self, page: Page) -> float:
        if self.asked.kind not in {Kind.DATE, Kind.NUMBER}:
            return 0.0
        line = max(page.lines, key=lambda ln: self._cover(ln.terms), default=None)
        if line is None:
            return 0.0
        text = page.text[line.start : line.end]
        return 1.0 if (find_dates(text) if self.asked.kind is Kind.DATE else find_numbers(text)) else 0.0

    def _said(self, line: Line, page: Page) -> float:
        """Return how much of the question a line says, and of what it asks of its names."""
        rest = self._cover(line.terms, self.asked.rest) if self.asked.rest else 0.0
        return 0.3 + 0.4 * self._cover(line.terms | page.title_terms) + 0.3 * rest

    def _to_titles(self, seed: int, odds: float) -> list[Hop]:
        """Return the hops from a page to those that its sentences name, where the question does not."""
        page = self.pages[seed]
        found: dict[int, Hop] = {}
        trust = sigmoid(odds) ** 0.5
        for line in page.lines:
            said = self._said(line, page)
            for target, strength, key in self.names.spotted(line.words):
                if target == seed or target in self.linked or self._in_question(key):
                    continue
                left = self._left(line, page, lines=self.pages[target].lines, there=self.pages[target])
                score = trust * strength * said * (0.4 + 0.6 * left)
                if target not in found or score > found[target].score:
                    found[target] = Hop(seed, target, line, None, key, score)
        return list(found.values())

    def _to_mentions(self, seed: int, odds: float) -> list[Hop]:
        """Return the hops to pages whose sentences mention what this page is, or whom its best sentences name."""
        page = self.pages[seed]
        found: dict[int, Hop] = {}
        trust = sigmoid(odds) ** 0.5
        for key, (worth, line) in self._bridges(page).items():
            holding = self._holding(key)
            common = 1.0 + math.log(max(1, len({other.page for other in holding})))
            for other in holding:
                target = other.page
                if target == seed or target in self.linked:
                    continue
                left = self._left(line, page, lines=(other,), there=self.pages[target])
                score = trust * worth * (0.3 + 0.7 * left) / common
                if target not in found or score > found[target].score:
                    found[target] = Hop(seed, target, line, other, key, score)
        return list(found.values())

    def _bridges(self, page: Page) -> dict[str, tuple[float, Line]]:
        """Return the names that may lead on from a page, with their worth and the line that holds them."""
        found: dict[str, tuple[float, Line]] = {}
        if not page.lines:
            return found
        for key, strength in page.keys:
            if not self._in_question(key):
                found[key] = (strength * self._said(page.lines[0], page), page.lines[0])
        for line, keys in self._named(page):
            said = 0.8 * self._said(line, page)
            for key in keys:
                if key not in found or said > found[key][0]:
                    found[key] = (said, line)
        return found

    def _named(self, page: Page) -> list[tuple[Line, list[str]]]:
        """Return the names in a page's best lines, by key, without those that the question holds."""
        if page.number not in self.named:
            best = sorted(page.lines, key=lambda ln: (-self._said(ln, page), ln.start))[:NAMED_LINES]
            made = []
            for line in best:
                keys = (key_of(name.text) for name in find_names(page.text[line.start : line.end]))
                made.append((line, [k for k in dict.fromkeys(keys) if len(k) > 1 and not self._in_question(k)]))
            self.named[page.number] = made
        return self.named[page.number]

    def _in_question(self, key: str) -> bool:
        return key in self.asked_key if has_cjk(key) else f" {key} " in self.asked_key

    def _holding(self, key: str) -> list[Line]:
        if key not in self.holding:
            self.holding[key] = [line for page in self.pages for line in page.lines if line.holds(key)]
        return self.holding[key]

    def _left(self, line: Line, page: Page, *, lines: Sequence[Line], there: Page) -> float:
        """Return how much of what a line leaves open the lines of another page say, at best."""
        key = (line.page, line.start, there.number, lines[0].start if len(lines) == 1 else -1)
        if key not in self.lefts:
            sides = []
            for wanted in (self.asked.terms, self.open):
                left = [t for t in wanted if t not in line.terms and t not in page.title_terms]
                best = max((self._cover(o.terms | there.title_terms, left) for o in lines), default=0.0)
                sides.append(best if left else 0.5)
            self.lefts[key] = sum(sides) / 2
        return self.lefts[key]

    def _joined(self, hops: dict[tuple[int, int, bool], Hop]) -> list[Weights]:
        size = len(self.pages)
        into, via, onward = [0.0] * size, [0.0] * size, [0.0] * size
        for hop in hops.values():
            side = into if hop.titled else via
            side[hop.target] = max(side[hop.target], hop.score)
            onward[hop.origin] = max(onward[hop.origin], hop.score)
        most_in, most_via, most_on = (max(values, default=0.0) or 1.0 for values in (into, via, onward))
        own = [0.0] * size
        for hop in hops.values():
            share = (hop.score / (onward[hop.origin] or 1.0)) ** 2 * onward[hop.origin] / most_on
            own[hop.target] = max(own[hop.target], share)
        return [
            f._replace(
                hop=into[i],
                hop_rank=(into[i] / most_in) ** 2,
                via=via[i],
                via_rank=(via[i] / most_via) ** 2,
                onward=onward[i],
                onward_rank=(onward[i] / most_on) ** 2,
                own_rank=own[i],
            )
            for i, f in enumerate(self.base)
        ]


def logit(features: Weights, weights: Weights) -> float:
    """Return the log-odds of a page."""
    return sum(f * w for f, w in zip(features, weights, strict=True))


def sigmoid(value: float) -> float:
    """Return the probability of log-odds."""
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, value))))
