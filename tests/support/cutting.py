"""A way to a server that breaks where a test says: what the server answered last never arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Cutter:
    """A TCP proxy. After `cut()` requests still go through, answers do not, and the connection then breaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cutting = False
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0

    def cut(self) -> None:
        """Swallow the answer to the next request on any connection, and break it."""
        self._cutting = True

    def mend(self) -> None:
        """Let connections live again."""
        self._cutting = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        away, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, back]
        async with asyncio.TaskGroup() as group:
            _ = group.create_task(self._carry(reader, back, answers=False))
            _ = group.create_task(self._carry(away, writer, answers=True))

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, answers: bool) -> None:
        try:
            while data := await source.read(65_536):
                if answers and self._cutting:
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
