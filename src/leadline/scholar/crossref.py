"""Crossref: what publishers register with their DOIs (api.crossref.org)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from leadline.errors import ProviderBroken, ProviderFailed
from leadline.scholar.types import Ask, abstract, plain, web, whole, within, year_of
from leadline.wire.http import Reply, Request
from leadline.wire.papers import Paper, arxiv_of, doi_of
from leadline.wire.service import failure_of, json_object, objects, text_of

_FIELDS: Final = "DOI,title,author,issued,container-title,abstract,is-referenced-by-count,URL,type"
_MOST_AUTHORS: Final = 100


class Crossref:
    """GET /works?query=; an address of mail brings its better served pool."""

    name: ClassVar[str] = "crossref"
    rate: ClassVar[float] = 5.0
    ignores: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, base_url: str = "https://api.crossref.org", *, contact: str | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._contact = contact

    def request(self, ask: Ask) -> Request:
        """See `Source.request`."""
        params = {"query.bibliographic": ask.query.text, "rows": str(min(100, ask.query.limit)), "select": _FIELDS}
        bounds = (("from-pub-date", ask.first), ("until-pub-date", ask.last))
        days = [f"{name}:{day}" for name, day in bounds if day]
        if days:
            params["filter"] = ",".join(days)
        if self._contact:
            params["mailto"] = self._contact
        headers = {"Crossref-Plus-API-Token": f"Bearer {ask.key}"} if ask.key else {}
        return Request(url=f"{self._base_url}/works", params=params, headers=headers)

    def read(self, reply: Reply) -> Sequence[Paper]:
        """See `Source.read`."""
        message = json_object(self.name, reply).get("message")
        if not isinstance(message, dict) or "items" not in message:
            raise ProviderBroken(f"`{self.name}` answered JSON without `message.items`")
        works = objects(self.name, message["items"], at="message.items")
        return [paper for work in works if (paper := self._paper(work)) is not None]

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """See `Source.failure`."""
        return failure_of(self.name, reply)

    def _paper(self, work: dict[str, Any]) -> Paper | None:
        doi = doi_of(work.get("DOI"))
        if doi is None:
            return None
        published = _date(within(work, "issued", "date-parts"))
        return Paper(
            title=_first(work.get("title")),
            uri=web(work.get("URL")) or f"https://doi.org/{doi}",
            authors=_authors(work.get("author")),
            year=year_of(published[:4]) if published else None,
            published=published,
            venue=_first(work.get("container-title")),
            abstract=abstract(work.get("abstract")),
            citations=whole(work.get("is-referenced-by-count")),
            doi=doi,
            arxiv=arxiv_of(doi),
            providers=(self.name,),
        )


def _first(values: object) -> str:
    return plain(values[0]) if isinstance(values, list) and values else ""


def _authors(values: object) -> tuple[str, ...]:
    people = [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []
    named = (
        plain(f"{text_of(one.get('given'))} {text_of(one.get('family'))}") or plain(one.get("name"))
        for one in people[:_MOST_AUTHORS]
    )
    return tuple(filter(None, named))


def _date(parts: object) -> str | None:
    """Return the ISO date of `[[2022, 5, 30]]`, which may be shorter or hold nulls."""
    first = parts[0] if isinstance(parts, list) and parts else None
    numbers = [part for part in (first if isinstance(first, list) else []) if isinstance(part, int) and part > 0]
    return "-".join(f"{number:0{width}}" for number, width in zip(numbers, (4, 2, 2), strict=False)) or None
