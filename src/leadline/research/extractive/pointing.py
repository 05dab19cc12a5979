"""The one sentence that answers a question of one hop, where there is one.

It covers what the question says - its names above all, by itself or by the page, heading or pronoun
that it is read under - and holds the form asked for (`shapes`). What falls short of either names no
answer: the question is then left to the ranked sentences.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from leadline.research.evidence import Ledger
from leadline.research.extractive.antecedents import antecedent
from leadline.research.extractive.asking import key_of, take_apart
from leadline.research.extractive.conditions import (
    asks_over_rows,
    bears,
    speaks_of_counted,
    told_as_default,
)
from leadline.research.extractive.hops import Survey, sigmoid
from leadline.research.extractive.lead import Pointed
from leadline.research.extractive.nesting import nested
from leadline.research.extractive.ranking import heading_terms
from leadline.research.extractive.reading import Line
from leadline.research.extractive.relations import GENERIC
from leadline.research.extractive.shapes import FORMAL, Shape, clashes, clauses, fit, shape_of, subject_of
from leadline.text.language import has_cjk
from leadline.text.tokens import terms

LOOKED: Final = 40
"""Sentences, those that cover most, that are looked at closely."""

ENOUGH: Final = 0.66
"""Share of the question's weight that an answer covers at least, where it surely holds the form asked for."""

ALMOST_ALL: Final = 0.8
"""The same where that is in doubt, or no form can be told."""

SAID: Final[Mapping[Shape, float]] = MappingProxyType(
    {Shape.YES_NO: 0.8, Shape.OTHER: 0.6, Shape.MANNER: 0.6, Shape.REASON: 0.6}
)
"""Share of what the question says of its names that an answer covers at least."""

SAID_ELSE: Final = 0.35

_SAID_STILL: Final = 0.75
"""The same where nothing that was read holds one of these words: such an answer is mostly of something else."""

WHOLLY: Final = 0.9
"""Share that a sentence covers by itself where a question describes what it asks of (`nesting`)."""

# What a term of the question counts by where it is held.
_RELATED: Final = 0.8
_HEADED: Final = 0.8
_TITLED: Final = 0.75
_RESOLVED: Final = 0.9
_SPOKEN: Final = 0.5
# What a term weighs that no page read holds, and one that names no thing.
_UNSEEN: Final = 0.5
_VAGUE: Final = 0.4
# What a term weighs at least that is missed where no page read holds it: pairs across two words weigh less.
_TELLING: Final = 0.3
# What counts beside the share that is covered.
_FORM: Final = 0.45
_NEAR: Final = 0.15
_PAGE: Final = 0.1
_LANGUAGE: Final = 0.1
_BRIEF: Final = 0.05
_BRIEF_CHARS: Final = 80
_FIRST_UNDER: Final = 3
"""White space between a heading and the sentence that explains it, at most."""

_SHORTLY: Final = 24
"""The same where the heading asks, so that a "Yes." may stand between."""

_FOREMOST: Final = 2.0
"""Worth of what stands under a heading that asks the same, above what any other sentence reaches."""

_UNSURE: Final = 0.5
"""How well the form is held up to where it is in doubt."""

_VALUED: Final = frozenset([Shape.DATE, Shape.NUMBER])
_DATED: Final = frozenset([Shape.DATE, Shape.PERSON])
_HEADED_FORM: Final = 0.9
# The last part of a dotted name (functools.partial) must stand as it is written: the rest names its module.
# One with underscores must as a whole.
_IDENTIFIER: Final = re.compile(r"(?<=\w\.)\w{3,}\Z|\A[A-Za-z]\w*_\w+\Z")
_POINTS_BACK: Final = re.compile(r"\s*(?:(?:This|That|These|Those|Such)\b|这|此|该)")
_ANYBODY: Final = frozenset(terms("anybody anyone somebody someone nobody"))
# Said by the value's unit.
_MEASURES: Final = frozenset(terms("temperature weight mass depth height width length distance speed cost price"))
_CAUSE: Final = re.compile(
    r"\s*(?:The|Its|Their) (?:main |likely |probable )?(?:cause|reason)\s(?:was|is)\b"
    r"|\s*(?:This|That) (?:was|is) (?:because|due to)\b|\s*[^，。]{0,6}(?:原因|起因)(?:是|在于)",
)
_PRONOUN: Final = re.compile(r"\s*(?:It|Its|They|Their|This|These)\b|\s*[它其该]")
_MEASURED_BY: Final = re.compile(r"\b(?:since|than|after|before)\b")
_LEADS_ON: Final = (":", "：")


def point(seen: Survey, ledger: Ledger) -> list[Pointed]:
    """Return the sentences that answer, best first; none where none surely does."""
    if len(seen.asked.alternatives) == 2:
        return []
    desk = _Desk(seen, ledger)
    found = [one for line in desk.nearest() if (one := desk.judged(line)) is not None]
    return sorted(found, key=lambda one: (-one.score, one.line.page, one.line.start))


def _written(name: str, texts: Sequence[str]) -> bool:
    return any(re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", text, re.IGNORECASE) for text in texts)


class _Desk:
    """What the steps of one choice share."""

    def __init__(self, seen: Survey, ledger: Ledger) -> None:
        self.seen = seen
        self.ledger = ledger
        self.shape = shape_of(seen.asked)
        self.subject = subject_of(seen.asked) if self.shape is Shape.MEANING else ""
        self.nested = nested(seen.asked.text)
        self.related = dict(seen.asked.related)
        self.names = [frozenset(terms(name)) for name in seen.asked.names]
        self.identifiers = [found[0] for name in seen.asked.names if (found := _IDENTIFIER.search(name))]
        self.named = frozenset[str]().union(*self.names)
        everything = frozenset[str]().union(*(page.terms for page in seen.pages))
        self.weights = {t: self._weight(t, everything) for t in seen.asked.terms if " " not in t}
        formal = GENERIC | FORMAL | (_MEASURES if self.shape is Shape.NUMBER else frozenset())
        telling = [t for t in seen.asked.rest if t in self.weights and t not in formal]
        self.missing = any(
            t not in everything
            and self.weights[t] >= _TELLING
            and self.related.get(t, frozenset()).isdisjoint(everything)
            for t in telling
        )
        self.rest = [t for t in telling if t in everything or self.weights[t] >= _TELLING]

    def _weight(self, term: str, everything: frozenset[str]) -> float:
        weight = self.seen.weights[term]
        if term in _ANYBODY:
            return 0.0
        if term in GENERIC or term in FORMAL or (self.shape is Shape.NUMBER and term in _MEASURES):
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
                if line.prose or self.shape is Shape.MEANING:
                    held = {**dict.fromkeys(before, _VAGUE), **self._held(line)}
                    ranked.append((-self._covered(held), line.page, line.start, line))
                before = line.terms
        ranked.sort(key=lambda one: one[:3])
        return [line for *_, line in ranked[:LOOKED]]

    def judged(self, line: Line) -> Pointed | None:
        """Return a sentence as an answer, `None` where it is none."""
        text = self.seen.pages[line.page].text[line.start : line.end]
        if self._asked_above(line):
            return Pointed(line, _FOREMOST + sigmoid(self.seen.odds[line.page]), 1.0, headed=True)
        if text.endswith(("?", "？")) or clashes(self.seen.asked.text, text) or self._aside(text):
            return None
        if line.cells and asks_over_rows(self.seen.asked.text, line.cells):
            return None
        subject = antecedent(self.ledger, self.seen.pages[line.page].source.id, line.start)
        return self._weighed(line, text, subject) if self._bears(line, text, subject) else None

    def _bears(self, line: Line, text: str, subject: str) -> bool:
        """Whether a line holds what of the question an answer must hold itself (`conditions`)."""
        question = self.seen.asked.text
        title = self.seen.pages[line.page].source.title
        beside = [text, self._heading(line), title, subject, *(name for name, _ in line.cells)]
        return (
            bears(question, beside)
            and told_as_default(question, text)
            and speaks_of_counted(question, line.terms | heading_terms(self.seen, line))
            and all(_written(name, [*beside, self._meant(line, text)]) for name in self.identifiers)
        )

    def _weighed(self, line: Line, text: str, subject: str) -> Pointed | None:
        held = self._held(line)
        before = self._effect(line, text)
        resolved = frozenset(terms(subject)) | (before.terms if before else frozenset())
        for term in resolved:
            held[term] = max(held.get(term, 0.0), _RESOLVED)
        covered = self._covered(held)
        own = {**dict.fromkeys(resolved, _RESOLVED), **self._held(line, titled=False)}
        if not all(self._holds(name, held) for name in self.names) or not self._said(own):
            return None
        if self.nested and not self._wholly(line.terms):
            return None
        share, spots = self._form(line, text, subject)
        values = frozenset(text[start:end] for start, end in spots) if self.shape in _VALUED else frozenset()
        if not self._enough(covered, share):
            return None
        score = covered + _FORM * share + _NEAR * self._near(text, spots)
        score += _PAGE * sigmoid(self.seen.odds[line.page]) + _BRIEF * min(1.0, _BRIEF_CHARS / max(1, len(text)))
        score += _LANGUAGE * (has_cjk(text) == has_cjk(self.seen.asked.text))
        return Pointed(line, score, covered, values, before or self._beside(line, text))

    def _asked_above(self, line: Line) -> bool:
        """Whether a line is the first under a heading that asks the same; what a thing is, it must say itself."""
        heading = self._heading(line)
        if line.under is None or not heading.rstrip("#*_ ").endswith(("?", "？")) or not line.prose:
            return False
        page = self.seen.pages[line.page]
        wanted = frozenset(t for t in self.weights if self.weights[t] >= _TELLING)
        asked = frozenset(terms(heading)) | page.title_terms
        extra = take_apart(heading).terms
        same = wanted <= asked and all(t in self.weights or t in page.title_terms for t in extra if " " not in t)
        first = not any(line.under.end <= other.start < line.start for other in page.lines)
        if not (same and first and line.start - line.under.end <= _SHORTLY):
            return False
        text = page.text[line.start : line.end]
        return self.shape is not Shape.MEANING or fit(self.seen.asked, self.shape, text).share > 0.0

    def _meant(self, line: Line, text: str) -> str:
        """Return the sentence before one that opens with a pronoun, nothing for others."""
        page = self.seen.pages[line.page]
        at = page.lines.index(line)
        known = at and _PRONOUN.match(text)
        return page.text[page.lines[at - 1].start : line.start] if known else ""

    def _effect(self, line: Line, text: str) -> Line | None:
        """Return the sentence before one that tells the cause of what that one says, where a reason is asked for."""
        lines = self.seen.pages[line.page].lines
        at = lines.index(line)
        if self.shape is not Shape.REASON or not at or not _CAUSE.match(text) or not lines[at - 1].prose:
            return None
        return lines[at - 1]

    def _aside(self, text: str) -> bool:
        """Whether a sentence dates something else by what is asked of: "the first dive since the Trieste in 1960"."""
        turn = _MEASURED_BY.search(text)
        if self.shape not in _DATED or turn is None or not self.rest:
            return False
        before, behind = text[: turn.start()], text[turn.end() :]
        told = terms(behind)
        return any(
            _written(name, [behind]) and not _written(name, [before]) for name in self.seen.asked.names
        ) and not any(self._share(term, dict.fromkeys(told, 1.0)) for term in self.rest)

    def _form(self, line: Line, text: str, subject: str) -> tuple[float, Sequence[tuple[int, int]]]:
        """Return how well a line holds the form asked for, and where."""
        page = self.seen.pages[line.page]
        share, spots = fit(self.seen.asked, self.shape, text, own=frozenset(key for key, _ in page.keys))
        if self.shape is Shape.PERSON and subject and key_of(subject) not in key_of(self.seen.asked.text):
            return 1.0, spots
        if self.shape is Shape.MEANING and share < _HEADED_FORM and line.prose and self._explains(line):
            return _HEADED_FORM, spots
        return share, spots

    def _explains(self, line: Line) -> bool:
        """Whether a line is the first under a heading or label that is what the question wants explained."""
        if line.under is None:
            return False
        page = self.seen.pages[line.page]
        heading = key_of(page.text[slice(*line.under)])
        wanted = key_of(self.subject)
        same = heading == wanted or (wanted.endswith(f" {heading}") and len(heading) > 2)
        return same and line.start - line.under.end <= _FIRST_UNDER

    def _enough(self, covered: float, share: float) -> bool:
        if self.shape is Shape.MEANING:
            return share > 0.0
        if self.shape in {Shape.OTHER, Shape.YES_NO}:
            return covered >= ALMOST_ALL
        return share > 0.0 and covered >= (ENOUGH if share > _UNSURE else ALMOST_ALL)

    def _said(self, held: Mapping[str, float]) -> bool:
        """Whether enough is covered of what the question says of its names."""
        total = sum(self.weights[term] for term in self.rest)
        said = sum(self.weights[term] * self._share(term, held) for term in self.rest)
        least = SAID.get(self.shape, SAID_ELSE)
        return said >= (max(least, _SAID_STILL) if self.missing else least) * total

    def _beside(self, line: Line, text: str) -> Line | None:
        """Return the neighbour without which a line cannot be understood."""
        lines = self.seen.pages[line.page].lines
        at = lines.index(line)
        if _POINTS_BACK.match(text) and at:
            return lines[at - 1]
        if text.endswith(_LEADS_ON) and at + 1 < len(lines):
            return lines[at + 1]
        return None

    def _heading(self, line: Line) -> str:
        return "" if line.under is None else self.seen.pages[line.page].text[slice(*line.under)]

    def _held(self, line: Line, *, titled: bool = True) -> dict[str, float]:
        """Return the terms that a line is read with, each with how surely it speaks of it."""
        page = self.seen.pages[line.page]
        if not titled:
            return {**dict.fromkeys(heading_terms(self.seen, line), _HEADED), **dict.fromkeys(line.terms, 1.0)}
        spoken = page.number in self.seen.linked and self.shape is not Shape.YES_NO
        held = dict.fromkeys(self.named & page.terms if spoken else (), _SPOKEN)
        held.update(dict.fromkeys(page.title_terms, _TITLED))
        headed = heading_terms(self.seen, line)
        held.update(
            dict.fromkeys(headed, 1.0 if frozenset(t for t in headed if " " not in t) in self.names else _HEADED)
        )
        held.update(dict.fromkeys(line.terms, 1.0))
        return held

    def _covered(self, held: Mapping[str, float]) -> float:
        total = sum(self.weights.values()) or 1.0
        return sum(weight * self._share(term, held) for term, weight in self.weights.items()) / total

    def _wholly(self, held: frozenset[str]) -> bool:
        """Whether a line says nearly all of the question, and of what it says of its names, in the same words."""
        for wanted in (list(self.weights), self.rest):
            total = sum(self.weights[term] for term in wanted)
            if sum(self.weights[term] for term in wanted if term in held) < WHOLLY * total:
                return False
        return True

    def _share(self, term: str, held: Mapping[str, float]) -> float:
        share = held.get(term, 0.0)
        others = self.related.get(term, frozenset())
        return max(share, _RELATED * max((held.get(other, 0.0) for other in others), default=0.0))

    def _holds(self, name: frozenset[str], held: Mapping[str, float]) -> bool:
        return all(held.get(term) for term in name if term in self.weights)

    def _near(self, text: str, spots: Sequence[tuple[int, int]]) -> float:
        """Return the share of what the question says that stands in one clause with a value asked for."""
        best = 0.0
        for clause in clauses(text):
            if any(start < clause.end and clause.start < end for start, end in spots):
                best = max(best, self._covered(dict.fromkeys(terms(text[clause.start : clause.end]), 1.0)))
        return best
