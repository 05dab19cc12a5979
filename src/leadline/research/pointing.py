"""The one sentence that answers a question of one hop, where there is one.

It covers what the question says - its names above all, by itself or by the page, heading or pronoun
that it is read under - and holds the form asked for (`shapes`). What falls short of either names no
answer: the question is then left to the ranked sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from leadline.research.antecedents import antecedent
from leadline.research.asking import key_of
from leadline.research.evidence import Ledger
from leadline.research.hops import Survey, sigmoid
from leadline.research.ranking import Ranked, heading_terms
from leadline.research.reading import Line
from leadline.research.relations import GENERIC
from leadline.research.shapes import Shape, clauses, fit, shape_of
from leadline.text.tokens import terms

LOOKED: Final = 40
"""Sentences, those that cover most, that are looked at closely."""

ENOUGH: Final = 0.66
"""Share of the question's weight that an answer covers at least, where it holds the form asked for."""

ALMOST_ALL: Final = 0.8
"""The same where no form can be told."""

NAMED: Final = 0.99
"""Share of the terms of each of the question's names that it covers."""

_RELATED: Final = 0.8
_HEADED: Final = 0.8
_TITLED: Final = 0.75
_RESOLVED: Final = 0.9
_UNSEEN: Final = 0.5
_VAGUE: Final = 0.4
_FORM: Final = 0.3
_NEAR: Final = 0.15
_PAGE: Final = 0.1
_BRIEF: Final = 0.05
_BRIEF_CHARS: Final = 80


class Pointed(NamedTuple):
    """A sentence that answers: its line, how well, and the name that its pronoun stands for."""

    line: Line
    score: float
    covered: float
    subject: str


def point(seen: Survey, ledger: Ledger) -> list[Pointed]:
    """Return the sentences that answer, best first; none where none surely does."""
    if len(seen.asked.alternatives) == 2:
        return []
    desk = _Desk(seen, ledger)
    found = [one for line in desk.nearest() if (one := desk.judged(line)) is not None]
    return sorted(found, key=lambda one: (-one.score, one.line.page, one.line.start))


def answering(found: Sequence[Pointed], seen: Survey) -> tuple[Ranked, ...]:
    """Return what a report says first: the best sentence."""
    return tuple(
        Ranked(
            source_id=seen.pages[one.line.page].source.id,
            start=one.line.start,
            end=one.line.end,
            score=one.score,
            coverage=one.covered,
            terms=one.line.terms,
            under=one.line.under,
        )
        for one in found[:1]
    )


class _Desk:
    """What the steps of one choice share."""

    def __init__(self, seen: Survey, ledger: Ledger) -> None:
        self.seen = seen
        self.ledger = ledger
        self.shape = shape_of(seen.asked)
        self.related = dict(seen.asked.related)
        self.names = [key_terms for name in seen.asked.names if (key_terms := frozenset(terms(name)))]
        everything = frozenset[str]().union(*(page.terms for page in seen.pages))
        self.weights = {t: self._weight(t, everything) for t in seen.asked.terms if " " not in t}
        self.total = sum(self.weights.values()) or 1.0

    def _weight(self, term: str, everything: frozenset[str]) -> float:
        weight = self.seen.weights[term]
        if term in GENERIC:
            return weight * _VAGUE
        if term not in everything and term in self.seen.asked.rest:
            return weight * _UNSEEN
        return weight

    def nearest(self) -> list[Line]:
        """Return the sentences that with title, heading and neighbour cover most."""
        ranked = []
        for page in self.seen.pages:
            before: frozenset[str] = frozenset()
            for line in page.lines:
                if line.prose:
                    held = self._held(line)
                    rough = self._covered({**dict.fromkeys(before, _VAGUE), **held})
                    ranked.append((-rough, line.page, line.start, line))
                before = line.terms
        ranked.sort(key=lambda one: one[:3])
        return [line for *_, line in ranked[:LOOKED]]

    def judged(self, line: Line) -> Pointed | None:
        """Return a sentence as an answer, `None` where it is none."""
        page = self.seen.pages[line.page]
        subject = antecedent(self.ledger, page.source.id, line.start)
        held = self._held(line)
        for term in terms(subject):
            held[term] = max(held.get(term, 0.0), _RESOLVED)
        covered = self._covered(held)
        if not all(self._names(name, held) for name in self.names):
            return None
        text = page.text[line.start : line.end]
        found = fit(self.seen.asked, self.shape, text, own=frozenset(key for key, _ in page.keys))
        share = found.share
        if self.shape is Shape.PERSON and subject and key_of(subject) not in key_of(self.seen.asked.text):
            share = 1.0
        if not self._enough(covered, share):
            return None
        score = covered + _FORM * share + _NEAR * self._near(text, found.spots)
        score += _PAGE * sigmoid(self.seen.odds[line.page]) + _BRIEF * min(1.0, _BRIEF_CHARS / max(1, len(text)))
        return Pointed(line, score, covered, subject)

    def _enough(self, covered: float, share: float) -> bool:
        if self.shape is Shape.MEANING:
            return share > 0.0 or covered >= 1.1
        if self.shape in {Shape.OTHER, Shape.REASON, Shape.MANNER}:
            return covered >= (ENOUGH if share >= 1.0 else ALMOST_ALL)
        return share > 0.0 and covered >= (ENOUGH if share >= 1.0 else ALMOST_ALL)

    def _held(self, line: Line) -> dict[str, float]:
        """Return the terms that a line is read with, each with how surely it speaks of it."""
        page = self.seen.pages[line.page]
        held = dict.fromkeys(page.title_terms, _TITLED)
        held.update(dict.fromkeys(heading_terms(self.seen, line), _HEADED))
        held.update(dict.fromkeys(line.terms, 1.0))
        return held

    def _covered(self, held: dict[str, float]) -> float:
        total = 0.0
        for term, weight in self.weights.items():
            share = held.get(term, 0.0)
            others = self.related.get(term)
            if share < _RELATED and others:
                share = max(share, _RELATED * max((held.get(other, 0.0) for other in others), default=0.0))
            total += weight * share
        return total / self.total

    def _names(self, name: frozenset[str], held: dict[str, float]) -> bool:
        wanted = [term for term in name if term in self.weights]
        if not wanted:
            return True
        weight = sum(self.seen.weights[t] for t in wanted)
        return sum(self.seen.weights[t] for t in wanted if held.get(t)) >= NAMED * weight

    def _near(self, text: str, spots: Sequence[tuple[int, int]]) -> float:
        """Return the share of what the question says that stands in one clause with a value asked for."""
        best = 0.0
        for clause in clauses(text):
            if any(start < clause.end and clause.start < end for start, end in spots):
                best = max(best, self._covered(dict.fromkeys(terms(text[clause.start : clause.end]), 1.0)))
        return best
