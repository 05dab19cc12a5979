"""Serper's view of Google Scholar (google.serper.dev/scholar)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from leadline.errors import ProviderBroken, ProviderDenied, ProviderFailed
from leadline.scholar.types import Ask, abstract, plain, web, whole, year_of
from leadline.wire.http import Reply, Request
from leadline.wire.papers import Paper, arxiv_of, doi_of
from leadline.wire.service import failure_of, json_object, objects

_YEAR: Final = re.compile(r"\b(1[5-9]\d\d|20\d\d)\b")


class SerperScholar:
    """POST /scholar with `X-API-KEY`; any field but the title may be missing."""

    name: ClassVar[str] = "serper_scholar"
    rate: ClassVar[float] = 10.0
    ignores: ClassVar[frozenset[str]] = frozenset({"since"})

    def __init__(self, base_url: str = "https://google.serper.dev") -> None:
        self._base_url = base_url.rstrip("/")

    def request(self, ask: Ask) -> Request:
        """See `Source.request`; it filters by whole years."""
        body: dict[str, Any] = {"q": ask.query.text, "num": min(20, ask.query.limit)}
        if ask.first:
            body["as_ylo"] = int(ask.first[:4])
        if ask.last:
            body["as_yhi"] = int(ask.last[:4])
        return Request(method="POST", url=f"{self._base_url}/scholar", headers={"X-API-KEY": ask.key or ""}, json=body)

    def read(self, reply: Reply) -> Sequence[Paper]:
        """See `Source.read`."""
        value = json_object(self.name, reply)
        if "organic" not in value and "searchParameters" not in value:
            raise ProviderBroken(f"`{self.name}` answered JSON without `organic`")
        works = objects(self.name, value.get("organic"), at="organic")
        return [paper for work in works if (paper := self._paper(work)) is not None]

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """See `Source.failure`: used-up credit comes as a 400."""
        known = failure_of(self.name, reply)
        if isinstance(known, ProviderBroken) and reply.status == 400 and b'"Not enough credits"' in reply.body:
            return ProviderDenied(f"`{self.name}` says that the key's credit is used up")
        return known

    def _paper(self, work: dict[str, Any]) -> Paper | None:
        title, uri, pdf = plain(work.get("title")), web(work.get("link")), web(work.get("pdfUrl"))
        page = uri or pdf
        if not title or page is None:
            return None
        authors, venue, told_year = _publication(plain(work.get("publicationInfo")))
        return Paper(
            title=title,
            uri=page,
            authors=authors,
            year=year_of(work.get("year")) or told_year,
            venue=venue,
            abstract=abstract(work.get("snippet")),
            citations=whole(work.get("citedBy")),
            doi=doi_of(page) or doi_of(pdf),
            arxiv=arxiv_of(page) or arxiv_of(pdf),
            pdf=pdf,
            providers=(self.name,),
        )


def _publication(info: str) -> tuple[tuple[str, ...], str, int | None]:
    """Return authors, venue and year of `A Vaswani, N Shazeer… - Advances in …, 2017 - publisher`."""
    parts = info.split(" - ")
    authors = tuple(name.strip(" …") for name in parts[0].split(",") if name.strip(" …")) if len(parts) > 1 else ()
    middle = parts[1] if len(parts) > 2 else ""
    years = _YEAR.findall(info)
    return authors, _YEAR.sub("", middle).strip(" ,…"), int(years[-1]) if years else None
