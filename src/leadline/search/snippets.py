"""The part of a passage that shows best why it was found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from leadline.text import tokens
from leadline.text.clean import squeeze

SNIPPET: Final = 320
# How far before the first word of the query a sentence may begin to be shown whole.
_BEFORE: Final = 120
_SENTENCE_END: Final = re.compile(r"[。！？!?]|\.(?=\s)|\n")


class _Hit(NamedTuple):
    start: int
    word: str


def snippet(text: str, asked: str) -> str:
    """Return up to `SNIPPET` characters of `text` on one line: where most words of `asked` stand.

    It begins with a sentence where one begins near, and is cut at a blank.
    """
    start = _start(text, _hits(text, asked))
    return squeeze(text[start : start + 2 * SNIPPET], limit=SNIPPET)


def _hits(text: str, asked: str) -> Sequence[_Hit]:
    terms = tokens.query_terms(asked)[: tokens.MAX_QUERY_TERMS]
    if not terms:
        return []
    pattern = "|".join(rf"\b{re.escape(t)}" if t.isascii() else re.escape(t) for t in terms)
    folded = tokens.fold_han(text)
    return [_Hit(m.start(), m[0].lower()) for m in re.finditer(pattern, folded, re.IGNORECASE)]


def _start(text: str, hits: Sequence[_Hit]) -> int:
    """Return where the window begins that holds most distinct words."""
    best, most, last = 0, 0, 0
    for first, hit in enumerate(hits):
        reach = hit.start + SNIPPET - _BEFORE
        while last < len(hits) and hits[last].start < reach:
            last += 1
        distinct = len({other.word for other in hits[first:last]})
        if distinct > most:
            best, most = hit.start, distinct
    if best <= _BEFORE:
        return 0
    ends = [found.end() for found in _SENTENCE_END.finditer(text, best - _BEFORE, best)]
    if ends:
        return ends[-1]
    blank = text.find(" ", best - _BEFORE, best)
    return blank + 1 if blank >= 0 else best - _BEFORE
