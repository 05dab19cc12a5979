"""Sentences around a place, and the passages of many texts that serve a query.

Only the neighbourhoods in which several words of a query meet are cut into sentences and ranked.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

from leadline.text.offsets import Span, lower
from leadline.text.sentences import split
from leadline.text.tokens import fold_han, query_words, stem, terms

# Texts are looked at in half cells of this many code points; two neighbours are a cell.
_HALF: Final = 200
# A word that a border cuts is seen on one side of it at least.
_OVERLAP: Final = 24
# A text is scanned this often before it is indexed; larger ones are never indexed.
_SCANS: Final = 3
_INDEXED: Final = 400_000
_MOST_POSTINGS: Final = 3_000
# Cells that are cut into sentences and ranked by their exact terms.
_CANDIDATES: Final = 16
_MOST_TERMS: Final = 32
# Occurrences of one word in one text that are looked at: what is more frequent does not select.
_MOST_PLACES: Final = 400
# Sentences of one passage.
WINDOW: Final = 3
_REACH: Final = 800
# Texts that are cut into sentences at once, which takes less than a millisecond.
_SHORT: Final = 4_000


# The index of a text, and of a half cell in it.
_Cell: TypeAlias = tuple[int, int]


class Passage(NamedTuple):
    """A run of whole sentences of one text, and how well it serves the query."""

    source_id: str
    start: int
    end: int
    score: float  # idf-weighted share of the query's terms, 0 to 1


class Reading:
    """The sentences of a text and their terms, each read once.

    A short text is cut into its sentences as a whole, of a longer one only what is asked for.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._near: dict[tuple[int, int, int], list[Span]] = {}
        self._terms: dict[Span, frozenset[str]] = {}

    def around(self, start: int, end: int, *, reach: int) -> list[Span]:
        """Return the sentences of a span and those that lie within `reach` code points of it."""
        if len(self._text) <= _SHORT:
            low, high = start - reach, end + reach
            return [s for s in self._whole if (low <= s.start and s.end <= high) or (s.start < end and start < s.end)]
        key = (start, end, reach)
        if key not in self._near:
            self._near[key] = sentences_near(self._text, start, end, reach=reach)
        return self._near[key]

    @cached_property
    def _whole(self) -> list[Span]:
        return split(self._text)

    def near(self, cell: int) -> list[Span]:
        """Return the sentences of a cell and of the half cells beside it."""
        start = cell * _HALF
        return self.around(start, min(len(self._text), start + 2 * _HALF), reach=_HALF)

    def terms(self, sentence: Span) -> frozenset[str]:
        """Return the terms of a sentence."""
        if sentence not in self._terms:
            self._terms[sentence] = frozenset(terms(sentence.of(self._text)))
        return self._terms[sentence]


class Haystack:
    """A text as it is searched.

    The first few queries look their words up by plain substring search, which runs at memory
    speed; a text that is asked more often gets a small index, which costs about five of them. A
    `brief` one, which lives no longer than a check, keeps the sentences that it reads instead.
    """

    def __init__(self, source_id: str, text: str, *, brief: bool = False) -> None:
        self.source_id = source_id
        self.text = text
        self._asked = 0
        self._kept = Reading(text) if brief else None

    def reading(self) -> Reading:
        """Return the text as it is read for one query."""
        return self._kept or Reading(self.text)

    @cached_property
    def _folded(self) -> str:
        """The text in lower case and simplified characters, every offset unchanged."""
        return fold_han(lower(self.text))

    @cached_property
    def _index(self) -> dict[str, list[int]]:
        index: dict[str, list[int]] = {}
        for cell, start in enumerate(range(0, len(self.text), _HALF)):
            for term in set(terms(self.text[start : start + _HALF + _OVERLAP])):
                index.setdefault(term, []).append(cell)
        return index

    def cells(self, wanted: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[int]]:
        """Return the half cells in which each term occurs; `wanted` gives its substrings."""
        self._asked += 1
        if self._asked > _SCANS and len(self.text) <= _INDEXED and self._kept is None:
            return {term: self._index.get(term, ()) for term in wanted}
        return {term: list(self._scan(needles)) for term, needles in wanted.items()}

    def _scan(self, needles: Sequence[str]) -> Iterator[int]:
        for needle in needles:
            place = self._folded.find(needle)
            for _ in range(_MOST_PLACES):
                if place < 0:
                    break
                cell = place // _HALF
                yield cell
                place = self._folded.find(needle, (cell + 1) * _HALF)


def sentences_near(text: str, start: int, end: int, *, reach: int = _REACH) -> list[Span]:
    """Return the sentences of `text[start:end]` and those within `reach` code points of it.

    Only that region is read. A sentence that the region's border cuts is left out unless it
    touches the span itself.
    """
    low, high = max(0, start - reach), min(len(text), end + reach)
    found = [span.shift(low) for span in split(text[low:high])]
    if low > 0 and found and found[0].end <= start:
        found.pop(0)
    if high < len(text) and found and found[-1].start >= end:
        found.pop()
    return found


def snapped(text: str, start: int, end: int) -> Span:
    """Return the span widened to the borders of the sentences that it touches.

    White space at its ends goes. Only the neighbourhood is read.
    """
    touched = [s for s in sentences_near(text, start, end) if s.start < end and start < s.end]
    if not touched:
        return Span(start, end)
    return Span(touched[0].start, touched[-1].end)


def find(query: str, haystacks: Sequence[Haystack], *, limit: int) -> list[Passage]:
    """Return the passages of up to `WINDOW` sentences that hold most of the query's words.

    Best first, disjoint; equal ones in the order of the texts. Words are weighed by their rarity
    in these texts.
    """
    wanted = _needles(query)
    if not wanted or limit <= 0:
        return []
    postings = _postings(wanted, haystacks)
    total = sum(len(hay.text) for hay in haystacks) // _HALF + 1
    weights = {term: _idf(len(cells), total) for term, cells in postings.items()}
    windows = _windows(_candidates(postings, weights), haystacks, weights=weights)
    return _disjoint(windows, limit=limit)


def _needles(query: str) -> dict[str, tuple[str, ...]]:
    """Return the query's terms with the substrings by which their occurrences are found."""
    wanted: dict[str, tuple[str, ...]] = {}
    for word in query_words(query):
        term = stem(word)
        if term in wanted or (word.isdigit() and len(word) < 3):
            continue
        root = term[:-1] if len(term) > 3 and term.endswith("y") else term
        wanted[term] = (root,) if word.startswith(root) else (root, word)
        if len(wanted) == _MOST_TERMS:
            break
    return wanted


def _postings(wanted: Mapping[str, Sequence[str]], haystacks: Sequence[Haystack]) -> dict[str, list[_Cell]]:
    """Return where each term occurs, in the order of the texts."""
    postings: dict[str, list[_Cell]] = {term: [] for term in wanted}
    for index, hay in enumerate(haystacks):
        for term, cells in hay.cells(wanted).items():
            postings[term].extend((index, cell) for cell in cells)
    return postings


def _idf(holding: int, total: int) -> float:
    return math.log(1 + (max(total - holding, 0) + 0.5) / (holding + 0.5))


def _candidates(postings: Mapping[str, Sequence[_Cell]], weights: Mapping[str, float]) -> list[_Cell]:
    """Return the cells, two halves each, in which the weightiest terms meet, best first.

    The rarest terms choose; frequent ones would add little but work.
    """
    totals: dict[_Cell, float] = {}
    looked = 0
    for term in sorted(postings, key=lambda term: (len(postings[term]), term)):
        if looked > _MOST_POSTINGS:
            break
        looked += len(postings[term])
        cells = set(postings[term])
        for index, cell in cells.union((i, c - 1) for i, c in postings[term] if c):
            totals[index, cell] = totals.get((index, cell), 0.0) + weights[term]
    return heapq.nsmallest(_CANDIDATES, totals, key=lambda cell: (-totals[cell], cell))


def _windows(chosen: Sequence[_Cell], haystacks: Sequence[Haystack], *, weights: dict[str, float]) -> list[Passage]:
    found: dict[tuple[int, int, int], Passage] = {}
    readings = {index: haystacks[index].reading() for index, _ in chosen}
    total = sum(weights.values())
    # Cells overlap, and of two readings of one place that of the later cell counts.
    for index, cell in sorted(chosen, reverse=True):
        reading = readings[index]
        near = reading.near(cell)
        sets = [reading.terms(span).intersection(weights) for span in near]
        for first, last in _runs(len(near)):
            key = (index, near[first].start, near[last].end)
            if key not in found:
                score = _score(sets[first : last + 1], weights, total=total)
                found[key] = Passage(haystacks[index].source_id, key[1], key[2], score)
    order = {hay.source_id: index for index, hay in enumerate(haystacks)}
    return sorted(found.values(), key=lambda p: (-p.score, order[p.source_id], p.start, p.end))


def _runs(count: int) -> Iterator[tuple[int, int]]:
    """Yield the first and last index of each run of up to `WINDOW` out of `count` sentences."""
    for first in range(count):
        for last in range(first, min(first + WINDOW, count)):
            yield first, last


def _score(sets: Sequence[frozenset[str]], weights: dict[str, float], *, total: float) -> float:
    held = frozenset[str]().union(*sets)
    share = sum(weights[term] for term in sorted(held)) / total
    # Of equal passages the shorter one says it more precisely.
    return share - 0.02 * (len(sets) - 1)


def _disjoint(windows: Iterable[Passage], *, limit: int) -> list[Passage]:
    kept: list[Passage] = []
    for passage in windows:
        if passage.score <= 0 or len(kept) == limit:
            break
        if not any(
            passage.source_id == other.source_id and passage.start < other.end and other.start < passage.end
            for other in kept
        ):
            kept.append(passage)
    return kept
