"""Semantic Scholar (api.semanticscholar.org): without a key a pool shared with everybody, so often 429."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from leadline.errors import ProviderBroken, ProviderFailed
from leadline.scholar.types import Ask, abstract, names, plain, web, whole, within, year_of
from leadline.wire.http import Reply, Request
from leadline.wire.papers import Paper, arxiv_of, doi_of
from leadline.wire.service import failure_of, json_object, objects

_FIELDS: Final = "title,abstract,year,publicationDate,venue,authors,externalIds,openAccessPdf,citationCount,url"
_PAGE: Final = "https://www.semanticscholar.org/paper/"


class SemanticScholar:
    """GET /graph/v1/paper/search with `x-api-key`."""

    name: ClassVar[str] = "semanticscholar"
    rate: ClassVar[float] = 1.0
    ignores: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, base_url: str = "https://api.semanticscholar.org") -> None:
        self._base_url = base_url.rstrip("/")

    def request(self, ask: Ask) -> Request:
        """See `Source.request`."""
        params = {"query": ask.query.text, "limit": str(min(100, ask.query.limit)), "fields": _FIELDS}
        if ask.first or ask.last:
            params["publicationDateOrYear"] = f"{ask.first or ''}:{ask.last or ''}"
        headers = {"x-api-key": ask.key} if ask.key else {}
        return Request(url=f"{self._base_url}/graph/v1/paper/search", params=params, headers=headers)

    def read(self, reply: Reply) -> Sequence[Paper]:
        """See `Source.read`; a search without any match has a total and no `data`."""
        value = json_object(self.name, reply)
        if "data" not in value and value.get("total") != 0:
            raise ProviderBroken(f"`{self.name}` answered JSON without `data`")
        works = objects(self.name, value.get("data"), at="data")
        return [paper for work in works if (paper := self._paper(work)) is not None]

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """See `Source.failure`."""
        return failure_of(self.name, reply)

    def _paper(self, work: dict[str, Any]) -> Paper | None:
        id, title = plain(work.get("paperId")), plain(work.get("title"))
        if not id or not title:
            return None
        pdf = web(within(work, "openAccessPdf", "url"))
        return Paper(
            title=title,
            uri=web(work.get("url")) or _PAGE + id,
            authors=names(work.get("authors"), "name"),
            year=year_of(work.get("year")),
            published=plain(work.get("publicationDate")) or None,
            venue=plain(work.get("venue")),
            abstract=abstract(work.get("abstract")),
            citations=whole(work.get("citationCount")),
            doi=doi_of(within(work, "externalIds", "DOI")),
            arxiv=arxiv_of(within(work, "externalIds", "ArXiv")),
            pdf=pdf,
            providers=(self.name,),
        )
