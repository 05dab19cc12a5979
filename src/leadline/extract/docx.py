"""Word documents (ECMA-376 WordprocessingML), streamed from the archive.

Headings, paragraphs, lists, tables, text boxes, footnotes and endnotes in reading order. Deleted
(tracked) and hidden text is left out; fields show their last result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from leadline.extract.builder import TextBuilder, one_line
from leadline.extract.opc import Relation, main_part, properties, relations
from leadline.extract.safexml import XmlEvent, xml_events
from leadline.extract.safezip import SafeZip
from leadline.extract.types import Link
from leadline.extract.work import Job, Parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MAIN: Final = "word/document.xml"
_HEADING: Final = re.compile(r"^(?:heading|überschrift|titre|título|标题|標題|見出し)\s*(\d)", re.IGNORECASE)
_TITLE_STYLES: Final = frozenset({"title", "titel", "titre", "标题", "標題"})
_SPACES: Final = {"w:tab": "\t", "w:br": "\n", "w:cr": "\n", "w:noBreakHyphen": "-", "w:ptab": "\t"}
# Subtrees whose text no reader sees, or that repeats what stands beside it.
_SKIPPED: Final = frozenset(
    {"w:del", "w:moveFrom", "w:instrText", "w:delText", "mc:Fallback", "w:rPrChange", "w:pPrChange"}
)
_MOST_LINKS: Final = 2_000
_OUTLINE_LEVELS: Final = 9


def parse_docx(job: Job) -> Parsed:
    """Read a document; raises `BrokenDocument`, `EncryptedDocument` or `TooLarge`."""
    archive = SafeZip(job.raw, job.limits)
    part = main_part(archive, _MAIN)
    related = relations(archive, part)
    facts = properties(archive)
    out = TextBuilder(job.limits.chars)
    reader = _WordReader(out, styles=_read_styles(archive, related), related=related)
    reader.read(xml_events(archive.chunks(part)))
    for kind, label in (("footnotes", "Footnotes"), ("endnotes", "Endnotes")):
        for notes in (relation.target for relation in related.values() if relation.kind == kind):
            if notes in archive and not out.full:
                reader.read_notes(xml_events(archive.chunks(notes)), label)
    return Parsed.of(
        out,
        title=facts.title or reader.title,
        authors=facts.authors,
        published=facts.published,
        language=facts.language,
        links=tuple(reader.links.values()),
    )


@dataclass(slots=True)
class _Styles:
    """What style ids mean: a heading of a level (0 is the title), or an item of a list."""

    headings: dict[str, int] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)

    def take(self, event: XmlEvent, style: str) -> None:
        if event.name == "w:name":
            name = event.attributes.get("w:val", "")
            heading = _HEADING.match(name)
            if heading and int(heading[1]) in range(1, _OUTLINE_LEVELS + 1):
                self.headings[style] = int(heading[1])
            elif name.lower() in _TITLE_STYLES:
                self.headings[style] = 0
        elif event.name == "w:outlineLvl" and _level(event) <= _OUTLINE_LEVELS:
            self.headings.setdefault(style, _level(event))
        elif event.name == "w:numPr":
            self.lists.add(style)


def _read_styles(archive: SafeZip, related: dict[str, Relation]) -> _Styles:
    part = next((relation.target for relation in related.values() if relation.kind == "styles"), "")
    styles = _Styles()
    style = ""
    if part not in archive:
        return styles
    for event in xml_events(archive.chunks(part)):
        if event.kind != "start":
            continue
        if event.name == "w:style":
            style = event.attributes.get("w:styleId", "")
        elif style:
            styles.take(event, style)
    return styles


def _level(event: XmlEvent) -> int:
    value = event.attributes.get("w:val", "")
    return int(value) + 1 if value in {"0", "1", "2", "3", "4", "5", "6", "7", "8"} else _OUTLINE_LEVELS + 1


def _is_on(event: XmlEvent) -> bool:
    return event.attributes.get("w:val", "1").lower() not in {"0", "false", "off"}


class _WordReader:
    """Turns the events of one part into blocks."""

    def __init__(self, out: TextBuilder, *, styles: _Styles, related: dict[str, Relation]) -> None:
        self.title: str | None = None
        self.links: dict[str, Link] = {}
        self._out = out
        self._styles = styles
        self._related = related
        self._skip = 0  # depth below a skipped element
        self._run: list[str] = []
        self._paragraph: list[str] = []
        self._hidden = False
        self._in_run_properties = False
        self._in_text = False
        self._level: int | None = None
        self._listed: int | None = None
        self._after_item = False
        self._rows: list[list[list[str]]] = []  # open tables: cells of the open row, paragraphs of each
        self._row_count: list[int] = []
        self._link: str | None = None
        self._note = ""
        self._start: dict[str, Callable[[XmlEvent], None]] = {
            "w:p": self._start_paragraph,
            "w:pStyle": self._style,
            "w:outlineLvl": self._outline,
            "w:ilvl": self._list_level,
            "w:numPr": self._list_item,
            "w:rPr": self._run_properties,
            "w:vanish": self._vanish,
            "w:webHidden": self._vanish,
            "w:r": self._start_run,
            "w:t": self._start_text,
            "m:t": self._start_text,
            "w:tbl": self._start_table,
            "w:tr": self._start_row,
            "w:tc": self._start_cell,
            "w:hyperlink": self._start_link,
            "w:footnoteReference": self._note_mark,
            "w:endnoteReference": self._note_mark,
        }
        self._end: dict[str, Callable[[], None]] = {
            "w:p": self._end_paragraph,
            "w:rPr": self._end_run_properties,
            "w:r": self._end_run,
            "m:r": self._end_run,
            "w:t": self._end_text,
            "m:t": self._end_text,
            "w:tbl": self._end_table,
            "w:tr": self._end_row,
            "w:hyperlink": self._end_link,
        }

    def read(self, events: Iterable[XmlEvent]) -> None:
        """Read the main part."""
        for event in events:
            if self._out.full:
                return
            self._take(event)
        self._end_paragraph()

    def read_notes(self, events: Iterable[XmlEvent], label: str) -> None:
        """Read footnotes or endnotes; separators and continuation marks are none."""
        first, wanted = True, False
        for event in events:
            if event.kind == "start" and event.name in {"w:footnote", "w:endnote"}:
                wanted = event.attributes.get("w:type", "normal") == "normal"
                self._note = f"[{event.attributes.get('w:id', '')}] "
                if wanted and first:
                    self._out.heading(1, label)
                    first = False
            if wanted:
                self._take(event)

    def _take(self, event: XmlEvent) -> None:
        kind, name, _ = event
        if self._skip:
            self._skip += (kind == "start") - (kind == "end")
            return
        if kind == "text":
            if self._in_text:
                self._run.append(name)
        elif kind == "start":
            self._take_start(event)
        else:
            end = self._end.get(name)
            if end:
                end()

    def _take_start(self, event: XmlEvent) -> None:
        if event.name in _SKIPPED:
            self._skip = 1
            return
        space = _SPACES.get(event.name)
        # `w:tab` also stands in paragraph properties, as a tab stop.
        if space and not event.attributes.get("w:pos"):
            self._run.append(space)
        start = self._start.get(event.name)
        if start:
            start(event)

    def _start_paragraph(self, _event: XmlEvent) -> None:
        if self._paragraph:  # a text box inside a paragraph: what stands before it comes first
            self._end_paragraph()
        self._level = self._listed = None
        self._run.clear()

    def _style(self, event: XmlEvent) -> None:
        style = event.attributes.get("w:val", "")
        self._level = self._styles.headings.get(style)
        if self._level is None and style in self._styles.lists:
            self._listed = 0

    def _outline(self, event: XmlEvent) -> None:
        level = _level(event)
        if level <= _OUTLINE_LEVELS:
            self._level = level

    def _list_item(self, _event: XmlEvent) -> None:
        self._listed = 0

    def _list_level(self, event: XmlEvent) -> None:
        value = event.attributes.get("w:val", "0")
        self._listed = int(value) if value in {"0", "1", "2", "3", "4", "5", "6", "7", "8"} else 0

    def _run_properties(self, _event: XmlEvent) -> None:
        self._in_run_properties = True

    def _end_run_properties(self) -> None:
        self._in_run_properties = False

    def _vanish(self, event: XmlEvent) -> None:
        if self._in_run_properties and _is_on(event):
            self._hidden = True

    def _start_run(self, _event: XmlEvent) -> None:
        self._hidden = False
        self._run.clear()

    def _end_run(self) -> None:
        if not self._hidden:
            self._paragraph.extend(self._run)
        self._run.clear()
        self._hidden = False

    def _start_text(self, _event: XmlEvent) -> None:
        self._in_text = True

    def _end_text(self) -> None:
        self._in_text = False

    def _note_mark(self, event: XmlEvent) -> None:
        self._run.append(f"[{event.attributes.get('w:id', '')}]")

    def _end_paragraph(self) -> None:
        text = "".join(self._paragraph).strip()
        self._paragraph.clear()
        if not text:
            return
        if self._rows:
            if self._rows[-1]:
                self._rows[-1][-1].append(text)
            return
        if self._note:
            text, self._note = self._note + text, ""
        self._block(text)

    def _block(self, text: str) -> None:
        listed, level = self._listed, self._level
        if level or (level == 0 and listed is None):
            if level == 0:
                self.title = self.title or one_line(text, 500)
            self._out.heading(max(level or 1, 1), text)
        elif listed is not None:
            self._out.add(f"{'  ' * listed}- {text}", separator="\n" if self._after_item else "\n\n")
        else:
            self._out.add(text)
        self._after_item = listed is not None

    def _start_table(self, _event: XmlEvent) -> None:
        self._rows.append([])
        self._row_count.append(0)

    def _start_row(self, _event: XmlEvent) -> None:
        if self._rows:
            self._rows[-1].clear()

    def _start_cell(self, _event: XmlEvent) -> None:
        if self._rows:
            self._rows[-1].append([])

    def _end_row(self) -> None:
        if not self._rows:
            return
        cells = [one_line(" ".join(cell), 1_000_000) for cell in self._rows[-1]]
        self._rows[-1].clear()
        if not any(cells):
            return
        row = " | ".join(cells)
        if len(self._rows) > 1 and self._rows[-2]:  # a table in a cell
            self._rows[-2][-1].append(row)
        else:
            self._out.add(row, separator="\n" if self._row_count[-1] else "\n\n")
        self._row_count[-1] += 1

    def _end_table(self) -> None:
        if self._rows:
            self._rows.pop()
            self._row_count.pop()
        self._after_item = False

    def _start_link(self, event: XmlEvent) -> None:
        relation = self._related.get(event.attributes.get("r:id", ""))
        is_web = relation is not None and relation.external and relation.target.startswith(("http://", "https://"))
        self._link = relation.target if relation is not None and is_web else None

    def _end_link(self) -> None:
        if self._link and len(self.links) < _MOST_LINKS:
            self.links.setdefault(self._link, Link(self._link, ""))
        self._link = None
