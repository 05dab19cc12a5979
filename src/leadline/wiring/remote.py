"""Which tools run in services of their own, and which here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from leadline.errors import BlobMissing
from leadline.ports import Blobs, Reader, Search
from leadline.resilience import Breaker
from leadline.settings import LOCAL, Settings
from leadline.wire.papers import Scholar
from leadline.wiring.outgoing import Outgoing
from leadline.wiring.scholarly import Scholarly
from leadline.wiring.telemetry import breaker_told
from leadline.wiring.web import WEB, Web

if TYPE_CHECKING:
    from leadline.tools.remote import Held, Seen
    from leadline.wire.http import Http
    from leadline.wire.tool_client import ToolClient

_MOST_ANSWER: Final = 96 << 20
"""Bytes of one answer of a tool's service: a page's text and the bytes that it was made from."""


class Reach:
    """The outside of a run's tools: here, or behind the services that the settings name."""

    def __init__(self, settings: Settings, *, web: Web, scholarly: Scholarly, outgoing: Outgoing, blobs: Blobs) -> None:
        self._settings = settings
        self._web = web
        self._scholarly = scholarly
        self._outgoing = outgoing
        self._blobs = blobs
        self._opening = asyncio.Lock()
        self._http: Http | None = None
        self._seen: dict[str, Seen] = {}
        self._breakers: dict[str, Breaker] = {}

    async def search(self, tenant: str) -> Search:
        """Return what searches the web for a tenant. Raises `SettingsError`."""
        place = self._settings.tools.search
        if place == LOCAL:
            return await self._web.search(tenant)
        from leadline.tools.remote import RemoteSearch  # noqa: PLC0415 only where it is chosen

        return RemoteSearch(await self._client("search", place), name=WEB, tenant=tenant)

    async def reader(self, tenant: str) -> Reader:
        """Return what reads pages for a tenant. Raises `SettingsError`."""
        place = self._settings.tools.visit
        if place == LOCAL:
            return await self._web.reader(tenant)
        from leadline.tools.remote import RemoteReader, Seen  # noqa: PLC0415 only where it is chosen

        seen = self._seen.setdefault(tenant, Seen())
        return RemoteReader(await self._client("visit", place), seen=seen, held=self._held(tenant), tenant=tenant)

    async def library(self, tenant: str) -> Scholar:
        """Return what answers a tenant's queries for scholarly works. Raises `SettingsError`."""
        place = self._settings.tools.scholar
        if place == LOCAL:
            return await self._scholarly.library(tenant)
        from leadline.tools.remote import RemoteScholar  # noqa: PLC0415 only where it is chosen

        return RemoteScholar(await self._client("scholar", place), tenant=tenant)

    def _held(self, tenant: str) -> Held:
        async def held(raw_sha256: str) -> bytes | None:
            try:
                return await self._blobs.get(tenant, raw_sha256)
            except BlobMissing:
                return None

        return held

    async def _client(self, tool: str, address: str) -> ToolClient:
        from leadline.wire.http import AiohttpHttp  # noqa: PLC0415 aiohttp only where a service is named
        from leadline.wire.tool_client import ToolClient  # noqa: PLC0415 as above

        async with self._opening:
            if self._http is None:
                self._http = await self._outgoing.enter(AiohttpHttp.open(most_bytes=_MOST_ANSWER))
        told = breaker_told(self._outgoing.signals, f"service:{tool}")
        breaker = self._breakers.setdefault(tool, Breaker(changed=told))
        return ToolClient(self._http, address, tool=tool, key=tools_key(self._settings), breaker=breaker)


def tools_key(settings: Settings) -> str:
    """Return the key of tools' services, `""` without one."""
    return settings.tools.key.reveal() if settings.tools.key else ""
