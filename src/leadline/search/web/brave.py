"""Brave: an index of its own (api.search.brave.com)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from leadline.errors import ProviderBroken, ProviderFailed
from leadline.search.web.types import Ask, Item, with_sites
from leadline.wire.http import Reply, Request
from leadline.wire.service import failure_of, json_object, objects, text_of

_FIRST: Final = "1970-01-01"
_LAST: Final = "2999-12-31"
# What Brave calls the languages whose code it does not take as it is.
_LANGUAGES: Final = (("zh", "zh-hans"), ("ja", "jp"), ("pt", "pt-br"))
# Countries that it knows; for all others it is asked for the whole world.
_COUNTRIES: Final = frozenset({"us", "cn", "de", "fr", "es", "it", "br", "jp", "kr", "ru", "sa", "in"})


class Brave:
    """GET /res/v1/web/search with `X-Subscription-Token`; at most 20 results."""

    name: ClassVar[str] = "brave"
    rate: ClassVar[float] = 1.0
    ignores: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, base_url: str = "https://api.search.brave.com") -> None:
        self._base_url = base_url.rstrip("/")

    def request(self, ask: Ask) -> Request:
        """See `Provider.request`."""
        language, country = ask.place
        params = {
            "q": with_sites(ask.query),
            "count": str(min(20, ask.query.limit)),
            "search_lang": next((own for known, own in _LANGUAGES if known == language), language),
            "country": country if country in _COUNTRIES else "ALL",
            "text_decorations": "false",
        }
        if ask.first or ask.last:
            params["freshness"] = f"{ask.first or _FIRST}to{ask.last or _LAST}"
        headers = {"X-Subscription-Token": ask.key or "", "Accept": "application/json"}
        return Request(url=f"{self._base_url}/res/v1/web/search", params=params, headers=headers)

    def read(self, reply: Reply) -> Sequence[Item]:
        """See `Provider.read`; where nothing was found there is no `web`."""
        value = json_object(self.name, reply)
        web = value.get("web")
        if web is None and value.get("type") != "search":
            raise ProviderBroken(f"`{self.name}` answered JSON without `web`")
        results = web.get("results") if isinstance(web, dict) else None
        return [
            Item(
                text_of(one.get("url")),
                text_of(one.get("title")),
                text_of(one.get("description")),
                one.get("page_age") or one.get("age"),
            )
            for one in objects(self.name, results, at="web.results")
        ]

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """See `Provider.failure`."""
        return failure_of(self.name, reply)
