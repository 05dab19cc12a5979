"""What Office formats share: relations between parts, and the document's own properties."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadline.errors import BrokenDocument
from leadline.extract.builder import authors_of, one_line
from leadline.extract.html_meta import iso_date
from leadline.extract.safexml import xml_events

if TYPE_CHECKING:
    from leadline.extract.safezip import SafeZip

_CORE: Final = "docProps/core.xml"
_MOST_RELATIONS: Final = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """One relation. kind: last word of its type; target: part name, or a URL if external."""

    id: str
    kind: str
    target: str
    external: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Properties:
    """Title, authors, date and language from the core properties."""

    title: str | None = None
    authors: tuple[str, ...] = ()
    published: str | None = None
    language: str | None = None


def relations(archive: SafeZip, part: str) -> dict[str, Relation]:
    """Read the relations of a part by id; empty where it has none. `""` is the package itself."""
    folder, name = posixpath.split(part)
    source = posixpath.join(folder, "_rels", f"{name}.rels")
    if source not in archive:
        return {}
    found: dict[str, Relation] = {}
    for event in xml_events(archive.chunks(source)):
        if event.kind != "start" or not event.name.endswith("Relationship") or len(found) >= _MOST_RELATIONS:
            continue
        facts = event.attributes
        external = facts.get("TargetMode") == "External"
        target = facts.get("Target", "")
        found[facts.get("Id", "")] = Relation(
            id=facts.get("Id", ""),
            kind=facts.get("Type", "").rpartition("/")[2],
            target=target if external else _resolve(folder, target),
            external=external,
        )
    return found


def main_part(archive: SafeZip, fallback: str) -> str:
    """Name the part that the package calls its document."""
    for relation in relations(archive, "").values():
        if relation.kind == "officeDocument" and relation.target in archive:
            return relation.target
    if fallback in archive:
        return fallback
    msg = f"the archive has no part `{fallback}`: it is no such document, or cut off"
    raise BrokenDocument(msg)


def properties(archive: SafeZip) -> Properties:
    """Read the core properties; a damaged part counts as none."""
    if _CORE not in archive:
        return Properties()
    values: dict[str, str] = {}
    key = ""
    try:
        for event in xml_events(archive.chunks(_CORE)):
            if event.kind == "text" and key:
                values[key] = values.get(key, "") + event.name
            key = event.name if event.kind == "start" else key if event.kind == "text" else ""
    except BrokenDocument:
        return Properties()
    creator = values.get("dc:creator", "")
    authors = authors_of(creator.split(";"))
    # Beside a program's name stands the day its template was made.
    created = "" if creator.strip() and not authors else values.get("dcterms:created", "")
    return Properties(
        title=one_line(values.get("dc:title", ""), 500) or None,
        authors=authors,
        published=iso_date(created),
        language=values.get("dc:language", "").strip().lower() or None,
    )


def _resolve(folder: str, target: str) -> str:
    if target.startswith("/"):
        return target.lstrip("/")
    return posixpath.normpath(posixpath.join(folder, target))
