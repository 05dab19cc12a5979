"""Rows of tables in stored text, each read with the heads of its columns. Pure.

A table is a run of lines whose cells are parted alike: by `|` (Markdown, and what HTML, DOCX and
workbooks are stored as), by tabs, or by the commas and semicolons of a CSV file. Its first line
names the columns where no cell of it is a figure.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from leadline.text.offsets import Span, trim

MOST_CELLS: Final = 40
MOST_ROW: Final = 1_200
"""Characters of a line that may be a row."""

_OF_TEXT: Final = "|\t"
_LINE: Final = re.compile(r"[^\r\n]+")
_RULE: Final = re.compile(r"[\s|:+=-]*-[\s|:+=-]*\Z")
_FIGURE: Final = re.compile(r"[\s$€£¥+-]*\d[\d.,:/\s%-]*\Z")
_BACK: Final = 40_000
"""Characters before a window in which the head of the table that it begins in is looked for."""


class Row(NamedTuple):
    """A row below the heads of its columns: `cells` are pairs of head and cell, empty cells left out.

    The head is empty where the table has none.
    """

    span: Span
    cells: tuple[tuple[str, str], ...]


class _Parted(NamedTuple):
    """A line, its cells, and by what they are parted."""

    span: Span
    mark: str
    cells: tuple[str, ...]


def rows_in(text: str, window: Span, *, table: bool = False) -> list[Row]:
    """Return the rows of tables in a window, in order, without heads and rules.

    `table` tells that the whole text is one, whose cells may be parted by commas.
    """
    head_line = _line_at(text, 0).of(text)
    marks = max("\t;,", key=head_line.count) if table else _OF_TEXT
    found: list[Row] = []
    for group in _groups(text, _opened(text, window, marks), marks):
        found += [row for row in _read(group) if row.span.start >= window.start]
    if table and not found and window.start:
        head = _parted(text, _line_at(text, 0), marks)
        lines = [_parted(text, span, marks) for span in _lines(text, window)]
        found = _below(head, [line for line in lines if line is not None]) if head else []
    return found


def _opened(text: str, window: Span, marks: str) -> Span:
    """Return a window that begins where the table begins that it would begin within."""
    start, floor = window.start, max(0, window.start - _BACK)
    while start > floor:
        above = text.rfind("\n", 0, start - 1) + 1
        if _parted(text, trim(text, above, start), marks) is None and not _RULE.match(text[above:start].strip()):
            break
        start = above
    return Span(start, window.end)


def _lines(text: str, window: Span) -> list[Span]:
    found = (trim(text, *line.span()) for line in _LINE.finditer(text, window.start, window.end))
    return [line for line in found if line.length]


def _line_at(text: str, start: int) -> Span:
    line = _LINE.search(text, start)
    return Span(start, start) if line is None else trim(text, *line.span())


def _groups(text: str, window: Span, marks: str) -> list[list[_Parted]]:
    """Return runs of lines that are parted alike; blank lines end one, rules do not."""
    groups: list[list[_Parted]] = []
    last = -1
    for span in _lines(text, window):
        if groups and groups[-1] and _RULE.match(span.of(text)):
            last = span.end
            continue
        line = _parted(text, span, marks)
        near = last >= 0 and text.count("\n", last, span.start) <= 1
        alike = bool(groups and groups[-1] and line is not None and groups[-1][-1].mark == line.mark)
        if line is not None and near and alike:
            groups[-1].append(line)
        else:
            groups.append([] if line is None else [line])
        last = span.end
    return [
        group for group in groups if len(group) > 1 and (group[0].mark != "\t" or marks != _OF_TEXT or _even(group))
    ]


def _even(group: Sequence[_Parted]) -> bool:
    """Whether lines with tabs make up columns: set text has tabs and runs of blanks anywhere in its lines."""
    alike = len({len(line.cells) for line in group}) == 1
    return alike and all(cell and "  " not in cell for line in group for cell in line.cells)


def _parted(text: str, span: Span, marks: str) -> _Parted | None:
    """Return a line's cells, `None` where it has fewer than two."""
    line = span.of(text)
    if not 0 < len(line) <= MOST_ROW or _RULE.match(line):
        return None
    for mark in marks:
        cells = _cells(line, mark)
        if 1 < len(cells) <= MOST_CELLS and any(cells):
            return _Parted(span, mark, cells)
    return None


def _cells(line: str, mark: str) -> tuple[str, ...]:
    if mark not in line:
        return ()
    if mark == "|":
        if line[0] != "|" and " | " not in line:
            return ()
        inner = line.removeprefix("|")
        inner = inner.removesuffix("|") if line[0] == "|" else inner
        return tuple(cell.strip(" \t*`") for cell in inner.split("|"))
    if mark == "\t":
        return tuple(cell.strip() for cell in line.split("\t"))
    read = next(csv.reader([line], delimiter=mark), [])
    return tuple(cell.strip() for cell in read)


def _read(group: Sequence[_Parted]) -> list[Row]:
    head = group[0]
    named = not any(_FIGURE.match(cell) for cell in head.cells if cell) and all(head.cells[1:])
    wide = all(len(line.cells) <= len(head.cells) for line in group)
    return _below(head, group[1:]) if named and wide else _below(None, group)


def _below(head: _Parted | None, lines: Sequence[_Parted]) -> list[Row]:
    found = []
    for line in lines:
        heads = head.cells if head is not None else ("",) * len(line.cells)
        cells = tuple((name, cell) for name, cell in zip(heads, line.cells, strict=False) if cell)
        if head is not None or any(map(str.isalpha, "".join(line.cells))):
            found.append(Row(line.span, cells))
    return found
