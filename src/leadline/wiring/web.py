"""The open web: readers and searches, opened when a run may first reach it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING

from leadline import codec
from leadline.errors import MissingExtra, ProviderDenied, SettingsError, ToolFailed
from leadline.extract.children import ExtractPool
from leadline.extract.registry import EXTRACTOR_VERSION
from leadline.ports import Clock, Pages, Reader, Search
from leadline.settings import SearchSettings, Settings
from leadline.tools.addresses import canonical
from leadline.tools.search import join
from leadline.wire.own_keys import Given, OwnKeys, Owns
from leadline.wiring.keyed import KeyedReader, KeyedSearch, OwnSearch, RefusedSearch, Whose, no_key
from leadline.wiring.outgoing import Outgoing
from leadline.wiring.own_keys import READER, SEARCHES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from leadline.cache.pages import CachedPages
    from leadline.cache.tiered import TieredCache
    from leadline.cache.types import Told
    from leadline.fetch.guard import Guard
    from leadline.fetch.http import Fetcher
    from leadline.fetch.reader_api import ReaderApi

WEB = "web"
"""The name under which what searches the web stands beside the documents."""

PROVIDER_FAILED = "search_provider_failed"
"""Name of the log line that tells of a provider that gave no answer."""

RENDERING_FAILED = "rendering_failed"
"""Name of the log line that tells of a page that the browser could not build."""

log = logging.getLogger("leadline.wiring.web")


class Web:
    """The open web: readers and searches, opened when a run may first reach it.

    Each tenant has views of its own: they share connections, the operator's keys and limits, and
    what is not public in the cache stays with its tenant. Where a tenant has keys of its own, they
    are looked up at each call.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        parser: ExtractPool,
        outgoing: Outgoing,
        owns: Owns | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._parser = parser
        self._outgoing = outgoing
        self._owns = owns or Given()
        self._opening = asyncio.Lock()
        self._guarded: Guard | None = None
        self._fetcher: Fetcher | None = None
        self._pages: Pages | None = None
        self._direct: Pages | None = None
        self._third: ReaderApi | None = None
        self._proxy: str | None = None

    async def reader(
        self, tenant: str, *, told: Told | None = None, owns: Owns | None = None, before: float = 0.0
    ) -> Reader:
        """Return what reads pages for a tenant. Raises `SettingsError`.

        `told` hears where each page came from; `owns` tells the tenant's own keys in place of what
        the process knows of them. What gets old within `before` seconds is read anew: for warming.
        """
        async with self._opening:
            self._pages = self._pages or await self._opened()
        cache = await self._outgoing.cache()
        told = told or self._outgoing.told
        usual: Reader = self._pages
        if cache is not None:
            usual = self._cached(
                self._pages, cache, owner=lambda uri: self._owner(uri, tenant), told=told, before=before
            )
        if self._third is None:
            return usual

        def keyed(keys: OwnKeys) -> Reader:
            pages = self._pages_with(keys)
            # Whoever paid for it: what is read with a tenant's own key stays with the tenant.
            if cache is None:
                return pages
            return self._cached(pages, cache, owner=lambda _uri: tenant, told=told, before=before)

        return KeyedReader(usual, Whose(tenant=tenant, owns=owns or self._owns, names=(READER,)), keyed)

    async def search(
        self, tenant: str, *, told: Told | None = None, owns: Owns | None = None, before: float = 0.0
    ) -> Search:
        """Return what searches the web for a tenant, with its own keys first; see `reader`. Raises `SettingsError`."""
        told = told or self._outgoing.told
        whose = Whose(tenant=tenant, owns=owns or self._owns, names=SEARCHES)
        usual = await self._chain(tenant, told, OwnKeys(), before=before)
        return KeyedSearch(usual, whose, lambda keys: self._chain(tenant, told, keys, before=before))

    # --- pages

    def _guard(self) -> Guard:
        from leadline.fetch.guard import Guard  # noqa: PLC0415 as above

        self._guarded = self._guarded or Guard(allow_private=self._settings.fetch.allow_private)
        return self._guarded

    async def _opened(self) -> Pages:
        from leadline.cache.robots import CachedRobots  # noqa: PLC0415 as above
        from leadline.fetch.hosts import Hosts  # noqa: PLC0415 as above
        from leadline.fetch.http import Fetcher  # noqa: PLC0415 as above
        from leadline.fetch.reader import WebReader  # noqa: PLC0415 as above
        from leadline.fetch.reader_api import ReaderApi  # noqa: PLC0415 as above
        from leadline.limits.turns import HostTurns  # noqa: PLC0415 as above

        fetch, visit, outgoing = self._settings.fetch, self._settings.visit, self._settings.outgoing
        cache = await self._outgoing.cache()
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
            rules=None if cache is None else CachedRobots(cache, told=self._outgoing.told),
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
        self._direct = direct
        if visit.reader_url is None:
            return direct
        key = visit.reader_key.reveal() if visit.reader_key else None
        service = ReaderApi(visit.reader_url, guard=self._guard(), parser=self._parser, clock=self._clock, api_key=key)
        self._third = await self._outgoing.enter(service)
        return self._either(direct, self._third)

    def _either(self, direct: Pages, third: Pages) -> Pages:
        from leadline.fetch.reader_api import FallbackReader  # noqa: PLC0415 as above

        first = self._settings.visit.reader_order == "first"
        return FallbackReader(third, direct) if first else FallbackReader(direct, third)

    def _pages_with(self, keys: OwnKeys) -> Pages:
        """Return what reads with a tenant's own key; where that does not open, nobody but the pages' hosts is asked."""
        assert self._direct is not None and self._third is not None  # noqa: S101, PT018 opened by whoever asks
        try:
            found = keys.of(READER)
        except ProviderDenied:
            return self._direct
        return self._either(self._direct, self._third.with_key(found[0]) if found else self._third)

    def _cached(
        self, pages: Pages, cache: TieredCache, *, owner: Callable[[str], str | None], told: Told | None, before: float
    ) -> CachedPages:
        from leadline.cache.pages import CachedPages  # noqa: PLC0415 as above

        policy = page_policy(self._settings)
        return CachedPages(pages, cache, policy=policy, canonical=canonical, owner=owner, told=told, before=before)

    def _owner(self, uri: str, tenant: str) -> str | None:
        """Return whose page it is: where private networks are open nobody can tell by the address that it is public."""
        private = bool(self._settings.fetch.allow_private)
        return tenant if private or (self._fetcher is not None and self._fetcher.personal(uri)) else None

    # --- searches

    async def _chain(self, tenant: str, told: Told, keys: OwnKeys, *, before: float) -> Search:
        """Return the providers as one, each with the tenant's own key where `keys` have one."""
        from leadline.cache.searches import CachedSearch  # noqa: PLC0415 only where a run may reach the web
        from leadline.search.web.observed import ObservedSearch  # noqa: PLC0415 as above

        section, cache = self._settings.search, await self._outgoing.cache()
        engines: list[Search] = []
        for name in section.providers:
            try:
                own = keys.of(f"search.{name}")
            except ProviderDenied as why:
                engines.append(RefusedSearch(name, why))
                continue
            if own is None and section.needs_own(name):
                continue
            usd = 0.0 if own else section.of(name).usd  # with its own key the tenant pays the service itself
            engine: Search = ObservedSearch(await self._engine(name, tenant, own), self._outgoing.signals, usd=usd)
            if cache is not None:
                address, whose = section.of(name).base_url or "", tenant if own else None
                engine = CachedSearch(engine, cache, address=address, tenant=whose, told=told, before=before)
            engines.append(OwnSearch(engine) if own else engine)
        return _together(engines, section)

    async def _engine(self, name: str, tenant: str, own: tuple[str, ...] | None) -> Search:
        section, outgoing = self._settings.search.of(name), self._outgoing
        if name == "ddgs":
            return await self._ddgs(tenant)
        from leadline.search.web.choose import provider_named  # noqa: PLC0415 only where a run may reach the web
        from leadline.search.web.engine import WebSearch  # noqa: PLC0415 as above

        provider = provider_named(name, section.base_url)
        return WebSearch(
            provider,
            await outgoing.http(),
            now=self._clock.now,
            keys=outgoing.own_keys(tenant, name, own) if own else outgoing.keys(name, section.api_keys),
            turns=await outgoing.turns(name, rate=section.qps or provider.rate, tenant=tenant, own=bool(own)),
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


def _together(engines: Sequence[Search], section: SearchSettings) -> Search:
    """Return the services as one: in order, or so many of them at once as the settings say."""
    from leadline.search.web.failover import Failover  # noqa: PLC0415 only where a run may reach the web
    from leadline.search.web.fused import Fused  # noqa: PLC0415 as above

    if not engines:
        return RefusedSearch(WEB, no_key("searches the web"))
    if section.fuse == 1:
        return Failover(engines, name=WEB, told=_provider_failed)
    weights = {name: section.of(name).weight for name in section.providers}
    return Fused(engines, most=section.fuse, join=join, weights=weights, name=WEB, told=_provider_failed)


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
    log.warning(RENDERING_FAILED, extra={"error": error})
