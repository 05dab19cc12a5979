"""Presentations (ECMA-376 PresentationML): titles, text, tables and notes, slide by slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadline.extract.builder import TextBuilder, one_line
from leadline.extract.opc import Relation, main_part, properties, relations
from leadline.extract.safexml import XmlEvent, xml_events
from leadline.extract.safezip import SafeZip
from leadline.extract.work import Job, Parsed

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAIN: Final = "ppt/presentation.xml"
_TITLES: Final = frozenset({"title", "ctrTitle"})
# Placeholders that repeat on every slide.
_RUNNING: Final = frozenset({"dt", "ftr", "sldNum", "hdr"})


def parse_pptx(job: Job) -> Parsed:
    """Read the slides in the order of the presentation; hidden slides are read too."""
    archive = SafeZip(job.raw, job.limits)
    part = main_part(archive, _MAIN)
    related = relations(archive, part)
    facts = properties(archive)
    out = TextBuilder(job.limits.chars)
    missing = 0
    for number, slide in enumerate(_slides(archive, part, related), 1):
        if slide not in archive:
            missing += 1
        elif not out.full:
            _read_slide(archive, slide, out, number=number)
    return Parsed.of(
        out,
        title=facts.title,
        authors=facts.authors,
        published=facts.published,
        language=facts.language,
        warnings=(f"{missing} slides are missing from the file",) if missing else (),
    )


def _slides(archive: SafeZip, part: str, related: dict[str, Relation]) -> list[str]:
    found = []
    for event in xml_events(archive.chunks(part)):
        if event.kind == "start" and event.name == "p:sldId":
            relation = related.get(event.attributes.get("r:id", ""))
            found.append(relation.target if relation else "")
    return found


def _read_slide(archive: SafeZip, slide: str, out: TextBuilder, *, number: int) -> None:
    out.new_part("slide", str(number))
    _ShapeReader(out).read(xml_events(archive.chunks(slide)))
    for relation in relations(archive, slide).values():
        if relation.target not in archive or relation.external:
            continue
        if relation.kind == "diagramData":
            _ShapeReader(out).read(xml_events(archive.chunks(relation.target)))
        elif relation.kind == "notesSlide":
            _ShapeReader(out, prefix="Notes: ").read(xml_events(archive.chunks(relation.target)))


class _ShapeReader:
    """Turns the shapes of one part into blocks: a title is a heading, a table its rows."""

    def __init__(self, out: TextBuilder, *, prefix: str = "") -> None:
        self._out = out
        self._prefix = prefix
        self._placeholder = ""
        self._paragraphs: list[str] = []
        self._words: list[str] = []
        self._in_text = False
        self._cells: list[str] | None = None

    def read(self, events: Iterable[XmlEvent]) -> None:
        """Read all events of a part."""
        for kind, name, attributes in events:
            if self._out.full:
                return
            if kind == "text":
                if self._in_text:
                    self._words.append(name)
            elif kind == "start":
                self._start(name, attributes)
            else:
                self._end(name)
        self._end_shape()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "a:t":
            self._in_text = True
        elif name == "a:br":
            self._words.append("\n")
        elif name == "p:sp":
            self._placeholder = ""
        elif name == "p:ph":
            self._placeholder = attributes.get("type", "body")
        elif name == "a:tr":
            self._cells = []

    def _end(self, name: str) -> None:
        if name == "a:t":
            self._in_text = False
        elif name == "a:p":
            text = "".join(self._words).strip()
            self._words.clear()
            if text:
                self._paragraphs.append(text)
        elif name == "a:tc" and self._cells is not None:
            self._cells.append(one_line(" ".join(self._paragraphs), 1_000_000))
            self._paragraphs.clear()
        elif name == "a:tr":
            self._end_row()
        elif name in {"p:sp", "a:tbl"}:
            self._end_shape()

    def _end_row(self) -> None:
        cells, self._cells = self._cells or [], None
        if any(cells):
            self._paragraphs.append(" | ".join(cells))

    def _end_shape(self) -> None:
        text = "\n".join(self._paragraphs)
        self._paragraphs.clear()
        placeholder, self._placeholder = self._placeholder, ""
        if not text or placeholder in _RUNNING or (self._prefix and placeholder == "sldImg"):
            return
        if placeholder in _TITLES and not self._prefix:
            self._out.heading(1, text)
        else:
            self._out.add(self._prefix + text)
