"""Whether a part answers is asked of the part: a connection that the system took says nothing."""

from __future__ import annotations

import asyncio

import pytest

from leadline.ops.topology import probes
from leadline.ops.topology.units import Http


@pytest.mark.parametrize(
    ("said", "ready", "anything"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True, True),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", False, True),
        (b"", False, False),
    ],
)
async def test_who_takes_a_connection_and_says_nothing_is_not_ready(
    monkeypatch: pytest.MonkeyPatch, said: bytes, *, ready: bool, anything: bool
) -> None:
    monkeypatch.setattr(probes, "SECONDS", 3.0 if said else 0.1)
    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        await gone.wait()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = [await probes.answers(Http(port=port, path="/", anything=wide)) for wide in (False, True)]
        gone.set()
    assert found == [ready, anything]
