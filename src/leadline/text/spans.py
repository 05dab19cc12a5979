"""Finds a quotation in a stored text although white space, dashes or marks differ.

Offsets found always count code points of the original text.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from leadline.text.clean import INVISIBLE
from leadline.text.language import CJK
from leadline.text.offsets import Span
from leadline.text.sentences import split

__all__ = ["Folded", "Span", "fold", "locate", "locate_parts", "snap"]

# Letters and marks beside which white space carries nothing. Brackets are absent, so that the text
# that `leadline.text.clean` makes of a passage folds like the passage.
_WIDE: Final = f"{CJK}\u3001-\u3003\u300a-\u3011\uff01-\uff0f\uff1a\uff1b\uff1f"
_SPACE: Final = rf"\s{INVISIBLE}"
# What folding may change: white space that is not one plain blank between narrow characters, and
# every run of characters outside ASCII and the common ideographs.
_CHANGING: Final = re.compile(
    rf"(?P<gap>[^\S ][{_SPACE}]*|[{INVISIBLE}][{_SPACE}]*| (?:[{_SPACE}]+|(?=[{_WIDE}]))"
    rf"|(?<=[{_WIDE}]) )|(?P<run>[^\x00-\x7f\u3400-\u4dbf\u4e00-\u9fff\s{INVISIBLE}]+)|`"
)
_WIDE_CHAR: Final = re.compile(f"[{_WIDE}]")

_SAME: Final = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d\u2e3a", "-"),
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u02b9\u00b4\uff07\u300e\u300f`", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\u301d\u301e\u301f\uff02", '"'),
    **dict.fromkeys("\u300c\u300d", '"'),
    # What `leadline.text.clean` puts in the place of the brackets of control tags.
    **dict.fromkeys("\u2039\u3008\u2329\uff1c", "<"),
    **dict.fromkeys("\u203a\u3009\u232a\uff1e", ">"),
    **dict.fromkeys("\u2045\u3014", "["),
    "\u3015": "]",
    **dict.fromkeys(map(chr, range(0xD800, 0xE000)), "\ufffd"),
}
_REAL_SPACE: Final = re.compile(rf"[^\S{INVISIBLE}]")
_SAME_CHAR: Final = re.compile(f"[{re.escape(''.join(_SAME))}]")
# Characters that combine with the one before them although their combining class is zero.
_JOINING: Final = re.compile("[\u1160-\u11ff\uff9e\uff9f]")
_ELLIPSIS: Final = re.compile(r"[\[(\u3014]?(?:\.{3,}|(?:\. ){2,}\.|\u2026+)[\])\u3015]?")
_OUTER_MARKS: Final = "\"' "


class Folded:
    """A text folded once, in which many quotations are located.

    Folding makes runs of white space one blank (none beside CJK characters), applies NFKC to each
    character with its combining marks, makes dashes and quotation marks alike and drops soft
    hyphens and zero-width characters. Case is kept. Building takes linear time.
    """

    __slots__ = ("_at", "_ends", "_starts", "_verbatim", "folded", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded: str = text
        # Pieces of the folded text: where each begins, and the original range that it stands for.
        self._at: list[int] = [0]
        self._starts: list[int] = [0]
        self._ends: list[int] = [len(text)]
        self._verbatim: list[bool] = [True]
        self._build()

    def _build(self) -> None:
        changes = list(_changes(self.text))
        if not changes:
            return
        self._at, self._starts, self._ends, self._verbatim = [], [], [], []
        parts: list[str] = []
        length = position = 0
        for start, end, replacement in changes:
            if start > position:
                length = self._add(parts, length, span=Span(position, start), shown=None)
            length = self._add(parts, length, span=Span(start, end), shown=replacement)
            position = end
        if position < len(self.text):
            self._add(parts, length, span=Span(position, len(self.text)), shown=None)
        self.folded = "".join(parts)

    def _add(self, parts: list[str], length: int, *, span: Span, shown: str | None) -> int:
        """Append one piece (`shown` is None where the original stands) and return the length."""
        part = span.of(self.text) if shown is None else shown
        if part:
            parts.append(part)
            self._at.append(length)
            self._starts.append(span.start)
            self._ends.append(span.end)
            self._verbatim.append(shown is None)
        return length + len(part)

    def _original(self, start: int, end: int) -> Span:
        """Return the original range of a non-empty range of the folded text."""
        first = bisect_right(self._at, start) - 1
        last = bisect_right(self._at, end - 1) - 1
        begin = self._starts[first]
        if self._verbatim[first]:
            begin += start - self._at[first]
        finish = self._ends[last]
        if self._verbatim[last]:
            finish = self._starts[last] + end - self._at[last]
        return Span(begin, finish)

    def locate(self, quote: str, *, hint: int | None = None, after: int = 0) -> Span | None:
        """Return where `quote` stands in the original text, or None.

        Of several places the first one wins, or with `hint` the nearest to that offset. Places
        that begin before the offset `after` are ignored. Quotation marks around the quote may be
        absent from the text.
        """
        folded = fold(quote).strip()
        exact = _nearest(self.text, quote.strip(), hint=hint, after=after) if folded else None
        if exact is not None:
            return exact
        for wanted in dict.fromkeys((folded, folded.strip(_OUTER_MARKS))):
            found = self._locate_folded(wanted, hint=hint, after=after)
            if found is not None:
                return found
        return None

    def _locate_folded(self, wanted: str, *, hint: int | None, after: int) -> Span | None:
        near = None if hint is None else self._folded_offset(hint)
        found = _nearest(self.folded, wanted, hint=near, after=self._folded_offset(after))
        return None if found is None else self._original(*found)

    def _folded_offset(self, offset: int) -> int:
        """Return the first folded offset whose original begins at or behind `offset`."""
        piece = bisect_right(self._starts, offset) - 1
        if piece < 0:
            return 0
        if self._verbatim[piece] and offset <= self._ends[piece]:
            return self._at[piece] + offset - self._starts[piece]
        if self._starts[piece] == offset:
            return self._at[piece]
        return self._at[piece + 1] if piece + 1 < len(self._at) else len(self.folded)

    def locate_parts(self, quote: str, *, hint: int | None = None) -> list[Span]:
        """Return the spans of a quote that leaves something out ("... ", "…", "[...]").

        One span for each part, in order and disjoint; empty when any part is missing. A quote
        that stands in the text as it is, ellipsis included, is one span.
        """
        whole = self.locate(quote, hint=hint)
        if whole is not None:
            return [whole]
        found: list[Span] = []
        parts = [part for part in _ELLIPSIS.split(quote) if part.strip(_OUTER_MARKS)]
        for part in parts:
            after = found[-1].end if found else 0
            span = self.locate(part, hint=found[-1].end if found else hint, after=after)
            if span is None:
                return []
            found.append(span)
        return found


def _changes(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, replacement) for every part that folding changes, in order."""
    done = 0
    for match in _CHANGING.finditer(text):
        start, end = match.span()
        if match["gap"] is not None:
            yield start, end, _folded_gap(text, start, end)
        elif match["run"] is None:
            yield start, end, "'"
        else:
            if start > done and _joins(text[start]):
                start -= 1
            part = text[start:end]
            if not unicodedata.is_normalized("NFKC", part) or _SAME_CHAR.search(part):
                yield from _clusters(part, start)
        done = end


def _folded_gap(text: str, start: int, end: int) -> str:
    if _REAL_SPACE.search(text, start, end) is None:
        return ""
    beside = text[start - 1 : start] + text[end : end + 1]
    return "" if _WIDE_CHAR.search(beside) else " "


def _joins(char: str) -> bool:
    return unicodedata.combining(char) > 0 or _JOINING.match(char) is not None


def _clusters(part: str, offset: int) -> Iterator[tuple[int, int, str]]:
    """Yield the changes of one run, each character together with the marks that join it."""
    start = 0
    for index in range(1, len(part) + 1):
        if index < len(part) and _joins(part[index]):
            continue
        cluster = part[start:index]
        shown = _folded_cluster(cluster)
        if shown != cluster:
            yield offset + start, offset + index, shown
        start = index


def _folded_cluster(cluster: str) -> str:
    marked = "".join(_SAME.get(char, char) for char in cluster)
    normal = unicodedata.normalize("NFKC", marked)
    # Free-standing accents decompose into a blank and a mark; they stay as they are.
    return marked if " " in normal else "".join(_SAME.get(char, char) for char in normal)


def _nearest(text: str, wanted: str, *, hint: int | None, after: int) -> Span | None:
    if not wanted:
        return None
    behind = text.find(wanted, after if hint is None else max(hint, after))
    if hint is None:
        return Span(behind, behind + len(wanted)) if behind >= 0 else None
    before = text.rfind(wanted, after, max(hint + len(wanted) - 1, after))
    starts = [start for start in (before, behind) if start >= 0]
    if not starts:
        return None
    start = min(starts, key=lambda place: abs(place - hint))
    return Span(start, start + len(wanted))


def fold(text: str) -> str:
    """Return `text` as quotations are compared; see `Folded`."""
    return Folded(text).folded


def locate(quote: str, text: str, *, hint: int | None = None) -> Span | None:
    """Return where `quote` stands in `text`, or None; for many quotes build one `Folded`."""
    exact = _exact(quote, text, hint=hint)
    return exact if exact is not None else Folded(text).locate(quote, hint=hint)


def locate_parts(quote: str, text: str, *, hint: int | None = None) -> list[Span]:
    """Return the spans of a quote that may hold an ellipsis; see `Folded.locate_parts`."""
    exact = _exact(quote, text, hint=hint)
    return [exact] if exact is not None else Folded(text).locate_parts(quote, hint=hint)


def _exact(quote: str, text: str, *, hint: int | None) -> Span | None:
    visible = fold(quote).strip()
    return _nearest(text, quote.strip(), hint=hint, after=0) if visible else None


def snap(text: str, start: int, end: int) -> Span:
    """Return ``[start, end)`` widened to the borders of the sentences that it touches.

    An offset between two sentences stays where it is. Only the paragraphs concerned are read.
    """
    start, end = max(0, start), min(len(text), end)
    low = text.rfind("\n\n", 0, start) + 1
    stop = text.find("\n\n", end)
    high = len(text) if stop < 0 else stop
    for sentence in split(text[low:high]):
        shifted = sentence.shift(low)
        if shifted.start < end and start < shifted.end:
            start, end = min(start, shifted.start), max(end, shifted.end)
    return Span(start, max(start, end))
