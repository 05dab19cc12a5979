"""Lines as wide as a terminal: broken between words, where it would break them anywhere."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterator
from typing import Final

WIDEST: Final = 100
"""Columns of a line at most: longer ones are hard to read, however wide the terminal is."""

_LISTED: Final = "    "
"""What lines of programs and tables begin with: they stay as they are."""

_WIDE: Final = "\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff01-\uff60"
_CLOSING: Final = "、。〉》」』】〕〗！），．：；？％”’…"
_OPENING: Final = "〈《「『【〔〖（“‘"
_PIECE: Final = re.compile(
    rf"\s+|[{_OPENING}]*[{_WIDE}][{_CLOSING}]*|(?:(?![{_WIDE}{_OPENING}])\S)+[{_CLOSING}]*|\S",
)
"""What stays together: a blank, a wide character with the marks that belong to it, or a word."""

_BULLET: Final = re.compile(r"(?:- |\s+- |\s+)")


def to_columns(text: str, columns: int | None = None) -> str:
    """Return text whose lines are no wider than the terminal, but for words that are; lines of programs stay."""
    most = min(columns or shutil.get_terminal_size().columns, WIDEST)
    return "\n".join(piece for line in text.split("\n") for piece in _broken(line, most))


def width(text: str) -> int:
    """Return the columns that text takes."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in {"W", "F"} else not unicodedata.combining(c) for c in text)


def _broken(line: str, most: int) -> Iterator[str]:
    if width(line) <= most or line.startswith(_LISTED):
        yield line
        return
    if set(line) in ({"="}, {"-"}):  # the line under a title
        yield line[:most]
        return
    found = _BULLET.match(line)
    indent = " " * (found.end() if found else 0)
    now = line[: len(indent)]
    for piece in _PIECE.findall(line[len(indent) :]):
        if width(now) + width(piece.rstrip()) > most and now.strip():
            yield now.rstrip()
            now = indent
        if piece.strip() or now != indent:
            now += piece
    yield now.rstrip()
