"""SerpApi and SearchApi: Google's results as JSON, in one shape."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import ClassVar

from leadline.errors import ProviderBroken, ProviderFailed
from leadline.search.web.types import Ask, Item, with_sites
from leadline.wire.http import Reply, Request
from leadline.wire.service import failure_of, json_object, objects, text_of


class SerpApi:
    """GET /search.json?engine=google with a bearer key; SearchApi answers at /api/v1/search."""

    name: ClassVar[str] = "serpapi"
    rate: ClassVar[float] = 2.0
    ignores: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, base_url: str = "https://serpapi.com/search.json") -> None:
        self._url = base_url

    def request(self, ask: Ask) -> Request:
        """See `Provider.request`."""
        params = {
            "engine": "google",
            "q": with_sites(ask.query),
            "num": str(min(100, ask.query.limit)),
            "gl": ask.place.country,
            "hl": "zh-cn" if ask.place.language == "zh" else ask.place.language,
        }
        if ask.first or ask.last:
            days = [
                f"{name}:{date.fromisoformat(day):%m/%d/%Y}"
                for name, day in (("cd_min", ask.first), ("cd_max", ask.last))
                if day
            ]
            params["tbs"] = ",".join(["cdr:1", *days])
        return Request(url=self._url, params=params, headers={"Authorization": f"Bearer {ask.key}"})

    def read(self, reply: Reply) -> Sequence[Item]:
        """See `Provider.read`."""
        value = json_object(self.name, reply)
        if "organic_results" not in value and "search_information" not in value:
            raise ProviderBroken(f"`{self.name}` answered JSON without `organic_results`")
        return [
            Item(text_of(one.get("link")), text_of(one.get("title")), text_of(one.get("snippet")), one.get("date"))
            for one in objects(self.name, value.get("organic_results"), at="organic_results")
        ]

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """See `Provider.failure`."""
        return failure_of(self.name, reply)
