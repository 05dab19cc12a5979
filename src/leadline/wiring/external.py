"""External tool servers: opened when a run first wants one, reached past no guard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leadline.domain import Json, Options, ToolSpec
from leadline.errors import MissingExtra, SettingsError
from leadline.ports import Clock, Tool
from leadline.settings import McpServer as Setting
from leadline.settings import Settings
from leadline.tools.mcp.pins import Pins
from leadline.tools.mcp.servers import McpServer, McpServers, Standing, server_of
from leadline.tools.mcp.tool import ExternalTool, Given, gone
from leadline.wiring.outgoing import Outgoing

if TYPE_CHECKING:
    from leadline.tools.mcp.session import McpSession, Place

__all__ = ["External", "McpServers", "Standing"]

PINS: Final = "mcp-pins.json"
_HOURS: Final = 4 * 3_600.0
_IDLE: Final = 900.0


class External:
    """The servers that are set, with their tools."""

    def __init__(self, settings: Settings, *, outgoing: Outgoing, clock: Clock, folder: Path) -> None:
        self._settings = settings
        self._outgoing = outgoing
        self._clock = clock
        self._folder = folder
        self._opening = asyncio.Lock()
        self._servers: McpServers | None = None
        self._guarded: str | None = None

    async def servers(self) -> McpServers:
        """Return all servers; none is connected to yet. Raises `MissingExtra`, `SettingsError`."""
        async with self._opening:
            if self._servers is None:
                pins = Pins(self._settings.mcp.pins or self._folder / PINS)
                self._servers = McpServers([await self._server(one, pins) for one in self._settings.mcp.servers])
            return self._servers

    async def offered(self, names: Sequence[str]) -> tuple[ToolSpec, ...]:
        """Return what these servers offer to a run. Raises as `McpServers.offered` and `servers`."""
        return await (await self.servers()).offered(names) if names else ()

    def tools(self, options: Options, *, live: bool, limit: int) -> list[Tool]:
        """Return the tools that were offered to a run when it began; without `live` nothing is behind them."""
        return [
            ExternalTool(
                spec,
                server=server_of(spec.name),
                call=self._call if live else gone,
                now=self._clock.now,
                limit=limit,
            )
            for spec in options.external
        ]

    def seconds(self, options: Options) -> Mapping[str, float]:
        """Return how long a call of each of a run's tools may take."""
        known = {one.name: one.seconds for one in self._settings.mcp.servers}
        return {spec.name: known[name] for spec in options.external if (name := server_of(spec.name)) in known}

    async def _call(self, spec: ToolSpec, arguments: Mapping[str, Json], deadline: float) -> Given:
        return await (await self.servers()).call(spec, arguments, deadline)

    async def _server(self, setting: Setting, pins: Pins) -> McpServer:
        library = await asyncio.to_thread(_library)
        session = await self._outgoing.enter(library(await self._place(setting), name=setting.name))
        return McpServer(
            session,
            name=setting.name,
            pins=pins,
            only=setting.tools,
            seconds=setting.seconds,
            monotonic=time.monotonic,
        )

    async def _place(self, setting: Setting) -> Place:
        from leadline.tools.mcp.session import Address, Command  # noqa: PLC0415 an extra

        if setting.url is None:
            return Command(words=setting.command, env={name: value.reveal() for name, value in setting.env})
        headers = {name: value.reveal() for name, value in setting.headers}
        proxy = await self._guarded_proxy() if setting.guarded else await self._own_proxy(setting.url)
        return Address(url=setting.url, headers=headers, proxy=proxy)

    async def _own_proxy(self, url: str) -> str:
        """Return a proxy that leads to the operator's own server and nowhere else."""
        from leadline.fetch.one import OneGuard  # noqa: PLC0415 only where a server is set
        from leadline.fetch.proxy import GuardedProxy, ProxyLimits  # noqa: PLC0415 as above

        limits = ProxyLimits(seconds=_HOURS, idle=_IDLE)
        return (await self._outgoing.enter(GuardedProxy(OneGuard(url), limits=limits))).url

    async def _guarded_proxy(self) -> str:
        """Return the proxy for servers that are no more trusted than a page of the web."""
        from leadline.fetch.guard import Guard  # noqa: PLC0415 as above
        from leadline.fetch.proxy import GuardedProxy, ProxyLimits  # noqa: PLC0415 as above

        if self._settings.proxy is not None:
            raise SettingsError("a `guarded` tool server cannot be reached through `proxy`: unset one of the two")
        if self._guarded is None:
            guard = Guard(allow_private=self._settings.fetch.allow_private)
            limits = ProxyLimits(seconds=_HOURS, idle=_IDLE)
            self._guarded = (await self._outgoing.enter(GuardedProxy(guard, limits=limits))).url
        return self._guarded


def _library() -> type[McpSession]:
    """Return the class that speaks the protocol; it takes a second to import. Raises `MissingExtra`."""
    try:
        from leadline.tools.mcp.session import McpSession  # noqa: PLC0415 an extra
    except ImportError as error:
        raise MissingExtra("`mcp.servers` needs an extra: pip install 'leadline[mcp]'") from error
    return McpSession
