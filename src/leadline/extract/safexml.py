"""Stream the XML inside documents as events; no document type, no entities, bounded depth.

Office formats and e-books need none of what makes XML dangerous, so whoever declares a document
type is refused before any entity can be defined (billion laughs, external entities). Chapters of
e-books are read by the HTML parser, which knows the entities they use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from xml.parsers import expat

from leadline.errors import BrokenDocument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DEEPEST: Final = 1_000
_SEPARATOR: Final = " "
# The short prefix that a namespace is known by here; strict and transitional Office files differ
# only in the address.
_PREFIXES: Final = (
    ("/wordprocessingml/", "w"),
    ("/presentationml/", "p"),
    ("/spreadsheetml/", "x"),
    ("/drawingml/", "a"),
    ("/officeDocument/2006/relationships", "r"),
    ("/officeDocument/relationships", "r"),
    ("/markup-compatibility/", "mc"),
    ("/officeDocument/2006/math", "m"),
    ("/officeDocument/math", "m"),
    ("purl.org/dc/elements/", "dc"),
    ("purl.org/dc/terms/", "dcterms"),
    ("/package/2006/metadata/core-properties", "cp"),
)


class XmlEvent(NamedTuple):
    """One event. name: `prefix:local` for start and end, the characters for text."""

    kind: Literal["start", "end", "text"]
    name: str
    attributes: dict[str, str]


_NONE: Final[dict[str, str]] = {}


def xml_events(chunks: Iterable[bytes]) -> Iterator[XmlEvent]:
    """Parse piece by piece; raises `BrokenDocument` for what is malformed, declared or too deep."""
    reader = _Reader()
    for chunk in chunks:
        yield from reader.feed(chunk, final=False)
    yield from reader.feed(b"", final=True)


class _Reader:
    def __init__(self) -> None:
        self._events: list[XmlEvent] = []
        self._depth = 0
        self._names: dict[str, str] = {}
        self._parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def feed(self, chunk: bytes, *, final: bool) -> list[XmlEvent]:
        try:
            self._parser.Parse(chunk, final)
        except (expat.ExpatError, ValueError, LookupError) as error:
            msg = f"the XML inside is malformed: {error}"
            raise BrokenDocument(msg) from error
        events, self._events = self._events, []
        return events

    def _refuse_doctype(self, name: str, *_ids: object) -> None:
        msg = f"the XML inside declares a document type (`{name[:50]}`), which no such document needs"
        raise BrokenDocument(msg)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            msg = f"the XML inside is nested deeper than {_DEEPEST} elements"
            raise BrokenDocument(msg)
        short = {self._short(key): value for key, value in attributes.items()} if attributes else _NONE
        self._events.append(XmlEvent("start", self._short(name), short))

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._events.append(XmlEvent("end", self._short(name), _NONE))

    def _text(self, data: str) -> None:
        self._events.append(XmlEvent("text", data, _NONE))

    def _short(self, name: str) -> str:
        short = self._names.get(name)
        if short is None:
            short = _shorten(name)
            if len(self._names) < _DEEPEST:
                self._names[name] = short
        return short


def _shorten(name: str) -> str:
    space, _, local = name.rpartition(_SEPARATOR)
    if not space:
        return local
    prefix = next((prefix for mark, prefix in _PREFIXES if mark in space), None)
    return f"{prefix}:{local}" if prefix else local
