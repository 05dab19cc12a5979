"""Tavily: search made for agents (tavily.com)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from leadline.errors import ProviderBroken, ProviderDenied, ProviderFailed
from leadline.search.web.types import Ask, Item
from leadline.wire.http import Reply, Request
from leadline.wire.service import failure_of, json_object, objects, text_of


class Tavily:
    """POST /search with a bearer key."""

    name: ClassVar[str] = "tavily"
    rate: ClassVar[float] = 5.0
    ignores: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, base_url: str = "https://api.tavily.com") -> None:
        self._base_url = base_url.rstrip("/")

    def request(self, ask: Ask) -> Request:
        """See `Provider.request`."""
        query = ask.query
        body: dict[str, Any] = {"query": query.text, "max_results": min(20, query.limit), "search_depth": "basic"}
        more = {
            "include_domains": list(query.sites),
            "exclude_domains": list(query.exclude),
            "start_date": ask.first,
            "end_date": ask.last,
        }
        body |= {name: value for name, value in more.items() if value}
        headers = {"Authorization": f"Bearer {ask.key}"}
        return Request(method="POST", url=f"{self._base_url}/search", headers=headers, json=body)

    def read(self, reply: Reply) -> Sequence[Item]:
        """See `Provider.read`."""
        value = json_object(self.name, reply)
        if "results" not in value:
            raise ProviderBroken(f"`{self.name}` answered JSON without `results`")
        return [
            Item(
                text_of(one.get("url")),
                text_of(one.get("title")),
                text_of(one.get("content")),
                one.get("published_date"),
            )
            for one in objects(self.name, value["results"], at="results")
        ]

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """See `Provider.failure`: 432 and 433 are the plan's and the account's limits."""
        if reply.status in {432, 433}:
            return ProviderDenied(f"`{self.name}` answered {reply.status}: the plan's quota is used up")
        return failure_of(self.name, reply)
