"""A range of code points, shared by everything that points into a text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple


class Span(NamedTuple):
    """Half-open range ``[start, end)`` of Unicode code points of one text."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Number of code points."""
        return self.end - self.start

    def of(self, text: str) -> str:
        """Return the part of `text` that the span covers."""
        return text[self.start : self.end]

    def overlaps(self, other: Span) -> bool:
        """Whether the two spans share at least one code point."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: Span) -> bool:
        """Whether `other` lies wholly inside this span."""
        return self.start <= other.start and other.end <= self.end

    def shift(self, by: int) -> Span:
        """Return the span moved by `by` code points."""
        return Span(self.start + by, self.end + by)


def trim(text: str, start: int, end: int) -> Span:
    """Return ``[start, end)`` without white space at its ends; empty at `end` when all is white."""
    part = text[start:end]
    left = len(part) - len(part.lstrip())
    if left == len(part):
        return Span(end, end)
    return Span(start + left, start + len(part.rstrip()))


def lower(text: str) -> str:
    """Return `text` in lower case, every offset unchanged."""
    lowered = text.lower()
    # The dotted capital I is the one letter whose lower case is longer.
    return lowered if len(lowered) == len(text) else text.replace("\u0130", "i").lower()


class Intervals:
    """A set of spans that answers in logarithmic time whether an offset or a span lies in it."""

    __slots__ = ("_reach", "_starts")

    def __init__(self, spans: Iterable[Span]) -> None:
        ordered = sorted(spans)
        self._starts = [span.start for span in ordered]
        # The farthest end so far, since spans may overlap.
        self._reach = list(accumulate((span.end for span in ordered), max))

    def hold(self, offset: int) -> bool:
        """Whether the code point at `offset` is covered."""
        return self.touch(Span(offset, offset + 1))

    def touch(self, span: Span) -> bool:
        """Whether a code point of a non-empty `span` is covered."""
        index = bisect_right(self._starts, span.end - 1) - 1
        return index >= 0 and span.start < self._reach[index]
