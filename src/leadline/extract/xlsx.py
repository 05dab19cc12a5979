"""Workbooks (ECMA-376 SpreadsheetML): sheets as rows of cells joined by ` | `.

Cells show what was last computed, dates as ISO 8601. Hidden sheets are left out and counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from leadline.extract.builder import TextBuilder
from leadline.extract.opc import Relation, main_part, properties, relations
from leadline.extract.safexml import XmlEvent, xml_events
from leadline.extract.safezip import SafeZip
from leadline.extract.work import Job, Parsed

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAIN: Final = "xl/workbook.xml"
_DATE_FORMATS: Final = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_DATE_CODE: Final = re.compile(r"[ymdhs年月日]", re.IGNORECASE)
_QUOTED: Final = re.compile(r'"[^"]*"|\\.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_COLUMN: Final = re.compile(r"^[A-Z]{1,3}")
_WIDEST_GAP: Final = 30
_LAST_SERIAL: Final = 2_958_465  # 9999-12-31


@dataclass(slots=True)
class _Book:
    """What all sheets share. `dates`: which cell styles show dates; epoch: day zero of serials."""

    strings: list[str] = field(default_factory=list)
    dates: list[bool] = field(default_factory=list)
    epoch: datetime = datetime(1899, 12, 30)  # noqa: DTZ001 serials know no time zone


def parse_xlsx(job: Job) -> Parsed:
    """Read all visible sheets in the order of the workbook."""
    archive = SafeZip(job.raw, job.limits)
    part = main_part(archive, _MAIN)
    related = relations(archive, part)
    facts = properties(archive)
    sheets, hidden, book = _read_workbook(archive, part, related)
    out = TextBuilder(job.limits.chars)
    for name, target in sheets:
        if target in archive and not out.full:
            out.new_part("sheet", name)
            out.add(name)
            _SheetReader(out, book).read(xml_events(archive.chunks(target)))
    return Parsed.of(
        out,
        title=facts.title,
        authors=facts.authors,
        published=facts.published,
        language=facts.language,
        warnings=(f"{hidden} hidden sheets were left out",) if hidden else (),
    )


def _read_workbook(
    archive: SafeZip, part: str, related: dict[str, Relation]
) -> tuple[list[tuple[str, str]], int, _Book]:
    book = _Book()
    sheets: list[tuple[str, str]] = []
    hidden = 0
    for event in xml_events(archive.chunks(part)):
        if event.kind != "start":
            continue
        if event.name == "x:workbookPr" and event.attributes.get("date1904") in {"1", "true"}:
            book.epoch = datetime(1904, 1, 1)  # noqa: DTZ001 as above
        elif event.name == "x:sheet":
            relation = related.get(event.attributes.get("r:id", ""))
            if event.attributes.get("state", "visible") != "visible":
                hidden += 1
            elif relation is not None:
                sheets.append((event.attributes.get("name", ""), relation.target))
    for relation in related.values():
        if relation.kind == "sharedStrings" and relation.target in archive:
            book.strings = _shared_strings(xml_events(archive.chunks(relation.target)))
        elif relation.kind == "styles" and relation.target in archive:
            book.dates = _date_styles(xml_events(archive.chunks(relation.target)))
    return sheets, hidden, book


def _shared_strings(events: Iterable[XmlEvent]) -> list[str]:
    strings: list[str] = []
    parts: list[str] = []
    wanted, phonetic = False, False
    for kind, name, _ in events:
        if kind == "text":
            if wanted and not phonetic:
                parts.append(name)
        elif name == "x:t":
            wanted = kind == "start"
        elif name == "x:rPh":
            phonetic = kind == "start"
        elif name == "x:si" and kind == "end":
            strings.append("".join(parts))
            parts.clear()
    return strings


def _date_styles(events: Iterable[XmlEvent]) -> list[bool]:
    codes: dict[int, bool] = {}
    dates: list[bool] = []
    in_formats = False
    for kind, name, attributes in events:
        if name == "x:cellXfs":
            in_formats = kind == "start"
        elif kind == "start" and name == "x:numFmt":
            code = _QUOTED.sub("", attributes.get("formatCode", ""))
            codes[_number(attributes.get("numFmtId"))] = bool(_DATE_CODE.search(code))
        elif kind == "start" and name == "x:xf" and in_formats:
            identity = _number(attributes.get("numFmtId"))
            dates.append(codes.get(identity, identity in _DATE_FORMATS))
    return dates


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else -1


class _SheetReader:
    """Turns the cells of one sheet into rows."""

    def __init__(self, out: TextBuilder, book: _Book) -> None:
        self._out = out
        self._book = book
        self._row = 0
        self._cells: list[str] = []
        self._kind = "n"
        self._style = 0
        self._value: list[str] = []
        self._wanted = False

    def read(self, events: Iterable[XmlEvent]) -> None:
        """Read all rows; those without a value leave no line."""
        for kind, name, attributes in events:
            if self._out.full:
                return
            if kind == "text":
                if self._wanted:
                    self._value.append(name)
            elif kind == "start":
                self._start(name, attributes)
            else:
                self._end(name)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "x:row":
            row = _number(attributes.get("r"))
            self._row = row if row > 0 else self._row + 1
            self._cells.clear()
        elif name == "x:c":
            self._kind = attributes.get("t", "n")
            self._style = _number(attributes.get("s"))
            self._fill(attributes.get("r", ""))
            self._value.clear()
        elif name in {"x:v", "x:t"}:
            self._wanted = True

    def _fill(self, reference: str) -> None:
        """Keep columns apart: cells without a value are not in the file."""
        found = _COLUMN.match(reference)
        if not found:
            return
        column = 0
        for letter in found[0]:
            column = column * 26 + ord(letter) - 64
        gap = column - 1 - len(self._cells)
        self._cells.extend([""] * min(max(gap, 0), _WIDEST_GAP))

    def _end(self, name: str) -> None:
        if name in {"x:v", "x:t"}:
            self._wanted = False
        elif name == "x:c":
            self._cells.append(" ".join(self._shown("".join(self._value)).split()))
        elif name == "x:row":
            line = " | ".join(self._cells).rstrip(" |")
            if line:
                self._out.mark("row", str(self._row), separator="\n")
                self._out.add(line, separator="\n")

    def _shown(self, value: str) -> str:
        if self._kind == "s":
            index = _number(value.strip())
            return self._book.strings[index] if 0 <= index < len(self._book.strings) else ""
        if self._kind == "b":
            return {"0": "FALSE", "1": "TRUE"}.get(value.strip(), value)
        if self._kind != "n" or not value:
            return value
        return self._as_number(value)

    def _as_number(self, value: str) -> str:
        try:
            number = float(value)
        except ValueError:
            return value
        is_date = 0 <= self._style < len(self._book.dates) and self._book.dates[self._style]
        if is_date and 0 <= number <= _LAST_SERIAL:
            return _moment(self._book.epoch, number)
        return f"{number:.15g}"


def _moment(epoch: datetime, serial: float) -> str:
    """Show a serial as a date, a time of day, or both."""
    moment = epoch + timedelta(days=int(serial), seconds=round(serial % 1 * 86_400))
    if serial < 1:
        return moment.time().isoformat("seconds")
    return moment.date().isoformat() if serial == int(serial) else moment.isoformat(" ", "minutes")
