"""Serper: Google's results as JSON (serper.dev)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, ClassVar

from leadline.errors import ProviderBroken, ProviderDenied, ProviderFailed
from leadline.search.web.types import Ask, Item, with_sites
from leadline.wire.http import Reply, Request
from leadline.wire.service import failure_of, json_object, objects, text_of


class Serper:
    """POST /search with `X-API-KEY`; 10 requests a second."""

    name: ClassVar[str] = "serper"
    rate: ClassVar[float] = 10.0
    ignores: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, base_url: str = "https://google.serper.dev") -> None:
        self._base_url = base_url.rstrip("/")

    def request(self, ask: Ask) -> Request:
        """See `Provider.request`."""
        body: dict[str, Any] = {
            "q": with_sites(ask.query),
            "num": min(100, ask.query.limit),
            "gl": ask.place.country,
            "hl": "zh-cn" if ask.place.language == "zh" else ask.place.language,
        }
        if ask.first or ask.last:
            days = [f"{name}:{_american(day)}" for name, day in (("cd_min", ask.first), ("cd_max", ask.last)) if day]
            body["tbs"] = ",".join(["cdr:1", *days])
        return Request(method="POST", url=f"{self._base_url}/search", headers={"X-API-KEY": ask.key or ""}, json=body)

    def read(self, reply: Reply) -> Sequence[Item]:
        """See `Provider.read`; an answer box with an address comes first."""
        value = json_object(self.name, reply)
        if "organic" not in value and "searchParameters" not in value:
            raise ProviderBroken(f"`{self.name}` answered JSON without `organic`")
        box = value.get("answerBox")
        found = [box] if isinstance(box, dict) and box.get("link") else []
        found += objects(self.name, value.get("organic"), at="organic")
        return [
            Item(
                text_of(one.get("link")),
                text_of(one.get("title")),
                text_of(one.get("snippet")) or text_of(one.get("answer")),
                one.get("date"),
            )
            for one in found
        ]

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """See `Provider.failure`: used-up credit comes as a 400."""
        known = failure_of(self.name, reply)
        if reply.status == 400 and _message(reply) == "Not enough credits":
            return ProviderDenied(f"`{self.name}` says that the key's credit is used up")
        return known


def _american(day: str) -> str:
    at = date.fromisoformat(day)
    return f"{at.month}/{at.day}/{at.year}"


def _message(reply: Reply) -> str:
    try:
        return text_of(json_object("serper", reply).get("message"))
    except ProviderBroken:
        return ""
