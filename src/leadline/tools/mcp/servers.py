"""Which tools the servers offer, and the way to them: pinned descriptions alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from leadline.domain import Json, ToolSpec
from leadline.errors import Forbidden, InputError, NotFound
from leadline.tools.mcp.described import MARK, Described, spec_of
from leadline.tools.mcp.pins import Pins
from leadline.tools.mcp.tool import Given

log = logging.getLogger("leadline.tools.mcp")

NOT_OFFERED: Final = "mcp_tool_not_offered"
"""Name of the log line of a tool that is kept from runs, with the reason."""

FRESH_SECONDS: Final = 30.0
"""Seconds for which a server's descriptions are taken for unchanged."""


class Session(Protocol):
    """A connection to one server."""

    async def tools(self) -> Sequence[Described]:
        """Return what it offers now."""
        ...

    async def call(self, tool: str, arguments: Mapping[str, Json], *, deadline: float) -> Given:
        """Call one."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A tool of a server as the operator sees it. `refused` says why it is not offered, `""` where it is."""

    tool: Described
    spec: ToolSpec | None
    refused: str


class McpServer:
    """One server's tools. `only` narrows them; `seconds` is what a call may take at most."""

    def __init__(
        self,
        session: Session,
        *,
        name: str,
        pins: Pins,
        only: Sequence[str] | None,
        seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self.name = name
        self._session = session
        self._pins = pins
        self._only = only
        self._seconds = seconds
        self._monotonic = monotonic
        self._looking = asyncio.Lock()
        self._seen: tuple[float, dict[str, Described]] | None = None

    async def standing(self) -> Sequence[Standing]:
        """Return every tool that the server has now, and whether runs get it."""
        tools = await self._session.tools()
        pins = await asyncio.to_thread(self._pins.of, self.name)
        found: list[Standing] = []
        names: set[str] = set()
        for tool in tools:
            spec, refused = self._judged(tool, pins)
            if spec is not None and spec.name in names:
                spec, refused = None, "another of its tools has the same name here"
            names.update({spec.name} if spec is not None else ())
            found.append(Standing(tool=tool, spec=spec, refused=refused))
        return found

    async def offered(self) -> Sequence[ToolSpec]:
        """Return the tools that runs get, in the server's order."""
        found: list[ToolSpec] = []
        for one in await self.standing():
            if one.spec is not None and not one.refused:
                found.append(one.spec)
            else:
                log.warning(NOT_OFFERED, extra={"server": self.name, "tool": one.tool.name, "reason": one.refused})
        return found

    async def pin(self) -> Sequence[Standing]:
        """Pin what the server describes now, and return it."""
        found = await self.standing()
        hashes = {one.tool.name: one.tool.digest for one in found if one.spec is not None}
        await asyncio.to_thread(self._pins.pin, self.name, hashes)
        return await self.standing()

    async def call(self, spec: ToolSpec, arguments: Mapping[str, Json], deadline: float) -> Given:
        """Call a tool as it was offered. Raises `Forbidden` where it is described otherwise by now, `NotFound`."""
        known = await self._known()
        tool = known.get(spec.name)
        if tool is None:
            raise NotFound(f"the server `{self.name}` has no tool `{spec.name}` any more")
        pins = await asyncio.to_thread(self._pins.of, self.name)
        if spec_of(self.name, tool) != spec or pins.get(tool.name) != tool.digest:
            raise Forbidden(
                f"the server `{self.name}` describes `{spec.name}` otherwise than when it was pinned: it is not called"
            )
        return await self._session.call(tool.name, arguments, deadline=min(deadline, self._seconds))

    def _judged(self, tool: Described, pins: Mapping[str, str]) -> tuple[ToolSpec | None, str]:
        try:
            spec = spec_of(self.name, tool)
        except ValueError as error:
            return None, f"its arguments cannot be checked: {error}"
        if self._only is not None and tool.name not in self._only:
            return spec, "the settings leave it out"
        if tool.name not in pins:
            return spec, "it is not pinned"
        if pins[tool.name] != tool.digest:
            return spec, "its description changed since it was pinned"
        return spec, ""

    async def _known(self) -> Mapping[str, Described]:
        """Return the server's tools by the names that they have here, looked at again after a while."""
        async with self._looking:
            now = self._monotonic()
            if self._seen is None or now - self._seen[0] > FRESH_SECONDS:
                named = {one.spec.name: one.tool for one in await self.standing() if one.spec is not None}
                self._seen = (now, named)
            return self._seen[1]


class McpServers:
    """All servers that are set, by name."""

    def __init__(self, servers: Sequence[McpServer]) -> None:
        self._servers = {server.name: server for server in servers}

    @property
    def names(self) -> tuple[str, ...]:
        """The servers' names."""
        return tuple(self._servers)

    def named(self, name: str) -> McpServer:
        """Return one. Raises `InputError` for a name that is none."""
        if name not in self._servers:
            known = ", ".join(self._servers) or "none is set"
            raise InputError(f"no tool server is called {name[:40]!r}; there are: {known}")
        return self._servers[name]

    async def offered(self, names: Sequence[str]) -> tuple[ToolSpec, ...]:
        """Return what these servers offer. Raises `InputError`, `ToolFailed` where one cannot be asked."""
        found: list[ToolSpec] = []
        for name in dict.fromkeys(names):
            specs = await self.named(name).offered()
            if not specs:
                raise InputError(
                    f"the tool server `{name}` offers nothing that is pinned: look at it with "
                    f"`leadline mcp tools {name}`, then `leadline mcp pin {name}`"
                )
            found += specs
        return tuple(found)

    async def call(self, spec: ToolSpec, arguments: Mapping[str, Json], deadline: float) -> Given:
        """Call a tool of the server that its name begins with. Raises `NotFound` where that is not set here."""
        server = self._servers.get(server_of(spec.name))
        if server is None:
            raise NotFound(f"the server of `{spec.name}` is not set on this machine")
        return await server.call(spec, arguments, deadline)


def server_of(name: str) -> str:
    """Return the server that a tool's name begins with."""
    return name.partition(MARK)[0]
