"""A way to a server that breaks where a test says: what the server answered last never arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Cutter:
    """A TCP proxy. After `cut(at)` the first request that holds these bytes goes through, but its answer does not."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._at: bytes | None = None
        self.happened = False
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0

    def cut(self, at: bytes) -> None:
        """Break the connection that a request with these bytes came on, as soon as its answer comes."""
        self._at, self.happened = at, False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        away, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, back]
        doomed = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            _ = group.create_task(self._carry(reader, back, doomed, answers=False))
            _ = group.create_task(self._carry(away, writer, doomed, answers=True))

    async def _carry(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, doomed: asyncio.Event, *, answers: bool
    ) -> None:
        try:
            while data := await source.read(65_536):
                if not answers and self._at is not None and self._at in data:
                    self._at, self.happened = None, True
                    doomed.set()
                if answers and doomed.is_set():
                    break
                target.write(data)
                await target.drain()
        except ConnectionError:
            pass
        finally:
            target.close()


@asynccontextmanager
async def cutter(port: int) -> AsyncIterator[Cutter]:
    """Open a way to a server of this machine."""
    proxy = Cutter(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for writer in proxy._writers:
            writer.close()
        await asyncio.sleep(0.05)  # connections end
