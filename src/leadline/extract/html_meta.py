"""Title, authors, date and language that a page states about itself."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from leadline.extract.builder import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selectolax.lexbor import LexborHTMLParser

_TITLES: Final = ("citation_title", "og:title", "dc.title", "twitter:title")
_AUTHORS: Final = (
    "citation_author",
    "author",
    "dc.creator",
    "dcterms.creator",
    "article:author",
    "parsely-author",
)
_DATES: Final = (
    "citation_publication_date",
    "citation_date",
    "article:published_time",
    "og:published_time",
    "datepublished",
    "dc.date.issued",
    "dcterms.issued",
    "dc.date",
    "dcterms.created",
    "parsely-pub-date",
    "publish-date",
    "pubdate",
    "date",
)
_NUMERIC: Final = re.compile(r"(?<!\d)(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})(?!\d)")
_COMPACT: Final = re.compile(r"^(\d{4})(\d{2})(\d{2})(?:T|\b)")
_LANGUAGE: Final = re.compile(r"^[a-z]{2,3}(?:[-_][a-z0-9]{2,8}){0,3}$", re.IGNORECASE)
_LONGEST_JSON: Final = 500_000
_MOST_AUTHORS: Final = 50
_MOST_NODES: Final = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class PageFacts:
    """What a page says about itself; absent where it says nothing usable."""

    title: str | None
    authors: tuple[str, ...]
    published: str | None
    language: str | None


def page_facts(tree: LexborHTMLParser) -> PageFacts:
    """Read the facts from meta elements, JSON-LD and the root element; call before cleaning."""
    meta = _meta(tree)
    linked = tuple(_linked_data(tree))
    titles = [value for key in _TITLES for value in meta.get(key, ())]
    return PageFacts(
        title=_title(tree, titles),
        authors=_authors([*(v for key in _AUTHORS for v in meta.get(key, ())), *_named(linked, "author")]),
        published=_first_date([*(v for key in _DATES for v in meta.get(key, ())), *_dates(linked), *_times(tree)]),
        language=_language(tree, [*meta.get("content-language", ()), *meta.get("og:locale", ())]),
    )


def iso_date(text: str) -> str | None:
    """Read a date in numeric, compact or mail form; `None` where there is none or it cannot be."""
    text = text.strip()[:100]
    found = _NUMERIC.search(text) or _COMPACT.match(text)
    try:
        if found:
            return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
        return parsedate_to_datetime(text).date().isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _meta(tree: LexborHTMLParser) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in tree.css("meta[content]"):
        attributes = node.attributes
        key = attributes.get("name") or attributes.get("property") or attributes.get("itemprop")
        key = key or attributes.get("http-equiv")
        value = one_line(attributes.get("content") or "", 1_000)
        if key and value:
            found.setdefault(key.strip().lower(), []).append(value)
    return found


def _title(tree: LexborHTMLParser, stated: list[str]) -> str | None:
    if stated:
        return stated[0]
    for selector in ("head title", "title", "h1"):
        node = tree.css_first(selector)
        text = one_line(node.text(), 500) if node is not None else ""
        if text:
            return text
    return None


def _authors(stated: list[str]) -> tuple[str, ...]:
    names = (one_line(name, 200) for name in stated if "://" not in name)
    return tuple(dict.fromkeys(name for name in names if name))[:_MOST_AUTHORS]


def _first_date(stated: list[str]) -> str | None:
    return next((found for text in stated if (found := iso_date(text))), None)


def _times(tree: LexborHTMLParser) -> Iterator[str]:
    for node in tree.css("time[pubdate], article time[datetime], [itemprop='datePublished']")[:5]:
        attributes = node.attributes
        yield attributes.get("datetime") or attributes.get("content") or ""


def _language(tree: LexborHTMLParser, stated: list[str]) -> str | None:
    root = tree.root
    attributes = root.attributes if root is not None else {}
    for value in (attributes.get("lang"), attributes.get("xml:lang"), *stated):
        tag = (value or "").strip()
        if _LANGUAGE.match(tag):
            return tag.replace("_", "-").lower()
    return None


def _linked_data(tree: LexborHTMLParser) -> Iterator[dict[str, object]]:
    """Yield the objects of all JSON-LD blocks, `@graph` and lists flattened."""
    for node in tree.css("script[type='application/ld+json']")[:10]:
        text = node.text() or ""
        if len(text) > _LONGEST_JSON:
            continue
        try:
            value = json.loads(text, strict=False)
        except (ValueError, RecursionError):
            continue
        yield from _objects(value)


def _objects(value: object) -> Iterator[dict[str, object]]:
    queue: list[object] = [value]
    for _ in range(_MOST_NODES):
        if not queue:
            return
        item = queue.pop(0)
        if isinstance(item, list):
            queue = [*item[:100], *queue]
        elif isinstance(item, dict):
            yield item
            queue.append(item.get("@graph"))


def _named(linked: tuple[dict[str, object], ...], key: str) -> Iterator[str]:
    for item in linked:
        values = item.get(key)
        for value in values if isinstance(values, list) else [values]:
            name = value.get("name") if isinstance(value, dict) else value
            if isinstance(name, str):
                yield name


def _dates(linked: tuple[dict[str, object], ...]) -> Iterator[str]:
    for item in linked:
        value = item.get("datePublished")
        if isinstance(value, str):
            yield value
