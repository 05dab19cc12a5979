"""The stored text around the quotations of a report, each stretch of it once.

Windows around quotations that overlap become one context: many citations of one page do not
repeat it. Each quotation keeps its own cut, so that a reader of one still sees no more than
`AROUND` characters on each side of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from leadline.telling.numbering import Numbered
from leadline.text.clean import visible

AROUND: Final = 5_000
"""Characters of stored text shown on each side of a quotation at most."""

_BREAK: Final = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")


class Standing(StrEnum):
    """Whether a quotation is where its citation says."""

    STANDS = "stands"
    MOVED = "moved"  # the stored text has something else there
    ABSENT = "absent"  # the stored text is not at hand


@dataclass(frozen=True, slots=True)
class Cut:
    """What a reader of one quotation sees of a context: offsets in its shown text, in UTF-16 units.

    The quotation is `start:end`, what is seen `low:high`; `before` and `after` tell whether the
    stored text goes on beyond.
    """

    low: int
    start: int
    end: int
    high: int
    before: bool
    after: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of shown text; `opens` are the citations whose quotations begin here."""

    text: str
    marked: bool
    opens: tuple[tuple[Numbered, Cut], ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """Shown text with marked quotations; `before` and `after` tell whether the stored text goes on."""

    pieces: tuple[Piece, ...]
    standing: Standing
    before: bool = False
    after: bool = False

    @property
    def first(self) -> Numbered:
        """The first quotation."""
        return next(numbered for piece in self.pieces for numbered, _ in piece.opens)


def shown(text: str) -> str:
    """Return text as a page shows it: line feeds alone break lines, nothing hides or turns."""
    return visible(_BREAK.sub("\n", text))


def contexts(cited: Sequence[Numbered], text: str | None) -> list[Context]:
    """Return the contexts of one source's quotations, in the order of its text."""
    if text is None:
        return [_alone(numbered, Standing.ABSENT) for numbered in cited]
    standing = [n for n in cited if _stands(n, text)]
    moved = [n for n in cited if not _stands(n, text)]
    groups = _groups(sorted(standing, key=lambda n: (n.citation.start, n.number)))
    return [_context(group, text) for group in groups] + [_alone(n, Standing.MOVED) for n in moved]


def _stands(numbered: Numbered, text: str) -> bool:
    c = numbered.citation
    return 0 <= c.start < c.end and text[c.start : c.end] == c.quote


def _groups(ordered: Sequence[Numbered]) -> Iterator[list[Numbered]]:
    """Yield runs of quotations, by start, whose windows touch."""
    group: list[Numbered] = []
    reach = 0
    for numbered in ordered:
        if group and numbered.citation.start - AROUND > reach:
            yield group
            group = []
        group.append(numbered)
        reach = max(reach, numbered.citation.end + AROUND)
    if group:
        yield group


def _window(numbered: Numbered, text: str) -> tuple[int, int]:
    return max(0, numbered.citation.start - AROUND), min(len(text), numbered.citation.end + AROUND)


def _context(group: Sequence[Numbered], text: str) -> Context:
    windows = {n: _window(n, text) for n in group}
    bounds = {o for n, window in windows.items() for o in (*window, n.citation.start, n.citation.end)}
    ordered = sorted(bounds)
    parts = [shown(text[low:high]) for low, high in pairwise(ordered)]
    offsets = {ordered[0]: 0}
    for (low, high), part in zip(pairwise(ordered), parts, strict=True):
        offsets[high] = offsets[low] + _units(part)
    opens: dict[int, list[tuple[Numbered, Cut]]] = {}
    depth = dict.fromkeys(ordered, 0)
    for numbered, (low, high) in windows.items():
        start, end = numbered.citation.start, numbered.citation.end
        cut = Cut(offsets[low], offsets[start], offsets[end], offsets[high], before=low > 0, after=high < len(text))
        opens.setdefault(start, []).append((numbered, cut))
        depth[start] += 1
        depth[end] -= 1
    pieces: list[Piece] = []
    marked = 0
    for low, part in zip(ordered[:-1], parts, strict=True):
        marked += depth[low]
        pieces.append(Piece(part, marked=marked > 0, opens=tuple(opens.get(low, ()))))
    return Context(tuple(pieces), Standing.STANDS, before=ordered[0] > 0, after=ordered[-1] < len(text))


def _alone(numbered: Numbered, standing: Standing) -> Context:
    quote = shown(numbered.citation.quote)
    cut = Cut(0, 0, _units(quote), _units(quote), before=False, after=False)
    return Context((Piece(quote, marked=True, opens=((numbered, cut),)),), standing)


def _units(text: str) -> int:
    """Return the length of text as scripts of a page count it."""
    return len(text) + sum(char > "\uffff" for char in text)
