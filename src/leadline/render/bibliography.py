"""The sources of a report for reference managers: BibTeX, RIS, and CSL-JSON.

Only what is known is written. A source with a DOI is an article, one on the web a web page, any
other a document. Keys and ids derive from the source alone, so that they stay as reports change.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import orjson

from leadline.domain import Json, Report, Source
from leadline.render.compose import shown
from leadline.render.links import doi, web_address
from leadline.render.people import Person, person
from leadline.telling.addresses import address, name, readable


class Genre(StrEnum):
    """What a source is, in the words of CSL 1.0.2."""

    ARTICLE = "article"
    WEBPAGE = "webpage"
    DOCUMENT = "document"


_BIBTEX: Final[Mapping[Genre, str]] = MappingProxyType(
    {Genre.ARTICLE: "article", Genre.WEBPAGE: "misc", Genre.DOCUMENT: "misc"}
)
_RIS: Final[Mapping[Genre, str]] = MappingProxyType(
    {Genre.ARTICLE: "JOUR", Genre.WEBPAGE: "ELEC", Genre.DOCUMENT: "GEN"}
)
_DATE: Final = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(?![\d-])")
_KEY: Final = re.compile(r"[^a-z0-9]+")
_KEY_ID: Final = 8
_TEX: Final = str.maketrans(
    {
        # Braces by name: BibTeX counts them even behind a backslash.
        "{": r"\textbraceleft{}",
        "}": r"\textbraceright{}",
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{char: f"\\{char}" for char in "$&%#_"},
    }
)
_TEX_ADDRESS: Final = str.maketrans({"{": "%7B", "}": "%7D", "\\": "%5C"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """What is known of a source; dates are year, month, day as far as known."""

    id: str
    genre: Genre
    title: str
    people: tuple[Person, ...]
    issued: tuple[int, ...]
    accessed: tuple[int, ...]
    url: str | None
    doi: str | None
    language: str | None
    place: str  # the address as people read it, where it is not one of the web


def references(report: Report) -> tuple[Reference, ...]:
    """Return the report's sources as references, each with an id of its own."""
    made = [_reference(source) for source in report.sources]
    return tuple(_distinct(made))


def to_bibtex(report: Report) -> str:
    """Return the report's sources as BibTeX in UTF-8: braces balanced, TeX's own characters inert."""
    return "\n".join(map(_bibtex, references(report)))


def to_ris(report: Report) -> str:
    """Return the report's sources as RIS, lines ended as RIS has them."""
    return "".join(f"{tag}  - {value}\r\n" for made in references(report) for tag, value in _ris(made))


def to_csl(report: Report) -> str:
    """Return the report's sources as CSL-JSON: an array of items of schema csl-data."""
    items = [_csl(made) for made in references(report)]
    return orjson.dumps(items, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


# --- what is known ---------------------------------------------------------------------------


def _reference(source: Source) -> Reference:
    uri = address(source)
    known = next(filter(None, map(doi, (uri, source.uri, *source.also))), None)
    url = web_address(uri)
    people = tuple(person(shown(author)) for author in source.authors if shown(author))
    issued = _date(source.published or "")
    return Reference(
        id=_key(source, people, issued),
        genre=Genre.ARTICLE if known else Genre.WEBPAGE if url else Genre.DOCUMENT,
        title=shown(name(source)),
        people=people,
        issued=issued,
        accessed=_date(source.fetched_at),
        url=url,
        doi=None if known is None else shown(known),
        language=shown(source.language) if source.language else None,
        place="" if url else shown(readable(uri)),
    )


def _date(text: str) -> tuple[int, ...]:
    """Return year, month, day of an ISO date as far as it tells them and they can be; nothing for another text."""
    found = _DATE.match(text.strip())
    if found is None:
        return ()
    year, month, day = (int(part or 0) for part in found.groups())
    if not 1 <= month <= 12:
        return (year,)
    return (year, month, day) if 1 <= day <= 31 else (year, month)


def _key(source: Source, people: Sequence[Person], issued: Sequence[int]) -> str:
    """Return a key such as `hertzog2024-1f3a9c42`; `source...` where no name can be written in ASCII."""
    first = unicodedata.normalize("NFKD", people[0].family if people else "")
    word = _KEY.sub("", first.casefold()) if first else ""
    year = str(issued[0]) if issued else ""
    return f"{word[:20] or 'source'}{year}-{source.id.removeprefix('s')[:_KEY_ID]}"


def _distinct(made: Sequence[Reference]) -> Iterator[Reference]:
    """Yield references; of two that have one key the second gets a number, so that none is lost."""
    seen: dict[str, int] = {}
    for each in made:
        count = seen[each.id] = seen.get(each.id, 0) + 1
        yield each if count == 1 else replace(each, id=f"{each.id}-{count}")


# --- forms -----------------------------------------------------------------------------------


def _bibtex(made: Reference) -> str:
    fields = {
        # Double braces: a style must not put names and words of a title in lower case.
        "title": f"{{{made.title.translate(_TEX)}}}",
        "author": " and ".join(each.bibtex.format(*(part.translate(_TEX) for part in each)) for each in made.people),
        "year": f"{made.issued[0]:04d}" if made.issued else "",
        "date": _iso(made.issued),
        "doi": (made.doi or "").translate(_TEX_ADDRESS),
        "url": (made.url or "").translate(_TEX_ADDRESS),
        "urldate": _iso(made.accessed) if made.url else "",
        "howpublished": made.place.translate(_TEX),
        "langid": _TEX_LANGUAGES.get((made.language or "")[:2].lower(), ""),
    }
    lines = "".join(f"  {field} = {{{value}}},\n" for field, value in fields.items() if value)
    return f"@{_BIBTEX[made.genre]}{{{made.id},\n{lines}}}\n"


def _iso(date: Sequence[int]) -> str:
    return "-".join(f"{part:0{4 if at == 0 else 2}d}" for at, part in enumerate(date))


_TEX_LANGUAGES: Final[Mapping[str, str]] = MappingProxyType({"en": "english", "zh": "chinese"})


def _ris(made: Reference) -> Iterator[tuple[str, str]]:
    yield "TY", _RIS[made.genre]
    yield "ID", made.id
    yield "TI", made.title
    yield from (("AU", each.sorted) for each in made.people)
    if made.issued:
        yield "PY", f"{made.issued[0]:04d}"
        yield "DA", _slashed(made.issued)
    if made.doi:
        yield "DO", made.doi
    if made.url:
        yield "UR", made.url
    if made.accessed:
        yield "Y2", _slashed(made.accessed)
    if made.language:
        yield "LA", made.language
    if made.place:
        yield "N1", made.place
    yield "ER", ""


def _slashed(date: Sequence[int]) -> str:
    """Return a date as RIS has it: `YYYY/MM/DD/`, the slashes standing for what is not known."""
    parts = [f"{date[0]:04d}", *(f"{part:02d}" for part in date[1:])]
    return "/".join([*parts, *[""] * (4 - len(parts))])


def _csl(made: Reference) -> dict[str, Json]:
    dates = {"issued": made.issued, "accessed": made.accessed}
    item: dict[str, Json] = {
        "id": made.id,
        "type": made.genre.value,
        "title": made.title,
        "author": [each.csl for each in made.people],
        **{field: {"date-parts": [list(date)]} for field, date in dates.items() if date},
        "DOI": made.doi,
        "URL": made.url,
        "language": made.language,
        "note": made.place,
    }
    return {field: value for field, value in item.items() if value or field == "title"}
