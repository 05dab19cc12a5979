"""Europe PMC: the life sciences, with full text where it is open (ebi.ac.uk); no key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from leadline.errors import ProviderBroken, ProviderFailed
from leadline.scholar.types import Ask, abstract, names, plain, web, whole, within, year_of
from leadline.wire.http import Reply, Request
from leadline.wire.papers import Paper, arxiv_of, doi_of
from leadline.wire.service import failure_of, json_object, objects

_PAGE: Final = "https://europepmc.org/article/"


class EuropePmc:
    """GET /search with the core fields."""

    name: ClassVar[str] = "europepmc"
    rate: ClassVar[float] = 5.0
    ignores: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, base_url: str = "https://www.ebi.ac.uk/europepmc/webservices/rest") -> None:
        self._base_url = base_url.rstrip("/")

    def request(self, ask: Ask) -> Request:
        """See `Source.request`."""
        query = ask.query.text
        if ask.first or ask.last:
            query = f"({query}) AND FIRST_PDATE:[{ask.first or '1000-01-01'} TO {ask.last or '2999-12-31'}]"
        params = {
            "query": query,
            "format": "json",
            "resultType": "core",
            "pageSize": str(min(100, ask.query.limit)),
        }
        return Request(url=f"{self._base_url}/search", params=params)

    def read(self, reply: Reply) -> Sequence[Paper]:
        """See `Source.read`."""
        value = json_object(self.name, reply)
        found = value.get("resultList")
        if not isinstance(found, dict):
            raise ProviderBroken(f"`{self.name}` answered JSON without `resultList`")
        works = objects(self.name, found.get("result"), at="resultList.result")
        return [paper for work in works if (paper := self._paper(work)) is not None]

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """See `Source.failure`."""
        return failure_of(self.name, reply)

    def _paper(self, work: dict[str, Any]) -> Paper | None:
        id, source, title = (plain(work.get(name)) for name in ("id", "source", "title"))
        if not id or not title:
            return None
        return Paper(
            title=title.removesuffix("."),
            uri=f"{_PAGE}{source or 'MED'}/{id}",
            authors=names(within(work, "authorList", "author"), "fullName"),
            year=year_of(work.get("pubYear")),
            published=plain(work.get("firstPublicationDate")) or None,
            venue=plain(within(work, "journalInfo", "journal", "title")),
            abstract=abstract(work.get("abstractText")),
            citations=whole(work.get("citedByCount")),
            doi=doi_of(work.get("doi")),
            arxiv=arxiv_of(work.get("doi")),
            pdf=_pdf(within(work, "fullTextUrlList", "fullTextUrl")),
            providers=(self.name,),
        )


def _pdf(urls: object) -> str | None:
    places = [one for one in urls if isinstance(one, dict)] if isinstance(urls, list) else []
    free = [one for one in places if one.get("availabilityCode") in {"OA", "F"}]
    return next(
        (web(one.get("url")) for style in ("pdf", "html") for one in free if one.get("documentStyle") == style), None
    )
