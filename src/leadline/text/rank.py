"""BM25 over passages, goal-directed windows of a page, and near-duplicates.

BM25 after Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), with the idf of
Lucene, which is never negative.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from leadline.text.language import CJK, has_cjk
from leadline.text.negation import has_negation
from leadline.text.offsets import Span, trim
from leadline.text.sentences import split
from leadline.text.tokens import query_terms, terms, words

_K1: Final = 1.2
_B: Final = 0.75

_BETWEEN_CJK: Final = re.compile(rf"(?<=[{CJK}])[^\w]++(?=[{CJK}])")
_SHINGLE: Final = 4
_NEAR_JACCARD: Final = 0.8
_NEAR_CONTAINMENT: Final = 0.9
LEAST_CONTAINED: Final = _NEAR_JACCARD
"""Share of the smaller text's shingles that near duplicates have in common at least."""
# Below this many shingles a large overlap may be chance.
_LEAST_SHINGLES: Final = 8
# Up to this length a differing number makes a different statement; beyond, it may be a counter.
_STATEMENT: Final = 2_000


class Bm25:
    """The terms of a fixed sequence of passages, counted: for a few queries, not worth an index."""

    __slots__ = ("_counts", "_lengths", "_mean")

    def __init__(self, passages: Sequence[str]) -> None:
        self._counts = [Counter(terms(passage)) for passage in passages]
        self._lengths = [count.total() for count in self._counts]
        self._mean = sum(self._lengths) / max(1, len(self._lengths)) or 1.0

    def __len__(self) -> int:
        return len(self._lengths)

    def _idf(self, holding: int) -> float:
        return math.log(1 + (len(self._lengths) - holding + 0.5) / (holding + 0.5))

    def scores(self, query: str) -> list[float]:
        """Return the score of each passage for a question in words, in the passages' order.

        Stop words and question words of the query do not count.
        """
        totals = [0.0] * len(self._lengths)
        for term in query_terms(query):
            holding = [(index, counts[term]) for index, counts in enumerate(self._counts) if term in counts]
            weight = self._idf(len(holding)) * (_K1 + 1)
            for index, count in holding:
                norm = _K1 * (1 - _B + _B * self._lengths[index] / self._mean)
                totals[index] += weight * count / (count + norm)
        return totals

    def best(self, query: str, *, limit: int) -> list[int]:
        """Return the indexes of the best passages that score at all, best first, ties by place."""
        totals = self.scores(query)
        ranked = sorted(range(len(totals)), key=lambda index: -totals[index])
        return [index for index in ranked[:limit] if totals[index] > 0]


def windows(text: str, goal: str, *, limit_chars: int, window: int = 600) -> list[Span]:
    """Return the parts of `text` that serve `goal`, at most `limit_chars` code points together.

    The text is tiled into runs of whole sentences of about `window` code points. The tiles are
    taken by their BM25 score, each with the tile after it, until the limit; neighbours are merged
    and the spans come in the order of the text. A text within the limit is returned whole; where
    no word of the goal occurs, the beginning of the text is.
    """
    whole = trim(text, 0, len(text))
    if whole.length <= limit_chars:
        return [whole] if whole.length else []
    if limit_chars <= 0:
        return []
    tiles = tile(text, window=min(window, limit_chars))
    scores = Bm25([span.of(text) for span in tiles]).scores(goal)
    chosen = _choose(tiles, scores, limit_chars=limit_chars)
    if not chosen:
        return [trim(text, whole.start, whole.start + limit_chars)]
    return _merge(text, [tiles[index] for index in sorted(chosen)])


def tile(text: str, *, window: int = 600) -> list[Span]:
    """Cut `text` into adjoining runs of whole sentences of about `window` code points.

    A tile ends where the next one begins, so tiles cover all but the text's outer white space. No
    tile exceeds `window` unless it is a single sentence; those are cut to it. A Markdown heading
    opens a tile once the present one is half full.
    """
    borders: list[int] = []
    start = 0
    sentences = split(text)
    for sentence in sentences:
        filled = sentence.start - start
        heading = text.startswith("#", sentence.start) and filled * 2 > window
        if not borders or sentence.end - start > window or heading:
            start = sentence.start
            borders.append(start)
        while sentence.end - start > window:
            start += window
            borders.append(start)
    if sentences:
        borders.append(sentences[-1].end)
    return [Span(low, high) for low, high in pairwise(borders) if low < high]


def _choose(tiles: Sequence[Span], scores: Sequence[float], *, limit_chars: int) -> set[int]:
    chosen: set[int] = set()
    left = limit_chars
    ranked = sorted((index for index, score in enumerate(scores) if score > 0), key=lambda index: -scores[index])
    for best in ranked:
        for index in (best, best + 1):
            if index in chosen or index >= len(tiles) or tiles[index].length > left:
                continue
            chosen.add(index)
            left -= tiles[index].length
    return chosen


def _merge(text: str, spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in spans:
        if merged and merged[-1].end == span.start:
            merged[-1] = Span(merged[-1].start, span.end)
        else:
            merged.append(span)
    return [trim(text, *span) for span in merged]


class Similarity(NamedTuple):
    """How alike two texts are by their shingles, each figure between 0 and 1."""

    jaccard: float  # shared shingles over all shingles
    containment: float  # shared shingles over those of the smaller text


def shingles(text: str, *, size: int = _SHINGLE) -> frozenset[str]:
    """Return the runs of `size` folded words of `text` (CJK pairs count as words).

    Marks and blanks between CJK characters do not count, so that punctuation makes no difference.
    """
    if has_cjk(text):
        text = _BETWEEN_CJK.sub("", text)
    found = words(text)
    if len(found) <= size:
        return frozenset([" ".join(found)]) if found else frozenset()
    return frozenset(map(" ".join, zip(*(found[shift:] for shift in range(size)), strict=False)))


def similarity(a: str, b: str) -> Similarity:
    """Return how alike two texts are; two texts without words are not alike."""
    return overlap(shingles(a), shingles(b))


def overlap(a: frozenset[str], b: frozenset[str]) -> Similarity:
    """Return how alike two sets of shingles are, for callers that keep the sets."""
    if not a or not b:
        return Similarity(0.0, 0.0)
    shared = len(a & b)
    return Similarity(shared / (len(a) + len(b) - shared), shared / min(len(a), len(b)))


def near_duplicate(a: str, b: str) -> bool:
    """Whether one text says what the other says in nearly the same words.

    True for equal folded words, and for a large overlap of long enough texts, also where the one
    is contained in the other. Statements of up to 2,000 code points that differ in a number or
    in being negated are never duplicates: they may contradict each other.
    """
    return near_by_shingles(a, b, shingles(a), shingles(b))


def near_by_shingles(a: str, b: str, first: frozenset[str], second: frozenset[str]) -> bool:  # noqa: PLR0917 two pairs
    """Return `near_duplicate(a, b)` for callers that keep the texts' shingles."""
    if not first or not second:
        return False
    if first == second and words(a) == words(b):
        return True
    if overlap(first, second).containment < LEAST_CONTAINED:
        return False
    short, long = sorted((a, b), key=len)
    if len(short) <= _STATEMENT and (not _digits(short) <= _digits(long) or has_negation(short) != has_negation(long)):
        return False
    if min(len(first), len(second)) < _LEAST_SHINGLES:
        return False
    alike = overlap(first, second)
    return alike.jaccard >= _NEAR_JACCARD or alike.containment >= _NEAR_CONTAINMENT


def _digits(text: str) -> frozenset[str]:
    return frozenset(word for word in words(text) if word[0].isdigit())
