"""Jina: search for language models (s.jina.ai)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from leadline.errors import ProviderBroken, ProviderFailed
from leadline.search.web.types import Ask, Item, with_sites
from leadline.wire.http import Reply, Request
from leadline.wire.service import failure_of, json_object, objects, text_of


class Jina:
    """GET /?q= with a bearer key, results without their pages; no dates can be asked for."""

    name: ClassVar[str] = "jina"
    rate: ClassVar[float] = 1.5
    ignores: ClassVar[frozenset[str]] = frozenset({"since", "year"})

    def __init__(self, base_url: str = "https://s.jina.ai") -> None:
        self._base_url = base_url.rstrip("/")

    def request(self, ask: Ask) -> Request:
        """See `Provider.request`."""
        params = {
            "q": with_sites(ask.query),
            "num": str(min(20, ask.query.limit)),
            "gl": ask.place.country.upper(),
            "hl": ask.place.language,
        }
        headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {ask.key}",
            "X-Respond-With": "no-content",
        }
        return Request(url=f"{self._base_url}/", params=params, headers=headers)

    def read(self, reply: Reply) -> Sequence[Item]:
        """See `Provider.read`."""
        value = json_object(self.name, reply)
        if "data" not in value:
            raise ProviderBroken(f"`{self.name}` answered JSON without `data`")
        return [
            Item(
                text_of(one.get("url")),
                text_of(one.get("title")),
                text_of(one.get("description")) or text_of(one.get("content"))[:1_000],
                one.get("date") or one.get("publishedTime"),
            )
            for one in objects(self.name, value["data"], at="data")
        ]

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """See `Provider.failure`."""
        return failure_of(self.name, reply)
