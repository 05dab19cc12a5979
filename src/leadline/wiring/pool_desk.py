"""An operator's way to the servers of a gateway that runs: `/admin/servers`, asked over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import orjson

from leadline.errors import ProviderFailed, ServiceError, ServiceUnavailable, SettingsError
from leadline.settings import Settings

_SECONDS: Final = 10.0
_LOOK: Final = 0.5
_OPEN_TO_ALL: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 compared, not listened on


REMOVED: Final = "removed"
"""The state of a server that is out."""


class Standing(NamedTuple):
    """A server as the gateway knows it, and its state in words."""

    url: str
    state: str


class PoolDesk:
    """Asks the gateway at `url` (without one, that of the settings) to change its servers.

    Each method raises `SettingsError` without `gateway.admin_key`, `ServiceError` with what the gateway
    says where it refuses, `ServiceUnavailable` where it cannot be reached.
    """

    def __init__(self, settings: Settings, url: str | None = None) -> None:
        if settings.gateway.admin_key is None:
            raise SettingsError("`gateway.admin_key` is not set, here and at the gateway: without it nobody may ask")
        self._key = settings.gateway.admin_key.reveal()
        host = settings.gateway.host
        shown = "127.0.0.1" if host in _OPEN_TO_ALL else f"[{host}]" if ":" in host else host
        base = (url or f"http://{shown}:{settings.gateway.port}").rstrip("/").removesuffix("/v1")
        self._url = f"{base}/admin/servers"

    async def servers(self) -> list[dict[str, Any]]:
        """Return how each server stands."""
        listed = (await self._ask("GET"))["servers"]
        return [dict(server) for server in listed]

    async def add(self, url: str, *, weight: float | None = None, concurrency: int | None = None) -> Standing:
        """Take a server in, or back in."""
        given = {"url": url, "weight": weight, "concurrency": concurrency}
        body = {name: value for name, value in given.items() if value is not None}
        return _standing(await self._ask("POST", body=body))

    async def drain(self, url: str, *, force: bool = False) -> Standing:
        """Have nothing new sent to a server."""
        return _standing(await self._ask("POST", "/drain", body={"url": url, "force": force}))

    async def remove(self, url: str, *, force: bool = False, wait: float = 0.0) -> Standing:
        """Drain a server and take it out once it is empty; return its state after at most `wait` seconds."""
        query = {"url": url, "force": "true" if force else "false"}
        leaves = _standing(await self._ask("DELETE", query=query))
        if leaves.state != REMOVED and wait and await self._left(leaves.url, wait):
            return Standing(leaves.url, REMOVED)
        return leaves

    async def _left(self, url: str, seconds: float) -> bool:
        """Return whether a server is out within `seconds`; the gateway is another process, and tells nobody."""
        until = time.monotonic() + seconds
        while url in [server["url"] for server in await self.servers()]:
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(min(_LOOK, seconds))
        return True

    async def _ask(
        self,
        method: Literal["GET", "POST", "DELETE"],
        path: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        from leadline.wire.http import AiohttpHttp, Request  # noqa: PLC0415 aiohttp is slow to import

        request = Request(
            url=self._url + path,
            method=method,
            params=query or {},
            headers={"Authorization": f"Bearer {self._key}"},
            json=body,
        )
        try:
            async with AiohttpHttp.open() as http:
                reply = await http.send(request, deadline=_SECONDS)
        except ProviderFailed as error:
            raise ServiceUnavailable(f"the gateway at {self._url} gave no answer: {error}") from error
        try:
            value = orjson.loads(reply.body)
            if reply.status < 300:
                return dict(value)
            told = str(value["error"]["message"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ServiceError(f"{self._url} is no gateway of Leadline: it answered {reply.status}") from error
        raise ServiceError(f"the gateway refused: {told}")


def _standing(told: Mapping[str, Any]) -> Standing:
    return Standing(str(told["url"]), str(told["state"]))
