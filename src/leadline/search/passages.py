"""A text cut into passages of about 1,000 characters, at headings, paragraphs and sentences."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from leadline.extract.types import Locator
from leadline.text.offsets import Span, trim

LEAST: Final = 500
TARGET: Final = 1_000
MOST: Final = 1_300

# Places where a passage may end before it is full: nothing that follows belongs to it.
_BORDERS: Final = frozenset({"heading", "page", "sheet", "slide", "part", "cell"})
_PARAGRAPH: Final = re.compile(r"\n[ \t\r]{0,20}\n")
_SENTENCE: Final = re.compile(r"[。！？!?][”’」』）)\"']{0,3}|\.[”’)\"']{0,3}(?=\s)|\n")
_SPACE: Final = re.compile(r"\s")


def cut(text: str, locators: Sequence[Locator] = ()) -> Iterator[Span]:
    """Yield disjoint passages in order, without white space at their ends, covering all else.

    A passage ends at the first heading or page after `LEAST` characters; else at the last
    paragraph, sentence, line or word that ends between `LEAST` and `MOST`; else at `TARGET`.
    """
    borders = [locator.start for locator in locators if locator.kind in _BORDERS]
    start = 0
    while start < len(text):
        end = _end(text, start, borders)
        span = trim(text, start, end)
        if span.length:
            yield span
        start = end


def _end(text: str, start: int, borders: Sequence[int]) -> int:
    index = bisect_left(borders, start + LEAST)
    if index < len(borders) and borders[index] <= start + MOST:
        return borders[index]
    if len(text) - start <= MOST:
        return len(text)
    for pattern in (_PARAGRAPH, _SENTENCE, _SPACE):
        end = _last(pattern, text, start)
        if end:
            return end
    return start + TARGET


def _last(pattern: re.Pattern[str], text: str, start: int) -> int:
    end = 0
    for found in pattern.finditer(text, start + LEAST, start + MOST):
        end = found.end()
    return end
