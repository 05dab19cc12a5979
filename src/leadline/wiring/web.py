"""The open web: readers and searches, opened when a run may first reach it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from leadline.extract.children import ExtractPool
from leadline.ports import Clock, Reader, Search
from leadline.settings import Settings

WEB = "web"
"""The name under which what searches the web stands beside the documents."""


class Web:
    """The open web: readers and searches, opened when a run may first reach it."""

    def __init__(self, settings: Settings, *, clock: Clock, parser: ExtractPool, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._clock = clock
        self._parser = parser
        self._stack = stack
        self._opening = asyncio.Lock()
        self._reader: Reader | None = None
        self._search: Search | None = None

    async def reader(self) -> Reader:
        """Return what reads pages. Raises `SettingsError`."""
        async with self._opening:
            self._reader = self._reader or await self._opened()
            return self._reader

    async def search(self) -> Search:
        """Return what searches the web. Raises `SettingsError`."""
        async with self._opening:
            self._search = self._search or await self._searching()
            return self._search

    async def _opened(self) -> Reader:
        from leadline.fetch.guard import Guard  # noqa: PLC0415 aiohttp only where a run may reach the web
        from leadline.fetch.http import Fetcher  # noqa: PLC0415 as above
        from leadline.fetch.reader import PageReader, WebReader  # noqa: PLC0415 as above
        from leadline.fetch.reader_api import FallbackReader, ReaderApi  # noqa: PLC0415 as above

        fetch, visit = self._settings.fetch, self._settings.visit
        guard = Guard(allow_private=fetch.allow_private)
        fetcher = Fetcher(
            guard,
            clock=self._clock,
            contact=fetch.contact or "",
            robots=fetch.robots,
            per_host={one.host: one.plain() for one in fetch.headers},
            proxy=self._settings.proxy,
        )
        direct: PageReader = WebReader(await self._stack.enter_async_context(fetcher), self._parser)
        if visit.reader_url is None:
            return direct
        key = visit.reader_key.reveal() if visit.reader_key else None
        service = ReaderApi(visit.reader_url, guard=guard, parser=self._parser, clock=self._clock, api_key=key)
        third: PageReader = await self._stack.enter_async_context(service)
        return FallbackReader(third, direct) if visit.reader_order == "first" else FallbackReader(direct, third)

    async def _searching(self) -> Search:
        from leadline.limits.memory import MemoryLedger  # noqa: PLC0415 only where a run may reach the web
        from leadline.limits.turns import ServiceTurns  # noqa: PLC0415 as above
        from leadline.limits.waiting import GcraLimiter  # noqa: PLC0415 as above
        from leadline.search.web.choose import provider_named  # noqa: PLC0415 as above
        from leadline.search.web.engine import WebSearch  # noqa: PLC0415 as above
        from leadline.search.web.failover import Failover  # noqa: PLC0415 as above
        from leadline.wire.http import AiohttpHttp  # noqa: PLC0415 as above
        from leadline.wire.keys import KeyRing  # noqa: PLC0415 as above

        settings = self._settings
        opened = AiohttpHttp.open(proxy=settings.proxy, contact=settings.fetch.contact)
        http = await self._stack.enter_async_context(opened)
        limiter = GcraLimiter(MemoryLedger(), clock=self._clock)
        engines: list[Search] = []
        for name in settings.search.providers:
            section, provider = settings.search.of(name), provider_named(name, settings.search.of(name).base_url)
            turns = ServiceTurns(limiter, name, rate=section.qps or provider.rate)
            keys = KeyRing(name, [key.reveal() for key in section.api_keys])
            engines.append(WebSearch(provider, http, now=self._clock.now, keys=keys, turns=turns))
        return Failover(engines, name=WEB)
