"""Sentences of the ledger by how well they answer a question. Pure; made for `Cpu`.

A sentence scores by the share of the question's weighted terms that it covers, alone and with its
title and its neighbour, and by holding a value of the type that is asked for. Terms weigh by their
rarity among the passages at hand. Redundancy is judged when sentences are chosen, not here.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from leadline.research.evidence import Ledger
from leadline.text.dates import find_dates
from leadline.text.numbers import find_numbers
from leadline.text.rank import windows
from leadline.text.sentences import split
from leadline.text.tokens import query_terms, terms

WHOLE_DOCUMENT = 20_000
"""Up to this many characters all sentences of a document are looked at; beyond, its best windows."""

WINDOW_CHARS = 6_000
MIN_SENTENCE = 12
MAX_SENTENCE = 600

_WHEN = re.compile(
    r"\b(when|what year|which year|what date|how old)\b|何时|什么时候|哪一?年|哪天|几月|年份|日期", re.IGNORECASE
)
_COUNT = re.compile(
    r"\bhow (?:many|much|far|deep|long|high|tall|large|fast|heavy|big|wide)\b"
    r"|多少|几[个次座位人条种]|多[长高深远大重快宽]|数量|深度|高度|长度",
    re.IGNORECASE,
)


class Question(NamedTuple):
    """A question as ranking sees it."""

    terms: tuple[str, ...]
    wants: str  # "date", "number" or ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranked:
    """A sentence of a source. `coverage` is the weighted share of the question's terms in it with its title."""

    source_id: str
    start: int
    end: int
    score: float
    coverage: float
    terms: frozenset[str]


def asked(question: str) -> Question:
    """Take a question apart."""
    wants = "date" if _WHEN.search(question) else "number" if _COUNT.search(question) else ""
    return Question(terms=tuple(dict.fromkeys(query_terms(question))), wants=wants)


def rank(question: str, ledger: Ledger, limit: int) -> tuple[Ranked, ...]:
    """Return the best `limit` sentences of all sources, best first."""
    wanted = asked(question)
    pool = [item for source in ledger.sources for item in _sentences(question, ledger, source.id)]
    weights = _weights(wanted.terms, (found for *_, found in pool))
    total = sum(weights.values()) or 1.0
    titles = {source.id: frozenset(terms(source.title)) for source in ledger.sources}
    ranked = []
    for place, (source, start, end, found) in enumerate(pool):
        near = pool[place - 1][3] if place and pool[place - 1][0] == source else frozenset()
        ranked.append(
            _scored(
                _Item(source, start, end, found, near, titles[source]),
                ledger,
                wanted=wanted,
                weights=weights,
                total=total,
            )
        )
    ranked.sort(key=lambda r: (-r.score, r.source_id, r.start))
    return tuple(ranked[:limit])


class _Item(NamedTuple):
    source: str
    start: int
    end: int
    found: frozenset[str]
    before: frozenset[str]
    title: frozenset[str]


def _scored(item: _Item, ledger: Ledger, *, wanted: Question, weights: dict[str, float], total: float) -> Ranked:
    own = sum(weights[t] for t in wanted.terms if t in item.found) / total
    titled = sum(weights[t] for t in wanted.terms if t in item.found or t in item.title) / total
    near = (
        sum(weights[t] for t in wanted.terms if t in item.before and t not in item.found and t not in item.title)
        / total
    )
    score = own + 0.5 * (titled - own) + 0.25 * near
    if score > 0 and wanted.wants:
        text = ledger.text(item.source)[item.start : item.end]
        holds = find_dates(text) if wanted.wants == "date" else find_numbers(text)
        score *= 1.25 if holds else 0.85
    return Ranked(source_id=item.source, start=item.start, end=item.end, score=score, coverage=titled, terms=item.found)


def _sentences(question: str, ledger: Ledger, source: str) -> list[tuple[str, int, int, frozenset[str]]]:
    text = ledger.text(source)
    spans = (
        [(0, len(text))]
        if len(text) <= WHOLE_DOCUMENT
        else [(w.start, w.end) for w in windows(text, question, limit_chars=WINDOW_CHARS)]
    )
    found = []
    for start, end in spans:
        for span in split(text[start:end]):
            if MIN_SENTENCE <= span.end - span.start <= MAX_SENTENCE:
                words = frozenset(terms(text[start + span.start : start + span.end]))
                found.append((source, start + span.start, start + span.end, words))
    return found


def _weights(wanted: Sequence[str], sentences: Iterable[frozenset[str]]) -> dict[str, float]:
    counts: Counter[str] = Counter()
    total = 0
    interesting = frozenset(wanted)
    for found in sentences:
        total += 1
        counts.update(found & interesting)
    return {term: math.log(1 + (total + 1) / (counts[term] + 0.5)) for term in wanted}


def choose(ranked: Sequence[Ranked], *, limit: int, floor: float) -> tuple[Ranked, ...]:
    """Return up to `limit` sentences: good ones first, each bringing something that the chosen lack.

    A sentence must score at least `floor` of the best one.
    """
    chosen: list[Ranked] = []
    seen: Counter[str] = Counter()
    rest = [r for r in ranked if ranked and r.score >= floor * ranked[0].score]
    while rest and len(chosen) < limit:
        best = max(rest, key=lambda r: (r.score - _redundancy(r, chosen, seen), -r.start))
        rest.remove(best)
        if any(_same(best, c) for c in chosen):
            continue
        chosen.append(best)
        seen[best.source_id] += 1
    return tuple(chosen)


def _redundancy(candidate: Ranked, chosen: Sequence[Ranked], seen: Counter[str]) -> float:
    overlap = max((len(candidate.terms & c.terms) / max(1, len(candidate.terms)) for c in chosen), default=0.0)
    return 0.3 * overlap + 0.05 * seen[candidate.source_id]


def _same(one: Ranked, other: Ranked) -> bool:
    union = len(one.terms | other.terms)
    return union > 0 and len(one.terms & other.terms) / union > 0.85
