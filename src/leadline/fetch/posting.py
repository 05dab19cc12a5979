"""Posting to addresses that tenants name: guarded like any page, never redirected; of answers the status counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import Final

import aiohttp
from yarl import URL

from leadline.errors import FetchTimeout
from leadline.fetch.failures import retry_after, translated
from leadline.fetch.guard import Guard, GuardedConnector
from leadline.fetch.http import user_agent
from leadline.fetch.urls import shortened
from leadline.ports.posting import Posted

_CONNECTIONS: Final = 32
_LINE: Final = 8 * 1024
_HEADERS: Final = 100


class GuardedPosts:
    """`Posts` behind the guard; made by `open`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        guard: Guard,
        *,
        proxy: str | None,
        seconds: float,
        now: Callable[[], float],
    ) -> None:
        self._session = session
        self._guard = guard
        self._proxy = proxy
        self._seconds = seconds
        self._now = now

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        guard: Guard,
        *,
        now: Callable[[], float],
        contact: str = "",
        seconds: float = 15.0,
        proxy: str | None = None,
        tls: SSLContext | None = None,
    ) -> AsyncIterator[GuardedPosts]:
        """Hold the connections while the context is open.

        `seconds` is what one post may take. `proxy` is the operator's own: names are refused here
        first, and resolved again by the proxy. `tls` replaces the system's certificates.
        """
        connector: aiohttp.BaseConnector
        ssl = tls or True
        if proxy is None:
            connector = GuardedConnector(guard, limit=_CONNECTIONS, ssl=ssl)
        else:
            connector = aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=ssl)
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": user_agent(contact)},
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
            max_line_size=_LINE,
            max_field_size=_LINE,
            max_headers=_HEADERS,
        ) as session:
            yield cls(session, guard, proxy=proxy, seconds=seconds, now=now)

    def check(self, url: str) -> None:
        """See `Posts.check`."""
        self._guard.target(url)

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Posted:
        """See `Posts.post`."""
        target = self._guard.target(url)
        try:
            async with asyncio.timeout(self._seconds):
                if self._proxy is not None:
                    await self._guard.admit(url)
                return await self._sent(target.url, body, headers)
        except TimeoutError as error:
            raise FetchTimeout(f"{shortened(url)} took longer than {self._seconds:.3g} s") from error

    async def _sent(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        with translated(url):
            async with self._session.post(
                URL(url, encoded=True),
                data=body,
                headers={**headers, "Content-Type": "application/json"},
                allow_redirects=False,
                proxy=self._proxy,
            ) as response:
                # What it says besides is not read: the connection is closed with it.
                wait = retry_after(response.headers.get("Retry-After"), now=self._now())
                response.close()
                return Posted(response.status, wait)
