"""Which tools run in services of their own, and which here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from leadline.errors import BlobMissing, ProviderDenied
from leadline.ports import Blobs, Reader, Search
from leadline.resilience import Breaker
from leadline.settings import LOCAL, Settings
from leadline.wire.own_keys import Owns
from leadline.wire.papers import Scholar
from leadline.wiring.keyed import Whose
from leadline.wiring.models import own_network
from leadline.wiring.outgoing import Outgoing
from leadline.wiring.own_keys import READER, SEARCHES, WORKS
from leadline.wiring.scholarly import Scholarly
from leadline.wiring.telemetry import breaker_told
from leadline.wiring.web import WEB, Web

if TYPE_CHECKING:
    from collections.abc import Collection

    from leadline.tools.remote import Held, OwnHeader, Seen
    from leadline.wire.http import Http
    from leadline.wire.tool_client import ToolClient

_MOST_ANSWER: Final = 96 << 20
"""Bytes of one answer of a tool's service: a page's text and the bytes that it was made from."""


class Reach:
    """The outside of a run's tools: here, or behind the services that the settings name."""

    def __init__(
        self, settings: Settings, *, web: Web, scholarly: Scholarly, outgoing: Outgoing, blobs: Blobs, owns: Owns
    ) -> None:
        self._settings = settings
        self._web = web
        self._scholarly = scholarly
        self._outgoing = outgoing
        self._blobs = blobs
        self._owns = owns
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

        client, own_keys = await self._client("search", place), self._own_keys(tenant, SEARCHES, place)
        return RemoteSearch(client, name=WEB, tenant=tenant, own_keys=own_keys)

    async def reader(self, tenant: str) -> Reader:
        """Return what reads pages for a tenant. Raises `SettingsError`."""
        place = self._settings.tools.visit
        if place == LOCAL:
            return await self._web.reader(tenant)
        from leadline.tools.remote import RemoteReader, Seen  # noqa: PLC0415 only where it is chosen

        seen = self._seen.setdefault(tenant, Seen())
        client, own_keys = await self._client("visit", place), self._own_keys(tenant, (READER,), place)
        return RemoteReader(client, seen=seen, held=self._held(tenant), tenant=tenant, own_keys=own_keys)

    async def library(self, tenant: str) -> Scholar:
        """Return what answers a tenant's queries for scholarly works. Raises `SettingsError`."""
        place = self._settings.tools.scholar
        if place == LOCAL:
            return await self._scholarly.library(tenant)
        from leadline.tools.remote import RemoteScholar  # noqa: PLC0415 only where it is chosen

        client, own_keys = await self._client("scholar", place), self._own_keys(tenant, WORKS, place)
        return RemoteScholar(client, tenant=tenant, own_keys=own_keys)

    def _own_keys(self, tenant: str, names: Collection[str], place: str) -> OwnHeader:
        """Return what gives the tenant's own keys to the service at `place`, which must be worth them."""
        whose = Whose(tenant=tenant, owns=self._owns, names=names)

        async def header(seconds: float) -> str:
            keys = await whose.keys(deadline=seconds)
            if not keys:
                return ""
            if not tools_key(self._settings) or not (place.startswith("https://") or own_network(place)):
                raise ProviderDenied(
                    f"the tenant's own keys are not sent to {place}: that takes `tools.key`, and https or an address "
                    "of one's own network"
                )
            return keys.header()

        return header

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
