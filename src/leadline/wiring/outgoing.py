"""What every outgoing call goes through: one HTTP client, the limits, the cache; opened when first needed."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

from leadline.errors import StoreError
from leadline.ports import Clock, Quiet, Signals
from leadline.resilience import Breaker
from leadline.settings import CachingSettings, Secret, Settings
from leadline.settings.cache import OFF
from leadline.wiring.telemetry import breaker_told, cache_told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis

    from leadline.cache.tiered import TieredCache
    from leadline.cache.types import Category, Policy, Store, Told
    from leadline.limits.turns import ServiceTurns
    from leadline.limits.types import Limiter
    from leadline.wire.http import Http
    from leadline.wire.keys import KeyRing

T = TypeVar("T")

CACHE_UNUSABLE = "cache_unusable"
"""Name of the log line that tells that the cache's file cannot be used."""

MOST_OWN: Final = 2_048
"""Tenants' own keys, one a tenant and provider, of which a process remembers which rest."""

log = logging.getLogger("leadline.wiring.outgoing")


class Outgoing:
    """The client, the limits and the cache of a process; an asynchronous context.

    `signals` hear of what limits, cache and providers do. Each is opened at its first use. At the
    end the cache goes first: what it still loads anew in the background needs the rest.
    """

    def __init__(self, settings: Settings, *, clock: Clock, folder: Path, signals: Signals | None = None) -> None:
        self.signals = signals or Quiet()
        self._settings = settings
        self._clock = clock
        self._folder = folder
        self._lines = AsyncExitStack()
        self._caches = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._http: Http | None = None
        self._limiter: Limiter | None = None
        self._cache: TieredCache | None = None
        self._store: Store | None = None
        self._broken: StoreError | None = None
        self._redis: dict[str, Redis] = {}
        self._keys: dict[tuple[str, ...], KeyRing] = {}
        self._own: OrderedDict[tuple[str, str], tuple[tuple[str, ...], KeyRing]] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._caches.aclose()
        finally:
            await self._lines.aclose()

    async def enter(self, line: AbstractAsyncContextManager[T]) -> T:
        """Enter what makes outgoing calls; it is left after the cache, which may be using it."""
        return await self._lines.enter_async_context(line)

    async def http(self) -> Http:
        """Return the client for small requests to services. Raises `SettingsError`."""
        async with self._opening:
            if self._http is None:
                from leadline.wire.http import AiohttpHttp  # noqa: PLC0415 aiohttp only where a run may reach the web

                opened = AiohttpHttp.open(proxy=self._settings.proxy, contact=self._settings.fetch.contact)
                self._http = await self._lines.enter_async_context(opened)
            return self._http

    async def limiter(self) -> Limiter:
        """Return the limiter, shared with other processes where `limits` names a Redis."""
        async with self._opening:
            if self._limiter is None:
                from leadline.limits.memory import MemoryLedger  # noqa: PLC0415 as above
                from leadline.limits.observed import ObservedLimiter  # noqa: PLC0415 as above
                from leadline.limits.waiting import GcraLimiter  # noqa: PLC0415 as above

                place = self._settings.limits
                if place.scheme == "memory":
                    limiter = GcraLimiter(MemoryLedger(), clock=self._clock)
                else:
                    from leadline.limits.redis import RedisLedger  # noqa: PLC0415 an extra

                    breaker = Breaker(threshold=3, cooldown=2.0, changed=breaker_told(self.signals, "limits"))
                    client = await self._client(place.url)
                    ledger = RedisLedger(client, alone=self._settings.outgoing.alone, breaker=breaker)
                    limiter = GcraLimiter(ledger, clock=self._clock)
                self._limiter = ObservedLimiter(limiter, self.signals)
            return self._limiter

    async def turns(self, service: str, *, rate: float, tenant: str, own: bool = False) -> ServiceTurns:
        """Return the limits of calls to a service: its own, each key's, and the tenant's where one is set.

        With `own` keys a tenant has limits of its own: what holds them holds nobody else.
        """
        from leadline.limits.turns import ServiceTurns  # noqa: PLC0415 only where a run may reach the web
        from leadline.limits.types import Limit  # noqa: PLC0415 as above

        share = self._settings.outgoing.tenant_qps
        more = () if share is None else (Limit(key=f"tenant:{tenant}:{service}", rate=share),)
        name = f"{service}:own:{tenant}" if own else service
        return ServiceTurns(await self.limiter(), name, rate=rate, more=more)

    def keys(self, service: str, keys: Sequence[Secret] = ()) -> KeyRing:
        """Return the keys of a service; all who use the same share which of them are refused or rest."""
        from leadline.wire.keys import KeyRing  # noqa: PLC0415 only where a run may reach the web

        plain = [key.reveal() for key in keys]
        return self._keys.setdefault((service, *plain), KeyRing(service, plain))

    def own_keys(self, tenant: str, service: str, keys: tuple[str, ...]) -> KeyRing:
        """Return a tenant's own keys of a service; other keys in their place begin afresh."""
        from leadline.wire.keys import KeyRing  # noqa: PLC0415 as above

        place = (tenant, service)
        held, ring = self._own.get(place, ((), None))
        if ring is None or held != keys:
            ring = KeyRing(service, keys)
        self._own[place] = (keys, ring)
        self._own.move_to_end(place)
        if len(self._own) > MOST_OWN:
            self._own.popitem(last=False)
        return ring

    async def cache(self) -> TieredCache | None:
        """Return the cache, `None` where it is `off` or its file cannot be used. Raises `SettingsError`."""
        if self._settings.cache.scheme == OFF or self._broken is not None:
            return None
        async with self._opening:
            if self._cache is None and self._broken is None:
                try:
                    self._cache = await self._opened_cache()
                except StoreError as error:  # a run goes on without
                    self._broken = error
                    log.warning(CACHE_UNUSABLE, extra={"code": error.code})
            return self._cache

    @property
    def told(self) -> Told:
        """What hears where answers came from."""
        return cache_told(self.signals)

    async def store(self) -> Store | None:
        """Return the store behind the cache, for commands about it; `None` where it is `off`. Raises `StoreError`."""
        await self.cache()
        if self._broken is not None:
            raise self._broken
        return self._store

    async def _opened_cache(self) -> TieredCache:
        from leadline.cache.tiered import TieredCache  # noqa: PLC0415 only where a run may reach the web

        self._store = await self._opened_store()
        tiered = TieredCache(
            self._store,
            random=Random(),  # noqa: S311 spreads the ends of entries, guards nothing
            now=self._clock.now,
            policies=policies(self._settings.caching),
            memory_bytes=self._settings.caching.memory,
            breaker=Breaker(threshold=3, cooldown=5.0, changed=breaker_told(self.signals, "cache")),
        )
        return await self._caches.enter_async_context(tiered)

    async def _opened_store(self) -> Store:
        place, caching = self._settings.cache, self._settings.caching
        if place.scheme == "sqlite":
            from leadline.cache.sqlite import SqliteCache  # noqa: PLC0415 only where it is chosen

            path = place.path or self._folder / "cache.db"
            return await self._caches.enter_async_context(
                SqliteCache.open(path, now=self._clock.now, most_bytes=caching.disk)
            )
        from leadline.cache.redis import RedisCache  # noqa: PLC0415 an extra

        client = await self._client(place.url)
        return await self._caches.enter_async_context(RedisCache.open(client, now=self._clock.now))

    async def _client(self, url: str) -> Redis:
        """Return the client of one Redis; `cache` and `limits` may name the same."""
        if url not in self._redis:
            from leadline.wire.redis import open_redis  # noqa: PLC0415 an extra

            self._redis[url] = await self._lines.enter_async_context(open_redis(url))
        return self._redis[url]


def policies(caching: CachingSettings) -> Mapping[Category, Policy]:
    """Return how long each kind of answer is kept: the settings' seconds, the rest in proportion."""
    from leadline.cache.types import POLICIES, Category, Policy  # noqa: PLC0415 only where there is a cache

    fresh = {
        Category.SEARCH: caching.search_seconds,
        Category.PAGE: caching.page_seconds,
        Category.PASSAGES: caching.page_seconds,
        Category.SCHOLAR: caching.scholar_seconds,
        Category.OTHER: caching.other_seconds,
    }
    made = {}
    for category, usual in POLICIES.items():
        factor = fresh[category] / usual.soft
        made[category] = Policy(
            soft=fresh[category],
            revalidate=usual.revalidate * factor,
            hard=max(usual.hard, fresh[category]) if factor < 1 else usual.hard * factor,
            negative=caching.nothing_seconds,
        )
    return made
