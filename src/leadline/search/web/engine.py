"""The one class around every provider that speaks HTTP: turns, keys, filters, typed results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from html import unescape
from typing import Final
from urllib.parse import urlsplit

from leadline.domain import Hit
from leadline.errors import ProviderFailed
from leadline.ports import Found, Query
from leadline.search.web.places import place_of
from leadline.search.web.published import iso_date
from leadline.search.web.types import Ask, Item, Provider
from leadline.wire.http import Http, Reply, Request
from leadline.wire.keys import KeyRing
from leadline.wire.queries import asked_filters, days_of
from leadline.wire.service import Service, Turns

_MOST_QUERY: Final = 400
_MOST_TEXT: Final = 2_000


class WebSearch:
    """`Search` over one provider.

    What a provider cannot filter is filtered here as far as the results tell: by host always, by
    date where one is known. The reply's `ignored` names what may still be wrong.
    """

    def __init__(
        self,
        provider: Provider,
        http: Http,
        *,
        now: Callable[[], float],
        keys: KeyRing | None = None,
        turns: Turns | None = None,
        seconds: float = 10.0,
    ) -> None:
        self._provider = provider
        self._now = now
        self._service = Service(
            provider.name,
            http,
            keys=keys,
            turns=turns,
            seconds=seconds,
            verdict=lambda _name, reply: self._judge(reply),
        )

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._provider.name

    async def search(self, query: Query, *, deadline: float) -> Found:
        """See `ports.Search`. Raises `ProviderFailed` subclasses, `LimitReached`; never returns nothing for failed."""
        text = " ".join(query.text.replace("\x00", " ").encode("utf-8", "replace").decode().split())[:_MOST_QUERY]
        if not text or query.limit < 1:
            return Found(hits=())
        query = replace(query, text=text)
        first, last = days_of(query)

        def build(key: str | None) -> Request:
            ask = Ask(query=query, place=place_of(text, query.language), key=key, first=first, last=last)
            return self._provider.request(ask)

        reply = await self._service.ask(build, deadline=deadline)
        items = self._provider.read(reply)
        hits = hits_of(items, query, provider=self.name, now=self._now())
        return Found(hits=hits, ignored=tuple(sorted(self._provider.ignores & asked_filters(query))))

    def _judge(self, reply: Reply) -> ProviderFailed | None:
        return self._provider.failure(reply)


def hits_of(items: Iterable[Item], query: Query, *, provider: str, now: float) -> tuple[Hit, ...]:
    """Return the hits that fit a query, ranked from 1, an address once."""
    hits: dict[str, Hit] = {}
    for item in items:
        published = iso_date(item.published, now=now)
        uri = item.uri.strip()
        if uri in hits or not _is_page(uri) or not _fits(uri, published, query):
            continue
        hits[uri] = Hit(
            uri=uri,
            title=_plain(item.title),
            snippet=_plain(item.snippet),
            provider=provider,
            rank=len(hits) + 1,
            published=published,
        )
        if len(hits) == query.limit:
            break
    return tuple(hits.values())


def _plain(text: str) -> str:
    """Return a title or snippet as people read it: many providers pass on what pages have escaped.

    What comes out is a stranger's text, as what went in: whoever shows it makes it inert.
    """
    return " ".join(unescape(text[: 4 * _MOST_TEXT]).split())[:_MOST_TEXT]


def _is_page(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        return parts.scheme.lower() in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def _fits(uri: str, published: str | None, query: Query) -> bool:
    host = urlsplit(uri).hostname or ""
    if query.sites and not any(_within(host, site) for site in query.sites):
        return False
    if any(_within(host, site) for site in query.exclude):
        return False
    if published is None:
        return True
    first, last = days_of(query)
    return (first is None or published >= first[: len(published)]) and (last is None or published[:10] <= last)


def _within(host: str, site: str) -> bool:
    domain = site.lower().removeprefix("www.").partition("/")[0]
    return host == domain or host.endswith(f".{domain}")
