"""Lines as wide as a terminal: broken where a line may end, while a terminal would break them anywhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from leadline.render.breaks import breaks, wide
from leadline.text.lines import columns

WIDEST: Final = 100
"""Columns of a line at most: longer ones are hard to read, however wide the terminal is."""

_LISTED: Final = "    "
"""What lines of programs and tables begin with: they stay as they are."""

_BULLET: Final = re.compile(r"\s*(?:- )?")


def to_columns(text: str, most: int | None = None) -> str:
    """Return text whose lines are no wider than the terminal, but for words that are; lines of programs stay."""
    limit = min(most or shutil.get_terminal_size().columns, WIDEST)
    return "\n".join(piece for line in text.split("\n") for piece in _broken(line, limit))


def _broken(line: str, most: int) -> Iterator[str]:
    if columns(line) <= most or line.startswith(_LISTED):
        yield line
        return
    if set(line) in ({"="}, {"-"}):  # the line under a title
        yield line[:most]
        return
    bullet = _BULLET.match(line)
    begin = bullet.end() if bullet else 0
    now, indent = line[:begin], " " * begin
    for piece in _pieces(line[begin:]):
        if columns(now) + columns(piece.rstrip()) > most and now.strip():
            yield now.rstrip()
            now = indent
        now += piece
    yield now.rstrip()


def _pieces(text: str) -> Iterator[str]:
    """Yield what stays together, with the blanks behind it; an address stays whole, so that it can be copied."""
    within = (at for at in sorted(breaks(text)) if text[at - 1].isspace() or wide(text[at - 1]) or wide(text[at]))
    for start, end in pairwise((0, *within, len(text))):
        yield text[start:end]
