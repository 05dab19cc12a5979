"""The open web: readers and searches, opened when a run may first reach it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING

from leadline import codec
from leadline.errors import MissingExtra, SettingsError, ToolFailed
from leadline.extract.children import ExtractPool
from leadline.extract.registry import EXTRACTOR_VERSION
from leadline.ports import Clock, Pages, Reader, Search
from leadline.settings import Settings
from leadline.tools.addresses import canonical
from leadline.wiring.outgoing import Outgoing

if TYPE_CHECKING:
    from leadline.cache.pages import CachedPages
    from leadline.cache.tiered import TieredCache
    from leadline.cache.types import Told
    from leadline.fetch.guard import Guard
    from leadline.fetch.http import Fetcher

WEB = "web"
"""The name under which what searches the web stands beside the documents."""

PROVIDER_FAILED = "search_provider_failed"
"""Name of the log line that tells of a provider that gave no answer."""

RENDERING_FAILED = "rendering_failed"
"""Name of the log line that tells of a page that the browser could not build."""

log = logging.getLogger("leadline.wiring.web")


class Web:
    """The open web: readers and searches, opened when a run may first reach it.

    Each tenant has views of its own: they share connections, keys and limits, and what is not
    public in the cache stays with its tenant.
    """

    def __init__(self, settings: Settings, *, clock: Clock, parser: ExtractPool, outgoing: Outgoing) -> None:
        self._settings = settings
        self._clock = clock
        self._parser = parser
        self._outgoing = outgoing
        self._opening = asyncio.Lock()
        self._guarded: Guard | None = None
        self._fetcher: Fetcher | None = None
        self._pages: Pages | None = None
        self._proxy: str | None = None

    async def reader(self, tenant: str, *, told: Told | None = None) -> Reader:
        """Return what reads pages for a tenant. Raises `SettingsError`.

        `told` hears where each page came from.
        """
        async with self._opening:
            self._pages = self._pages or await self._opened()
        cache = await self._outgoing.cache()
        told = told or self._outgoing.told
        return self._pages if cache is None else self._cached(self._pages, cache, tenant=tenant, told=told)

    async def search(self, tenant: str, *, told: Told | None = None) -> Search:
        """Return what searches the web for a tenant. Raises `SettingsError`."""
        from leadline.cache.searches import CachedSearch  # noqa: PLC0415 only where a run may reach the web
        from leadline.search.web.failover import Failover  # noqa: PLC0415 as above
        from leadline.search.web.observed import ObservedSearch  # noqa: PLC0415 as above

        section = self._settings.search
        signals = self._outgoing.signals
        engines: list[Search] = [
            ObservedSearch(await self._engine(name, tenant), signals) for name in section.providers
        ]
        cache = await self._outgoing.cache()
        if cache is not None:
            engines = [
                CachedSearch(
                    engine, cache, address=section.of(engine.name).base_url or "", told=told or self._outgoing.told
                )
                for engine in engines
            ]
        return Failover(engines, name=WEB, told=_provider_failed)

    # --- pages

    def _guard(self) -> Guard:
        from leadline.fetch.guard import Guard  # noqa: PLC0415 as above

        self._guarded = self._guarded or Guard(allow_private=self._settings.fetch.allow_private)
        return self._guarded

    async def _opened(self) -> Pages:
        from leadline.fetch.hosts import Hosts  # noqa: PLC0415 as above
        from leadline.fetch.http import Fetcher  # noqa: PLC0415 as above
        from leadline.fetch.reader import WebReader  # noqa: PLC0415 as above
        from leadline.fetch.reader_api import FallbackReader, ReaderApi  # noqa: PLC0415 as above
        from leadline.limits.turns import HostTurns  # noqa: PLC0415 as above

        fetch, visit, outgoing = self._settings.fetch, self._settings.visit, self._settings.outgoing
        hosts = Hosts(
            clock=self._clock,
            concurrency=outgoing.host_connections,
            delay=outgoing.host_seconds,
            pace=HostTurns(await self._outgoing.limiter()),
        )
        fetcher = Fetcher(
            self._guard(),
            clock=self._clock,
            contact=fetch.contact or "",
            robots=fetch.robots,
            hosts=hosts,
            per_host={one.host: one.plain() for one in fetch.headers},
            proxy=self._settings.proxy,
        )
        self._fetcher = await self._outgoing.enter(fetcher)
        browser = None
        if visit.render != "off":
            from leadline.wiring.rendering import open_browser  # noqa: PLC0415 only where it is chosen

            browser = await open_browser(
                self._settings, guard=self._guard(), admit=self._fetcher.admit, outgoing=self._outgoing
            )
        direct: Pages = WebReader(self._fetcher, self._parser, browser=browser, failed=_rendering_failed)
        if visit.reader_url is None:
            return direct
        key = visit.reader_key.reveal() if visit.reader_key else None
        service = ReaderApi(visit.reader_url, guard=self._guard(), parser=self._parser, clock=self._clock, api_key=key)
        third: Pages = await self._outgoing.enter(service)
        return FallbackReader(third, direct) if visit.reader_order == "first" else FallbackReader(direct, third)

    def _cached(self, pages: Pages, cache: TieredCache, *, tenant: str, told: Told | None) -> CachedPages:
        from leadline.cache.pages import CachedPages  # noqa: PLC0415 as above

        policy = page_policy(self._settings)
        return CachedPages(
            pages, cache, policy=policy, canonical=canonical, owner=lambda uri: self._owner(uri, tenant), told=told
        )

    def _owner(self, uri: str, tenant: str) -> str | None:
        """Return whose page it is: where private networks are open nobody can tell by the address that it is public."""
        private = bool(self._settings.fetch.allow_private)
        return tenant if private or (self._fetcher is not None and self._fetcher.personal(uri)) else None

    # --- searches

    async def _engine(self, name: str, tenant: str) -> Search:
        section = self._settings.search.of(name)
        if name == "ddgs":
            return await self._ddgs(tenant)
        from leadline.search.web.choose import provider_named  # noqa: PLC0415 only where a run may reach the web
        from leadline.search.web.engine import WebSearch  # noqa: PLC0415 as above

        provider = provider_named(name, section.base_url)
        return WebSearch(
            provider,
            await self._outgoing.http(),
            now=self._clock.now,
            keys=self._outgoing.keys(name, section.api_keys),
            turns=await self._outgoing.turns(name, rate=section.qps or provider.rate, tenant=tenant),
        )

    async def _ddgs(self, tenant: str) -> Search:
        """Return the library that reads result pages: it reaches the outside only through our own proxy."""
        from importlib.util import find_spec  # noqa: PLC0415 only where it is chosen

        from leadline.search.web.ddgs import Ddgs  # noqa: PLC0415 as above

        if await asyncio.to_thread(find_spec, "ddgs") is None:
            raise MissingExtra("`search.providers` names `ddgs`, which needs an extra: pip install 'leadline[ddgs]'")
        if self._settings.proxy is not None:
            raise SettingsError("`search.providers` names `ddgs`, which cannot go through `proxy`: use another service")
        turns = await self._outgoing.turns("ddgs", rate=self._settings.search.ddgs.qps or Ddgs.rate, tenant=tenant)
        return Ddgs(proxy=await self._guarded_proxy(), now=self._clock.now, turns=turns)

    async def _guarded_proxy(self) -> str:
        from leadline.fetch.proxy import GuardedProxy  # noqa: PLC0415 only where it is chosen

        async with self._opening:
            if self._proxy is None:
                self._proxy = (await self._outgoing.enter(GuardedProxy(self._guard()))).url
            return self._proxy


def page_policy(settings: Settings) -> str:
    """Return a digest of all that decides what is read and how: pages read otherwise are other entries."""
    fetch, visit = settings.fetch, settings.visit
    decides = {
        "allow_private": fetch.allow_private,
        "robots": fetch.robots,
        "headers": [(one.host, sorted(one.plain().items())) for one in fetch.headers],
        "reader": [visit.reader_url, visit.reader_order],
        "render": visit.render,
        "extractors": dict(EXTRACTOR_VERSION),
        "most_bytes": settings.extract.max_bytes,
    }
    return hashlib.blake2b(codec.canonical(decides), digest_size=16).hexdigest()


def _provider_failed(provider: str, error: ToolFailed) -> None:
    log.warning(PROVIDER_FAILED, extra={"provider": provider, "code": error.code})


def _rendering_failed(error: ToolFailed) -> None:
    log.warning(RENDERING_FAILED, extra={"code": error.code, "reason": str(error)})
