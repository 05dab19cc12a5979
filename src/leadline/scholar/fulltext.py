"""Where anybody may read a work: on arXiv, or where Unpaywall knows a free copy."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar
from urllib.parse import quote

from leadline.errors import NotFound, ProviderFailed
from leadline.scholar.types import web, within
from leadline.wire.http import Http, Reply, Request
from leadline.wire.papers import Paper
from leadline.wire.service import Service, Turns, failure_of, json_object


class Unpaywall:
    """GET /v2/{doi}?email=; it wants a real address of mail and allows 100,000 a day."""

    name: ClassVar[str] = "unpaywall"
    rate: ClassVar[float] = 10.0

    def __init__(
        self, http: Http, *, contact: str, base_url: str = "https://api.unpaywall.org", turns: Turns | None = None
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._contact = contact
        self._service = Service(self.name, http, turns=turns, seconds=5.0, verdict=_verdict)

    async def pdf(self, doi: str, *, deadline: float) -> str | None:
        """Return the address of a free copy, `None` where there is none. Raises `ProviderFailed`."""
        request = Request(url=f"{self._base_url}/v2/{quote(doi, safe='/')}", params={"email": self._contact})
        reply = await self._service.ask(lambda _key: request, deadline=deadline)
        try:
            best = within(_found(reply), "best_oa_location")
        except NotFound:
            return None
        return web(within(best, "url_for_pdf")) or web(within(best, "url"))


def with_arxiv(paper: Paper) -> Paper:
    """Return the work with its copy on arXiv, if it has no other."""
    if paper.pdf is None and paper.arxiv is not None:
        return replace(paper, pdf=f"https://arxiv.org/pdf/{paper.arxiv}")
    return paper


def _verdict(service: str, reply: Reply) -> ProviderFailed | None:
    return None if reply.status == 404 else failure_of(service, reply)


def _found(reply: Reply) -> dict[str, object]:
    if reply.status == 404:
        raise NotFound("Unpaywall does not know this DOI")
    return json_object(Unpaywall.name, reply)
