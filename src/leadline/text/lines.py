"""Lines of set text joined into one: blanks, words of Chinese, and words that a hyphen divides; how wide one is."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from leadline.text.language import CJK, CJK_MARKS

_BREAK: Final = re.compile(rf"(?<=[{CJK}{CJK_MARKS}])\s*\n\s*(?=[{CJK}{CJK_MARKS}])")
_DIVIDED: Final = re.compile("\\b([^\\W\\d_]+)([-\u2010])[ \t]*\n\\s*([^\\W\\d_]+)")
# With these before it, a hyphen at a line's end is one of the word's own.
_OWN: Final = frozenset(
    {"all", "anti", "co", "cross", "end", "ex", "first", "full", "half", "high", "long", "low", "multi", "non", "off"}
    | {"on", "one", "open", "post", "pre", "re", "read", "real", "second", "self", "semi", "short", "single", "so"}
    | {"three", "time", "two", "up", "user", "well", "write"}
)


def on_one_line(text: str, *, within: str = "") -> str:
    """Return `text` without line breaks, as people read it; between CJK characters nothing takes their place.

    A word that a hyphen divides at the end of a line is put together again. Whether the hyphen is
    one of its own tells `within`, the text around it, or else its first part.
    """
    joined = _DIVIDED.sub(lambda found: _whole(found, within), text) if "\n" in text else text
    return " ".join(_BREAK.sub("", joined).split())


def columns(text: str) -> int:
    """Return the columns of a terminal that a line takes: two for a wide character, none for one that combines."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in {"W", "F"} else not unicodedata.combining(c) for c in text)


def _whole(found: re.Match[str], within: str) -> str:
    first, hyphen, rest = found.groups()
    plain, hyphened = first + rest, first + hyphen + rest
    if not rest[:1].islower() or hyphened in within:
        return hyphened
    return hyphened if plain not in within and first.lower() in _OWN else plain
