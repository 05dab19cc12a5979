"""A proxy on loopback that guards what is not our own client: Chromium, and libraries with their own HTTP.

It speaks CONNECT and plain forwarding of one request a connection, wants a token that only its
user knows, and lets nothing out that `Guard` would not let out: a name is resolved here, checked,
and the very address is connected to. Time and bytes of each connection are bounded.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, NamedTuple, Self

from leadline.errors import FetchUnavailable, Forbidden, ToolFailed
from leadline.fetch.guard import Guard, check_peer
from leadline.fetch.proxy_wire import BadRequest, Request, forwarded, read_head, read_request, response_head
from leadline.fetch.urls import Target
from leadline.resilience import Owned

USER: Final = "leadline"
_PIECE: Final = 1 << 16
_HOST: Final = "127.0.0.1"
_GOODBYE: Final = 5.0  # seconds
_REASONS: Final = {400: "Bad Request", 403: "Forbidden", 407: "Proxy Authentication Required", 502: "Bad Gateway"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ProxyLimits:
    """What one connection through the proxy may cost.

    `seconds` in all, `idle` without a byte either way, `connect` and `head` for the beginnings;
    `bytes` each way; `connections` at one time, more wait. `total` bounds the bytes of all
    connections together; without it there is no such bound.
    """

    seconds: float = 300.0
    idle: float = 60.0
    connect: float = 10.0
    head: float = 10.0
    bytes: int = 100 * (1 << 20)
    connections: int = 64
    total: int | None = None


class _Streams(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class GuardedProxy:
    """The proxy as an asynchronous context manager: inside it, `url` and `token` are what a client needs.

    `door` is a socket that listens already, perhaps in another network than ours; it stays the
    caller's. Without it the proxy listens on 127.0.0.1.
    """

    def __init__(self, guard: Guard, *, limits: ProxyLimits | None = None, door: socket.socket | None = None) -> None:
        self._guard = guard
        self._limits = limits or ProxyLimits()
        self._door = door
        self._left = self._limits.total
        self._slots = asyncio.Semaphore(self._limits.connections)
        self._server: asyncio.Server | None = None
        self._work = Owned("guarded-proxy", failed=_nothing_to_tell)
        self.token = secrets.token_urlsafe(24)
        self._expected = b"Basic " + base64.b64encode(f"{USER}:{self.token}".encode())

    async def __aenter__(self) -> Self:
        if self._door is None:
            self._server = await asyncio.start_server(self._accept, _HOST, 0, limit=_PIECE)
        else:
            self._server = await asyncio.start_server(self._accept, sock=self._door.dup(), limit=_PIECE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._work.close()
            await self._server.wait_closed()
            self._server = None

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        if self._server is None:
            raise RuntimeError("the proxy is not running")
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def server(self) -> str:
        """The address without the token, for clients that take user and password apart."""
        return f"http://{_HOST}:{self.port}"

    @property
    def exhausted(self) -> bool:
        """Whether `total` bytes have passed; nothing passes any more."""
        return self._left is not None and self._left <= 0

    @property
    def url(self) -> str:
        """The address with user and token."""
        return f"http://{USER}:{self.token}@{_HOST}:{self.port}"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._work.start(self._serve(reader, writer), name="connection")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with self._slots, asyncio.timeout(self._limits.seconds):
                await self._answer(reader, writer)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            pass  # the client is gone, or out of time: there is nobody to tell
        finally:
            await _close(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._limits.head):
                request = await read_request(reader)
            if not hmac.compare_digest(request.authorization, self._expected):
                return await _refuse(writer, 407, "the token is missing or wrong")
            target = self._guard.target(request.url)
            async with self._connected(target) as server:
                client = _Streams(reader, writer)
                if request.tunnel:
                    await self._tunnel(client, server)
                else:
                    await self._forward(request, target, client=client, server=server)
        except BadRequest as error:
            await _refuse(writer, 400, str(error))
        except Forbidden as error:
            await _refuse(writer, 403, str(error))
        except (ToolFailed, OSError, TimeoutError) as error:
            await _refuse(writer, 502, str(error) or "it took too long")
        return None

    @asynccontextmanager
    async def _connected(self, target: Target) -> AsyncIterator[_Streams]:
        """Connect to the first checked address that answers, and to nothing else."""
        async with asyncio.timeout(self._limits.connect):
            addresses = [target.literal] if target.literal else await self._guard.addresses(target.host, target.port)
            streams = None
            for address in addresses:
                self._guard.check(address, target.port)
                with suppress(OSError):
                    streams = await asyncio.open_connection(str(address), target.port, limit=_PIECE)
                    break
        if streams is None:
            raise FetchUnavailable(f"`{target.host}` could not be reached")
        try:
            check_peer(self._guard, streams[1].transport)
            yield _Streams(*streams)
        finally:
            streams[1].transport.abort()

    async def _tunnel(self, client: _Streams, server: _Streams) -> None:
        client.writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        async with asyncio.TaskGroup() as pumps:
            pumps.create_task(self._pump(client.reader, server.writer, self._limits.bytes))
            pumps.create_task(self._pump(server.reader, client.writer, self._limits.bytes))

    async def _forward(self, request: Request, target: Target, *, client: _Streams, server: _Streams) -> None:
        """Send one request on; the end of its answer is the end of the connection."""
        server.writer.write(forwarded(request, target))
        length = min(request.length, self._limits.bytes)
        async with asyncio.TaskGroup() as pumps:
            sending = pumps.create_task(self._pump(client.reader, server.writer, length, close=False))
            head = await self._head_of_answer(server.reader)
            if head is not None:
                client.writer.write(head)
                await self._pump(server.reader, client.writer, self._limits.bytes)
            sending.cancel()
        if head is None:
            raise FetchUnavailable(f"`{target.host}` gave no answer that is HTTP")

    async def _head_of_answer(self, reader: asyncio.StreamReader) -> bytes | None:
        try:
            async with asyncio.timeout(self._limits.idle):
                return response_head(await read_head(reader))
        except (BadRequest, TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            return None

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, most: int, *, close: bool = True
    ) -> None:
        """Copy until the end, the cap, or silence; then tell the other side."""
        left, copied = most, 1
        with suppress(ConnectionError, TimeoutError):
            while left > 0 and copied:
                copied = await self._copy(source, sink, min(_PIECE, left))
                left -= copied
            if close and sink.can_write_eof():
                sink.write_eof()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, most: int) -> int:
        async with asyncio.timeout(self._limits.idle):
            piece = await source.read(most)
            if self._left is not None:
                piece = piece[: max(0, self._left)]
                self._left -= len(piece)
            sink.write(piece)
            await sink.drain()
        return len(piece)


async def _refuse(writer: asyncio.StreamWriter, status: int, message: str) -> None:
    body = f"{message}\n".encode("utf-8", "replace")
    head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    challenge = 'Proxy-Authenticate: Basic realm="leadline"\r\n' if status == 407 else ""
    length = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(f"{head}{challenge}{length}".encode() + body)
    with suppress(ConnectionError):
        await writer.drain()
        writer.write_eof()


async def _close(writer: asyncio.StreamWriter) -> None:
    """Send what is still to be sent, for a moment, and close."""
    writer.close()
    try:
        async with asyncio.timeout(_GOODBYE):
            await writer.wait_closed()
    except (TimeoutError, ConnectionError):
        writer.transport.abort()


def _nothing_to_tell(_name: str, _error: BaseException) -> None:
    """Let a connection's failure stay its own: its client sees it closed."""
