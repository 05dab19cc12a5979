"""What of a text is read as evidence: sentences, fields, rows of tables and entries of lists of terms.

A heading or label is read with what stands under it. A heading that asks, and a line of a table of
contents, say nothing themselves: the first only heads its answer, the second is left out. Rules of
form alone, for English and Chinese.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from leadline.research.extractive.asking import Word, key_of, words_of
from leadline.research.extractive.rows import Row, rows_in
from leadline.text.language import has_cjk
from leadline.text.offsets import Span
from leadline.text.sentences import split
from leadline.text.tokens import terms

LABEL: Final = 20
LABEL_CJK: Final = 6
"""Characters from which on a heading or label may stand in a report."""

SENTENCE: Final = 8
SENTENCE_CJK: Final = 4
"""Characters of a sentence, field or item at least."""

MAX_SENTENCE: Final = 600
MOST_HEADING: Final = 120
HEADING_REACH: Final = 600
"""Characters behind a heading or label in which sentences are read under it."""

MOST_TERM: Final = 60
"""Characters of what a list of terms explains, at most."""

# Marks of headings, numbers of sections, directives and fields of reStructuredText.
_HEADING = re.compile(r"\s*(?:#{1,6}\s|={2,}|\d+(?:\.\d+)+\.?\s(?!(?:\S+\s+){4}.*\.\Z).{1,60}\Z|\.\.\s|:\w+:\s)")
_MARKUP = re.compile(r"</?(?:a|b|code|div|em|i|li|p|pre|script|span|strong|table|td|tr|ul)(?:\s[^<>]*)?>")
_DATA = re.compile(r"\"\s?:\s?[\[{\"\d]")
_PLACEHOLDER = re.compile(r"\[(?!\d)|<(?=[A-Za-z])")
_FIGURES = 4
_SYNOPSIS = 5
"""Words for each placeholder below which a line shows how a command is written."""
_END = re.compile(
    r"[.!?\u3002\uff01\uff1f\uff1b;:\uff1a\u2026][\"'\u201d\u2019)\]\u300d\u300f\uff09]*(?:\[\d+\])*\s*\Z"
)
_ASKS = re.compile(r"[?\uff1f][\"'\u201d\u2019)\]\u300d\u300f\uff09*_]*\s*\Z")
# A line of a table of contents or an index: leaders, or a section's number and title alone, or "page 12".
_CONTENTS = re.compile(
    r"(?:\.\s?){4,}|\u2026{2,}|\u00b7{4,}|\A\W*\d{1,3}\s+\d+(?:\.\d+)+\s[^.!?]{1,80}\s?\.?\Z"
    r"|,\s(?:pages?|pp?\.)\s\d+(?:[,\s\u2013-]+\d+)*\.?\Z|\s{2,}\d{1,4}\Z(?<=\.\s{2}\d)|\u7b2c\s?\d+\s?\u9875\Z",
    re.IGNORECASE,
)
_LEADERS = re.compile(r"(?:\.\s?){4,}\s*\d{1,4}\s*\Z")
_MOST_LEADERS = 300
# "Driver: Kofi Mensah": a value under its name; a chapter's number is no name of a value.
_FIELD = re.compile(
    r"\s*(?:[-*\u2022]\s+)?(?P<name>[^\W\d_][^:\uff1a.!?\u3002|\n]{0,39}?)\s?(?::\s+|\uff1a\s*)(?P<value>\S.{0,160})\Z"
)
_NO_FIELD = re.compile(
    r"(?:chapter|section|part|figure|table|appendix|example|listing|step|https?)\b|(?:next|prev|previous|up)\Z|[第图表]",
    re.IGNORECASE,
)
_ITEM = re.compile(r"\s*(?:[-*+\u2022\u2023\u25aa\u25cf\u25e6]|\d{1,3}[.)])\s+\S")
_MARKS = "#*=_` \t"
_TERM_CODE = re.compile(r"\A\s*(?:-{1,2}\w|`)")


class Line(NamedTuple):
    """A sentence of a page: where it stands, its terms, and whether it is prose rather than a heading or label.

    `flat` are its folded words between blanks, for finding names in it; `under` is the heading or
    label that stands close before it, and is what it explains or the name of its value where `entry`
    is set. What `asks` heads its answer and is never told itself. `cells` are
    those of a row with the heads of their columns, whose terms are among its own.
    """

    page: int
    start: int
    end: int
    terms: frozenset[str]
    prose: bool
    flat: str
    words: tuple[Word, ...]
    under: Span | None
    entry: bool = False
    asks: bool = False
    cells: tuple[tuple[str, str], ...] = ()

    def holds(self, key: str) -> bool:
        """Whether a name stands in the sentence, given as `asking.key_of` returns it."""
        return key in self.flat if has_cjk(key) else f" {key} " in self.flat


class Told(NamedTuple):
    """What is known of the text that lines are read from: `page` is its number."""

    page: int
    title: str
    text: str
    table: bool


def lines_of(told: Told, windows: Sequence[Span]) -> list[Line]:
    """Return the lines of these parts of a text, in order."""
    return [line for window in windows for line in _in_window(told, window)]


def _in_window(told: Told, window: Span) -> list[Line]:
    found: list[Line] = []
    start = window.start
    plain = _Plain(told)
    for row in rows_in(told.text, window, table=told.table):
        found += plain.lines(Span(start, row.span.start))
        found.append(_row(told, row))
        start = row.span.end
    return [*found, *plain.lines(Span(start, window.end))]


def _row(told: Told, row: Row) -> Line:
    read = " ".join(f"{name} {cell}" for name, cell in row.cells)
    words = tuple(words_of(row.span.of(told.text)))
    flat = f" {' '.join(word.folded for word in words)} "
    return Line(told.page, *row.span, frozenset(terms(read)), True, flat, words, None, cells=row.cells)


class _Plain:
    """Reads what stands outside tables; keeps the heading that what follows stands under."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._own = key_of(told.title)
        self._head: Span | None = None
        self._label: Span | None = None

    def lines(self, window: Span) -> list[Line]:
        """Return the lines of a part of the text, in order."""
        spans = [span.shift(window.start) for span in split(self._told.text[slice(*window)])]
        return [line for span in spans if (line := self._line(span)) is not None]

    def _line(self, span: Span) -> Line | None:
        text = span.of(self._told.text)
        label, self._label = self._label, None
        if _CONTENTS.search(text) or _LEADERS.search(self._written(span)) or text.count(" | ") > 1:
            return None
        asks = bool(_ASKS.search(text))
        entry = label is not None and _explains(self._told.text, label, span)
        item = bool(_ITEM.match(text))
        prose = not asks and (entry or _is_prose(text))
        under = self._head
        if asks or (not prose and not item and len(text) <= MOST_HEADING):
            self._head = self._label = span
        if not _is_read(text, prose=prose, item=item, entry=entry) or self._is_title(text):
            return None
        near = under if prose and under and span.start - under.end <= HEADING_REACH else None
        words = tuple(words_of(text))
        flat = f" {' '.join(word.folded for word in words)} "
        return Line(self._told.page, *span, frozenset(terms(text)), prose, flat, words, near, entry=entry, asks=asks)

    def _written(self, span: Span) -> str:
        """Return the rest of the line in which a sentence begins: dots with blanks between them end sentences."""
        end = self._told.text.find("\n", span.start)
        return self._told.text[span.start : end if end >= 0 else None][:_MOST_LEADERS]

    def _is_title(self, text: str) -> bool:
        return len(text) < 2 * len(self._told.title) + 8 and key_of(text) == self._own


def _is_read(line: str, *, prose: bool, item: bool, entry: bool) -> bool:
    """Whether a line is long enough, and made of words, to be evidence."""
    if entry:
        return len(line) <= MAX_SENTENCE
    leasts = (SENTENCE, SENTENCE_CJK) if prose or item else (LABEL, LABEL_CJK)
    least = leasts[has_cjk(line)]
    return least <= len(line) <= MAX_SENTENCE and _has_words(line, prose=prose)


def _explains(text: str, label: Span, line: Span) -> bool:
    """Whether a line explains the label right above it: it stands further in, or the two stand alone.

    A label with a heading's mark heads more than one line.
    """
    between = text[label.end : line.start]
    if between.count("\n") != 1 or label.length > MOST_TERM or label.of(text).startswith("#"):
        return False
    deeper = len(between) - between.index("\n") - 1 > _indent(text, label.start)
    if deeper:
        return True
    above = text[: label.start].rstrip(" \t")
    below = text[line.end : line.end + 2].lstrip(" \t")
    return (not above or above.endswith("\n\n")) and (not below or below.startswith("\n\n") or not below.strip())


def _indent(text: str, start: int) -> int:
    return start - (text.rfind("\n", 0, start) + 1)


def is_field(line: str) -> bool:
    """Whether a line gives a value under its name ("Driver: Kofi Mensah")."""
    found = _FIELD.match(line)
    return found is not None and not _NO_FIELD.match(found["name"]) and len(found["name"].split()) <= 5


def _is_prose(line: str) -> bool:
    """Whether a line is a sentence or field rather than a heading, a label, navigation or code."""
    said = bool(_END.search(line)) or is_field(line)
    return said and not _HEADING.match(line) and " | " not in line and not _is_synopsis(line)


def _is_synopsis(line: str) -> bool:
    """Whether a line shows how a command is written: `git diff [<options>] [--] [<path>...]`."""
    holes = len(_PLACEHOLDER.findall(line))
    return holes > 1 and holes * _SYNOPSIS >= len(line.split())


def _has_words(line: str, *, prose: bool) -> bool:
    """Whether words make up most of a line: drawings, tables of numbers, markup and code are no sentences.

    The figures of a sentence count as words, where letters make up a quarter of it.
    """
    letters = sum(map(str.isalpha, line))
    said = letters if not prose or letters * _FIGURES < len(line) else sum(map(str.isalnum, line))
    return said * 2 > len(line) and _MARKUP.search(line) is None and len(_DATA.findall(line)) < 2
