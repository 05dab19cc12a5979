"""The library `ddgs`: result pages of several engines, read without a key; unofficial, may be banned."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from leadline.errors import MissingExtra, ProviderLimited, ProviderUnavailable
from leadline.ports import Found, Query
from leadline.search.web.engine import hits_of
from leadline.search.web.places import place_of
from leadline.search.web.types import Item, with_sites
from leadline.wire.queries import asked_filters, days_of
from leadline.wire.service import NoTurns, Turns, text_of

Texts = Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]]]

# Of the library's engines those that answer web searches with pages; its shared cache stays off.
_BACKENDS: Final = "duckduckgo,brave,mojeek,yahoo"
# What the library raises where it found nothing and nothing failed; it has no type for that.
_NOTHING: Final = ("No results found.",)


class Ddgs:
    """`Search` through the library.

    It brings an HTTP client of its own, so it only ever reaches the outside through `proxy`, the
    guarded one. Its spans of time end today and differ from engine to engine, so dates are not
    asked for. A call that is cancelled goes on in its thread until the library's own time is over.
    """

    name: ClassVar[str] = "ddgs"
    rate: ClassVar[float] = 0.5

    def __init__(
        self,
        *,
        proxy: str,
        now: Callable[[], float],
        turns: Turns | None = None,
        seconds: float = 10.0,
        texts: Texts | None = None,
    ) -> None:
        self._proxy = proxy
        self._now = now
        self._turns = turns or NoTurns()
        self._seconds = seconds
        self._texts = texts or self._library

    async def search(self, query: Query, *, deadline: float) -> Found:
        """See `ports.Search`. Raises `ProviderUnavailable`, `ProviderLimited`, `MissingExtra`."""
        text = " ".join(query.text.replace("\x00", " ").encode("utf-8", "replace").decode().split())
        if not text:
            return Found(hits=())
        language, country = place_of(text, query.language)
        await self._turns.turn("none", deadline=deadline)
        wish = {"query": with_sites(query), "region": f"{country}-{language}", "max_results": query.limit}
        try:
            async with asyncio.timeout(min(self._seconds, deadline)):
                rows = await asyncio.to_thread(self._texts, wish)
        except TimeoutError as error:
            raise ProviderUnavailable(f"`{self.name}` did not answer in time") from error
        items = [Item(text_of(r.get("href")), text_of(r.get("title")), text_of(r.get("body"))) for r in rows]
        hits = hits_of(items, query, provider=self.name, now=self._now())
        dates = frozenset({"since", "year"}) if any(days_of(query)) else frozenset()
        return Found(hits=hits, ignored=tuple(sorted(dates & asked_filters(query))))

    def _library(self, wish: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        try:
            from ddgs import DDGS  # noqa: PLC0415 an extra, and not small
            from ddgs.exceptions import DDGSException, RatelimitException  # noqa: PLC0415 as above
        except ImportError as error:
            raise MissingExtra("`ddgs` needs an extra: pip install 'leadline[ddgs]'") from error
        client = DDGS(proxy=self._proxy, timeout=max(1, int(self._seconds) - 1))
        query = {name: value for name, value in wish.items() if name != "query"}
        try:
            return client.text(wish["query"], safesearch="off", backend=_BACKENDS, **query)
        except RatelimitException as error:
            raise ProviderLimited("`ddgs` was asked to wait by its engines") from error
        except DDGSException as error:
            if error.args == _NOTHING:
                return []
            raise ProviderUnavailable("`ddgs` got no answer from any of its engines") from error
