"""The one connection of a process to a tool server; the only importer of the library `mcp`.

The library holds its connection in task scopes that must end where they began, so one task of ours
enters and leaves it, and calls come to it from any other.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TextIO, TypeAlias

import httpx2
import orjson
from mcp import Client, MCPError, types
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from leadline.errors import ProviderBroken, ProviderUnavailable, ToolFailed
from leadline.resilience import Owned
from leadline.tools.brief import brief
from leadline.tools.mcp.bounded import MOST_BYTES, Bounded
from leadline.tools.mcp.described import Described

MOST_TOOLS: Final = 200
"""Tools of one server that are looked at."""

MOST_CHARS: Final = 200_000
"""Characters of one result that are kept; a model is shown fewer."""

_MOST_PAGES: Final = 20
_MOST_MESSAGE: Final = 300
_CONNECT_SECONDS: Final = 20.0
# What the server's child gets of our environment is the library's short list, and never more.
_GONE: Final = frozenset({types.CONNECTION_CLOSED, types.REQUEST_TIMEOUT})


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A server that is started, and speaks over its standard input and output."""

    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """A server that runs, reached through `proxy` and nowhere past it."""

    url: str
    proxy: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


Place: TypeAlias = Command | Address


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a tool gave, as text; `left_out` counts what is no text."""

    text: str
    left_out: int = 0
    cut: bool = False


class McpSession:
    """A connection that is made at its first use, and again after it broke."""

    def __init__(self, place: Place, *, name: str) -> None:
        self._place = place
        self._name = name
        self._owned = Owned(f"mcp {name}", failed=_told_to_caller)
        self._opening = asyncio.Lock()
        self._link: _Link | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._drop(self._link)
        await self._owned.close()

    async def tools(self) -> Sequence[Described]:
        """Return what the server offers now. Raises `ProviderUnavailable`, `ProviderBroken`."""
        found: list[types.Tool] = []
        async with self._linked(_CONNECT_SECONDS) as client:
            cursor: str | None = None
            for _ in range(_MOST_PAGES):
                page = await client.list_tools(cursor=cursor)
                found += page.tools
                cursor = page.next_cursor
                if cursor is None or len(found) >= MOST_TOOLS:
                    break
        return [_described(tool) for tool in found[:MOST_TOOLS]]

    async def call(self, tool: str, arguments: Mapping[str, Any], *, deadline: float) -> Answer:
        """Call a tool. Raises `ToolFailed` with what the server says, and as `tools` does."""
        async with self._linked(deadline) as client:
            result = await client.call_tool(tool, dict(arguments), read_timeout_seconds=deadline)
        answer = _answer(result)
        if result.is_error:
            raise ToolFailed(f"`{self._name}` says: {brief(answer.text, _MOST_MESSAGE) or 'it failed'}")
        return answer

    @asynccontextmanager
    async def _linked(self, seconds: float) -> AsyncIterator[Client]:
        """Lend the connection, and translate what the library raises; what broke is made anew the next time."""
        link: _Link | None = None
        try:
            async with asyncio.timeout(seconds):
                link = await self._open()
                yield link.client
        except ToolFailed:
            raise
        except MCPError as error:
            if error.code not in _GONE:
                raise ToolFailed(f"`{self._name}` refused the call: {brief(error.message, _MOST_MESSAGE)}") from error
            await self._drop(link)
            raise ProviderUnavailable(f"the tool server `{self._name}` broke off or did not answer in time") from error
        except TimeoutError as error:
            raise ProviderUnavailable(f"the tool server `{self._name}` did not answer in time") from error
        except (OSError, httpx2.HTTPError, BaseExceptionGroup) as error:
            await self._drop(link)
            raise ProviderUnavailable(f"the tool server `{self._name}` cannot be reached") from error
        except (ValueError, RuntimeError) as error:
            await self._drop(link)
            raise ProviderBroken(f"the tool server `{self._name}` answered in no known form") from error

    async def _open(self) -> _Link:
        async with self._opening:
            if self._link is None or self._link.ended.is_set():
                link = _Link()
                self._owned.start(link.hold(self._place), name="connection")
                try:
                    await link.opened()
                except BaseException:
                    link.leave.set()
                    raise
                self._link = link
            return self._link

    async def _drop(self, link: _Link | None) -> None:
        if link is None:
            return
        link.leave.set()
        if self._link is link:
            self._link = None
        await link.ended.wait()


class _Link:
    """One connection, entered and left by the task that runs `hold`."""

    def __init__(self) -> None:
        self.leave = asyncio.Event()
        self.ended = asyncio.Event()
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()

    @property
    def client(self) -> Client:
        return self._ready.result()

    async def opened(self) -> None:
        await asyncio.shield(self._ready)

    async def hold(self, place: Place) -> None:
        """Connect, stay until told to leave, disconnect."""
        try:
            async with AsyncExitStack() as stack:
                client = await stack.enter_async_context(_client(place))
                if not self._ready.done():
                    self._ready.set_result(client)
                await self.leave.wait()
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(_first(error))
                self._ready.exception()  # whoever waited may have gone: then nobody asks
            raise
        finally:
            self.ended.set()


def _client(place: Place) -> Client:
    return Client(_transport(place), cache=None, read_timeout_seconds=_CONNECT_SECONDS)


@asynccontextmanager
async def _transport(place: Place) -> AsyncIterator[Any]:
    """Yield the library's streams to a server."""
    if isinstance(place, Command):
        parameters = StdioServerParameters(command=place.words[0], args=list(place.words[1:]), env=dict(place.env))
        with await asyncio.to_thread(_nowhere) as nowhere:
            async with stdio_client(parameters, errlog=nowhere) as streams:
                yield streams
        return
    # Certificates are read, and more of the library: beside the loop.
    client = await asyncio.to_thread(_http, place)
    async with (
        client as http,
        streamable_http_client(place.url, http_client=http, max_sse_event_size=MOST_BYTES) as streams,
    ):
        yield streams


def _http(place: Address) -> httpx2.AsyncClient:
    """Return a client that goes through the proxy of `place`, whatever the environment says, and follows nothing."""
    return httpx2.AsyncClient(
        headers=dict(place.headers),
        transport=Bounded(place.proxy),
        trust_env=False,
        timeout=httpx2.Timeout(_CONNECT_SECONDS, read=None),
        follow_redirects=False,
    )


def _nowhere() -> TextIO:
    """Return where a server's standard error goes: what it says is nobody's."""
    return Path(os.devnull).open("w", encoding="utf-8")


def _described(tool: types.Tool) -> Described:
    hints = tool.annotations
    idempotent = hints is not None and bool(hints.read_only_hint or hints.idempotent_hint)
    return Described(
        name=tool.name, description=tool.description or "", schema=tool.input_schema, idempotent=idempotent
    )


def _answer(result: types.CallToolResult) -> Answer:
    texts: list[str] = []
    left_out = 0
    for block in result.content:
        if isinstance(block, types.TextContent):
            texts.append(block.text)
        elif isinstance(block, types.EmbeddedResource) and isinstance(block.resource, types.TextResourceContents):
            texts.append(block.resource.text)
        else:
            left_out += 1
    if not texts and result.structured_content is not None:
        texts.append(orjson.dumps(result.structured_content, option=orjson.OPT_INDENT_2).decode())
    whole = "\n\n".join(texts).encode("utf-8", "replace").decode()
    return Answer(text=whole[:MOST_CHARS], left_out=left_out, cut=len(whole) > MOST_CHARS)


def _first(error: BaseException) -> BaseException:
    """Return what a task group's end is about; a cancellation of ours is a connection that ended."""
    if isinstance(error, BaseExceptionGroup):
        return _first(error.exceptions[0])
    return error if isinstance(error, Exception) else ConnectionAbortedError("the connection was given up")


def _told_to_caller(_name: str, _error: BaseException) -> None:
    """Leave a connection's failure to those who call over it."""
