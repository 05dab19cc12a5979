"""Search and scholarly services whose answers are kept, each service by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Final

from leadline import codec
from leadline.cache.keys import key
from leadline.cache.tiered import TieredCache
from leadline.cache.types import Cached, Category, Loaded, Told
from leadline.domain import Json
from leadline.errors import ProviderUnavailable
from leadline.ports import Found, Query, Search
from leadline.wire.papers import Copies, Listed, Paper, Works

VERSION: Final = 1
"""Raised when what is made of a provider's reply changes."""


class CachedSearch:
    """`Search` through the cache.

    `address` tells two services of one name apart. What a public service says to the operator's
    own key is the same for every tenant, so the answers are public; where they are not, name the
    `tenant`. `told` hears where each answer came from. An answer from the cache cost nothing: who
    caused a load pays for it. `before` is for warming, see `TieredCache.through`.
    """

    def __init__(
        self,
        search: Search,
        cache: TieredCache,
        *,
        address: str = "",
        tenant: str | None = None,
        told: Told | None = None,
        before: float = 0.0,
    ) -> None:
        self._search = search
        self._cache = cache
        self._address = address
        self._tenant = tenant
        self._told = told
        self._before = before

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._search.name

    async def search(self, query: Query, *, deadline: float) -> Found:
        """See `ports.Search`."""
        paid: list[float] = []

        async def load() -> Loaded:
            found = await self._search.search(query, deadline=deadline)
            paid.append(found.usd)
            return Loaded(codec.encode(replace(found, usd=0.0)), negative=not found.hits)

        asked = key(Category.SEARCH, _request(self.name, self._address, query), tenant=self._tenant)
        label = f"{self.name} {query.text}"
        cached = await _in_time(self._cache.through(asked, load, label=label, before=self._before), self.name, deadline)
        if self._told is not None:
            self._told(Category.SEARCH, cached)
        return replace(codec.decode(Found, cached.body), usd=sum(paid))


@dataclass(frozen=True, slots=True)
class _Papers:
    """Works as they are kept."""

    papers: tuple[Paper, ...]


class CachedWorks:
    """A scholarly service through the cache; see `CachedSearch`."""

    def __init__(
        self,
        works: Works,
        cache: TieredCache,
        *,
        address: str = "",
        tenant: str | None = None,
        told: Told | None = None,
    ) -> None:
        self._works = works
        self._cache = cache
        self._address = address
        self._tenant = tenant
        self._told = told

    @property
    def name(self) -> str:
        """The service's name."""
        return self._works.name

    def ignored(self, query: Query) -> frozenset[str]:
        """See `Works.ignored`."""
        return self._works.ignored(query)

    async def papers(self, query: Query, *, deadline: float) -> Listed:
        """See `Works.papers`."""
        paid: list[float] = []

        async def load() -> Loaded:
            listed = await self._works.papers(query, deadline=deadline)
            paid.append(listed.usd)
            return Loaded(codec.encode(_Papers(listed.papers)), negative=not listed.papers)

        asked = key(Category.SCHOLAR, _request(self.name, self._address, query), tenant=self._tenant)
        label = f"{self.name} {query.text}"
        cached = await _in_time(self._cache.through(asked, load, label=label), self.name, deadline)
        if self._told is not None:
            self._told(Category.SCHOLAR, cached)
        return Listed(papers=codec.decode(_Papers, cached.body).papers, usd=sum(paid))


class CachedCopies:
    """Free copies of works, by DOI, through the cache."""

    name: Final = "copies"

    def __init__(self, copies: Copies, cache: TieredCache) -> None:
        self._copies = copies
        self._cache = cache

    async def pdf(self, doi: str, *, deadline: float) -> str | None:
        """See `Copies.pdf`."""

        async def load() -> Loaded:
            found = await self._copies.pdf(doi, deadline=deadline)
            return Loaded((found or "").encode(), negative=found is None)

        asked = key(Category.SCHOLAR, {"what": self.name, "doi": doi, "version": VERSION}, tenant=None)
        cached = await _in_time(self._cache.through(asked, load, label=f"{self.name} {doi}"), self.name, deadline)
        return cached.body.decode() or None


def _request(name: str, address: str, query: Query) -> dict[str, Json]:
    """Return what decides the answer to a query at a service: every field of it."""
    return {
        "service": name,
        "address": address,
        "query": " ".join(query.text.split()),
        "limit": query.limit,
        "language": query.language,
        "sites": [*sorted(set(query.sites))],
        "exclude": [*sorted(set(query.exclude))],
        "since": query.since,
        "year": query.year,
        "version": VERSION,
    }


async def _in_time(answer: Awaitable[Cached], name: str, deadline: float) -> Cached:
    """Return the answer; who joined another's load waits no longer than it may itself."""
    try:
        async with asyncio.timeout(deadline):
            return await answer
    except TimeoutError as error:
        raise ProviderUnavailable(f"`{name}` did not answer within {deadline:.3g} s") from error
