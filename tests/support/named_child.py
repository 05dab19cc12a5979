"""Processes behind names of DNS and a Prometheus that looks for them, in a network of their own.

Run inside a namespace where port 53 is free: it is the server of names that `/etc/resolv.conf` gives there.
Takes commands as lines of JSON, `{"query": ...}` and `{"away": [name, address]}`, and answers each with one.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
from contextlib import AsyncExitStack
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from tests.support.monitoring import lay_down, running_prometheus

Names = dict[str, list[str]]
KEY = "metrics-key"


class Nameserver(asyncio.DatagramProtocol):
    """Answers which addresses a name has (RFC 1035, section 4), with no time to live."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # it is one
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        end = data.index(b"\0", 12) + 5
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        wants_address = data[end - 4 : end - 2] == b"\0\1"
        found = self._names.get(".".join(labels), [])
        known = found if wants_address else []
        flags = 0x8580 if found else 0x8583
        head = data[:2] + struct.pack(">HHHHH", flags, 1, len(known), 0, 0)
        rows = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + IPv4Address(one).packed for one in known)
        assert self._transport is not None
        self._transport.sendto(head + data[12:end] + rows, addr)


async def listening(stack: AsyncExitStack, *, place: tuple[str, int], text: str) -> web.AppRunner:
    async def metrics(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.Response(status=401)
        return web.Response(text=text)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, *place).start()
    return runner


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(folder: Path) -> None:
    world: dict[str, Any] = json.loads((folder / "world.json").read_text("utf-8"))
    names: Names = {name: list(there) for name, there in world["names"].items()}
    files: dict[str, str] = world["files"]
    async with AsyncExitStack() as stack:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: Nameserver(names), local_addr=("127.0.0.1", 53))
        stack.callback(transport.close)
        runners = {
            (name, address): await listening(stack, place=(address, world["ports"][name]), text=text)
            for name, there in world["names"].items()
            for address, text in there.items()
        }
        lay_down(folder, {"key": KEY})
        session = await stack.enter_async_context(aiohttp.ClientSession())
        prometheus = await stack.enter_async_context(running_prometheus(folder, files, session=session))
        say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            if "away" in asked:
                name, address = asked["away"]
                names[name].remove(address)
                await runners[name, address].cleanup()
                found: Any = None
            else:
                found = await prometheus.query(asked["query"])
            say(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
