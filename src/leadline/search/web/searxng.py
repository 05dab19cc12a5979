"""SearXNG: a metasearch of one's own; its settings must allow the format `json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from leadline.errors import ProviderBroken, ProviderDenied, ProviderFailed
from leadline.search.web.types import Ask, Item, with_sites
from leadline.wire.http import Reply, Request
from leadline.wire.service import failure_of, json_object, objects, text_of


class SearxNG:
    """GET /search?format=json. It knows only spans that end today, so dates are filtered by its results."""

    name: ClassVar[str] = "searxng"
    rate: ClassVar[float] = 2.0
    ignores: ClassVar[frozenset[str]] = frozenset({"since", "year"})

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")

    def request(self, ask: Ask) -> Request:
        """See `Provider.request`."""
        language, country = ask.place
        params = {
            "q": with_sites(ask.query),
            "format": "json",
            "language": f"{language}-{country.upper()}",
            "safesearch": "0",
        }
        headers = {"Authorization": f"Bearer {ask.key}"} if ask.key else {}
        return Request(url=f"{self._base_url}/search", params=params, headers=headers)

    def read(self, reply: Reply) -> Sequence[Item]:
        """See `Provider.read`; nothing found while engines failed is a failure."""
        value = json_object(self.name, reply)
        if "results" not in value:
            raise ProviderBroken(f"`{self.name}` answered JSON without `results`")
        results = objects(self.name, value["results"], at="results")
        silent = value.get("unresponsive_engines")
        if not results and isinstance(silent, list) and silent:
            raise ProviderBroken(f"`{self.name}` found nothing while {len(silent)} of its engines did not answer")
        return [
            Item(
                text_of(one.get("url")),
                text_of(one.get("title")),
                text_of(one.get("content")),
                one.get("publishedDate"),
            )
            for one in results
        ]

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """See `Provider.failure`: 403 means that the format is switched off."""
        if reply.status == 403:
            return ProviderDenied(f"`{self.name}` answered 403; allow `json` under `search: formats:` in its settings")
        return failure_of(self.name, reply)
