"""Whether a part is ready: one question, one answer within a second or two."""

from __future__ import annotations

import asyncio
import ssl
from asyncio.subprocess import DEVNULL
from functools import cache
from pathlib import Path
from typing import Final

from leadline.ops.topology.inherited import of_servers
from leadline.ops.topology.units import Http, Listens, Probe, RedisPing
from leadline.settings import process_environment

SECONDS: Final = 3.0
"""How long one question may take."""

HOST: Final = "127.0.0.1"


async def answers(probe: Probe) -> bool:
    """Return whether a part is ready. What does not answer in time is not."""
    try:
        async with asyncio.timeout(SECONDS):
            match probe:
                case Http():
                    return await _http(probe)
                case RedisPing():
                    return await _redis(probe)
                case Listens():
                    return bool(await _asked(probe.port, b"", wants=False))
                case _:
                    return await _says(probe.argv)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False


async def _http(probe: Http) -> bool:
    request = f"GET {probe.path} HTTP/1.1\r\nHost: localhost:{probe.port}\r\nConnection: close\r\n\r\n"
    tls = None if probe.ca is None else _trusting(probe.ca)
    line = await _asked(probe.port, request.encode(), tls=tls)
    return line.startswith(b"HTTP/") if probe.anything else line.split(b" ")[1:2] == [b"200"]


async def _redis(probe: RedisPing) -> bool:
    """Ask with the password, as RESP has it; a server that still loads answers with an error."""
    words = (("AUTH", probe.password), ("PING",))
    wire = "".join(f"*{len(one)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in one) for one in words)
    return await _asked(probe.port, wire.encode(), lines=2) == b"+PONG\r\n"


async def _asked(
    port: int, request: bytes, *, tls: ssl.SSLContext | None = None, lines: int = 1, wants: bool = True
) -> bytes:
    """Return the last of the first `lines` of the answer; what is not empty where no answer is wanted."""
    name = None if tls is None else "localhost"
    reader, writer = await asyncio.open_connection(HOST, port, ssl=tls, server_hostname=name)
    try:
        if not wants:
            return b"+"
        writer.write(request)
        line = b""
        for _ in range(lines):
            line = await reader.readline()
        return line
    finally:
        writer.transport.abort()


async def _says(argv: tuple[str, ...]) -> bool:
    around = of_servers(process_environment())
    process = await asyncio.create_subprocess_exec(*argv, env=around, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
    try:
        return await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@cache
def _trusting(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca))
