"""E-books (EPUB 2 and 3): the chapters in reading order."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from leadline.errors import BrokenDocument, EncryptedDocument
from leadline.extract.builder import TextBuilder, one_line
from leadline.extract.html import html_reader, render_part
from leadline.extract.html_meta import iso_date
from leadline.extract.safexml import xml_events
from leadline.extract.safezip import SafeZip
from leadline.extract.work import Job, Parsed

if TYPE_CHECKING:
    from leadline.extract.safexml import XmlEvent

_CONTAINER: Final = "META-INF/container.xml"
_ENCRYPTION: Final = "META-INF/encryption.xml"
_CHAPTERS: Final = frozenset({"application/xhtml+xml", "text/html", "application/xml", "text/xml"})


@dataclass(slots=True)
class _Package:
    """What the package document says: facts, parts by id, and the ids in reading order."""

    facts: dict[str, list[str]] = field(default_factory=dict)
    parts: dict[str, tuple[str, str]] = field(default_factory=dict)
    spine: list[str] = field(default_factory=list)

    def first(self, name: str) -> str:
        return next(iter(self.facts.get(name, ())), "")


def parse_epub(job: Job) -> Parsed:
    """Read a book; raises `EncryptedDocument` where its chapters are locked."""
    archive = SafeZip(job.raw, job.limits)
    path = _package_path(archive)
    package = _read_package(archive, path)
    locked = _locked(archive)
    out = TextBuilder(job.limits.chars)
    missing = 0
    for number, chapter in enumerate(_chapters(package, posixpath.dirname(path)), 1):
        if chapter in locked:
            msg = "the book's chapters are encrypted (DRM)"
            raise EncryptedDocument(msg)
        if chapter not in archive:
            missing += 1
        elif not out.full:
            out.new_part("part", str(number))
            render_part(archive.read(chapter), out)
    return Parsed.of(
        out,
        title=one_line(package.first("dc:title"), 500) or None,
        authors=tuple(one_line(name) for name in package.facts.get("dc:creator", [])),
        published=iso_date(package.first("dc:date")),
        language=package.first("dc:language").strip().lower() or None,
        reader=html_reader(),
        warnings=(f"{missing} chapters are missing from the file",) if missing else (),
    )


def _package_path(archive: SafeZip) -> str:
    for event in xml_events(archive.chunks(_CONTAINER)):
        if event.kind == "start" and event.name.endswith("rootfile"):
            return event.attributes.get("full-path", "")
    msg = "its container names no package document"
    raise BrokenDocument(msg)


def _read_package(archive: SafeZip, path: str) -> _Package:
    package = _Package()
    fact = ""
    for event in xml_events(archive.chunks(path)):
        if event.kind == "start":
            fact = event.name if event.name.startswith("dc:") else ""
            _take(package, event)
        elif event.kind == "text" and fact:
            package.facts.setdefault(fact, []).append(event.name)
        else:
            fact = ""
    return package


def _take(package: _Package, event: XmlEvent) -> None:
    facts = event.attributes
    if event.name == "item":
        package.parts[facts.get("id", "")] = (facts.get("href", ""), facts.get("media-type", ""))
    elif event.name == "itemref":
        package.spine.append(facts.get("idref", ""))


def _chapters(package: _Package, folder: str) -> list[str]:
    found = []
    for idref in package.spine:
        href, kind = package.parts.get(idref, ("", ""))
        if kind in _CHAPTERS:
            found.append(posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0]))))
    return list(dict.fromkeys(found))


def _locked(archive: SafeZip) -> frozenset[str]:
    """Name the encrypted parts; obfuscated fonts are among them and harmless."""
    if _ENCRYPTION not in archive:
        return frozenset()
    return frozenset(
        unquote(event.attributes.get("URI", ""))
        for event in xml_events(archive.chunks(_ENCRYPTION))
        if event.kind == "start" and event.name.endswith("CipherReference")
    )
