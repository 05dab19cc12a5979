"""OpenAlex: works of all fields, CC0 (api.openalex.org); a free key raises what a day allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from leadline.errors import ProviderBroken, ProviderFailed
from leadline.scholar.types import Ask, abstract, names, plain, web, whole, within, year_of
from leadline.wire.http import Reply, Request
from leadline.wire.papers import Paper, arxiv_of, doi_of
from leadline.wire.service import failure_of, json_object, objects

_FIELDS: Final = (
    "id,doi,title,authorships,publication_year,publication_date,primary_location,best_oa_location,locations,"
    "open_access,cited_by_count,abstract_inverted_index"
)
_MOST_WORDS: Final = 3_000


class OpenAlex:
    """GET /works?search=."""

    name: ClassVar[str] = "openalex"
    rate: ClassVar[float] = 5.0
    ignores: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, base_url: str = "https://api.openalex.org", *, contact: str | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._contact = contact

    def request(self, ask: Ask) -> Request:
        """See `Source.request`."""
        params = {"search": ask.query.text, "per-page": str(min(100, ask.query.limit)), "select": _FIELDS}
        days = [f"{name}:{day}" for name, day in (("from", ask.first), ("to", ask.last)) if day]
        if days:
            params["filter"] = ",".join(day.replace(":", "_publication_date:", 1) for day in days)
        more = {"api_key": ask.key, "mailto": self._contact}
        params |= {name: value for name, value in more.items() if value}
        return Request(url=f"{self._base_url}/works", params=params)

    def read(self, reply: Reply) -> Sequence[Paper]:
        """See `Source.read`; a single work is a list of one."""
        value = json_object(self.name, reply)
        if "results" not in value and "id" not in value and "doi" not in value:
            raise ProviderBroken(f"`{self.name}` answered JSON without `results`")
        works = objects(self.name, value["results"], at="results") if "results" in value else [value]
        return [paper for work in works if (paper := self._paper(work)) is not None]

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """See `Source.failure`."""
        return failure_of(self.name, reply)

    def _paper(self, work: dict[str, Any]) -> Paper | None:
        doi, title = doi_of(work.get("doi")), plain(work.get("title"))
        uri = web(work.get("doi")) or web(within(work, "primary_location", "landing_page_url")) or web(work.get("id"))
        if not uri or not (title or doi):
            return None
        places = work.get("locations")
        pages = [within(place, "landing_page_url") for place in places] if isinstance(places, list) else []
        authors = [one.get("author") for one in work.get("authorships") or [] if isinstance(one, dict)]
        return Paper(
            title=title,
            uri=uri,
            authors=names(authors, "display_name"),
            year=year_of(work.get("publication_year")),
            published=plain(work.get("publication_date")) or None,
            venue=plain(within(work, "primary_location", "source", "display_name")),
            abstract=_abstract(work.get("abstract_inverted_index")),
            citations=whole(work.get("cited_by_count")),
            doi=doi,
            arxiv=arxiv_of(doi) or next(filter(None, map(arxiv_of, pages)), None),
            pdf=web(within(work, "best_oa_location", "pdf_url")) or web(within(work, "open_access", "oa_url")),
            providers=(self.name,),
        )


def _abstract(index: object) -> str:
    """Return the text of an index from words to their places."""
    if not isinstance(index, dict):
        return ""
    placed = [
        (place, word)
        for word, places in index.items()
        if isinstance(places, list)
        for place in places
        if isinstance(place, int)
    ]
    return abstract(" ".join(word for _, word in sorted(placed)[:_MOST_WORDS]))
