"""Exa: search by meaning (exa.ai)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from leadline.errors import ProviderBroken, ProviderFailed
from leadline.search.web.types import Ask, Item
from leadline.wire.http import Reply, Request
from leadline.wire.service import failure_of, json_object, objects, text_of

_SNIPPET: Final = 1_000


class Exa:
    """POST /search with `x-api-key`."""

    name: ClassVar[str] = "exa"
    rate: ClassVar[float] = 5.0
    ignores: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, base_url: str = "https://api.exa.ai") -> None:
        self._base_url = base_url.rstrip("/")

    def request(self, ask: Ask) -> Request:
        """See `Provider.request`."""
        query = ask.query
        body: dict[str, Any] = {
            "query": query.text,
            "numResults": min(100, query.limit),
            "type": "auto",
            "userLocation": ask.place.country.upper(),
            "contents": {"highlights": True, "text": {"maxCharacters": _SNIPPET}},
        }
        more = {
            "includeDomains": list(query.sites),
            "excludeDomains": list(query.exclude),
            "startPublishedDate": f"{ask.first}T00:00:00.000Z" if ask.first else None,
            "endPublishedDate": f"{ask.last}T23:59:59.999Z" if ask.last else None,
        }
        body |= {name: value for name, value in more.items() if value}
        return Request(method="POST", url=f"{self._base_url}/search", headers={"x-api-key": ask.key or ""}, json=body)

    def read(self, reply: Reply) -> Sequence[Item]:
        """See `Provider.read`."""
        value = json_object(self.name, reply)
        if "results" not in value:
            raise ProviderBroken(f"`{self.name}` answered JSON without `results`")
        return [
            Item(text_of(one.get("url")), text_of(one.get("title")), _snippet(one), one.get("publishedDate"))
            for one in objects(self.name, value["results"], at="results")
        ]

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """See `Provider.failure`."""
        return failure_of(self.name, reply)


def _snippet(one: dict[str, Any]) -> str:
    highlights = one.get("highlights")
    pieces = [text_of(piece) for piece in highlights] if isinstance(highlights, list) else []
    return " … ".join(filter(None, pieces)) or text_of(one.get("text")) or text_of(one.get("summary"))
