"""The pool as a gateway, before four cheap servers, beside a bare forwarder and direct calls.

    python benchmarks/pool.py [--requests 2000] [--json]

CPU is the gateway process's own, in ms a request, with 32 connections: a small body (1 KB) and one
with 64 KiB of history. `bare` is the least that forwards at all: an ASGI function that reads a body,
sends it on, and returns the answer. `first_token_*` is until the first event of 32 streams paced
like a model's; `added` is the gateway's less the direct one's. `spread_max` is the most of 48
sessions at one server of four (12 is even), `sticky` the share of their later turns on the server
of the first.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn

from leadline.model.gateway import Gateway
from leadline.model.gateway_http import Receive, Scope, Send, read_body, respond
from leadline.model.pool_types import ServerSpec

HERE = Path(__file__).parent
CONNECTIONS = 32
SESSIONS, TURNS = 48, 10


# --- the sides -----------------------------------------------------------------------------------


class Bare:
    """Forwards every body to one server and returns the answer; no pool, no streaming, no keys."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        body = await read_body(receive, limit=1 << 30)
        async with self._session.post(f"{self._url}/chat/completions", data=body) as response:
            await respond(send, await response.read())


def serve(kind: str, urls: list[str]) -> None:
    """Be the gateway, or the bare forwarder, on a free port that is printed."""
    app: Any = Gateway([ServerSpec(url=url) for url in urls]) if kind == "gateway" else Bare(urls[0])
    config = uvicorn.Config(app, port=0, log_level="critical", access_log=False, lifespan="off", backlog=1024)

    async def run() -> None:
        server = uvicorn.Server(config)
        if isinstance(app, Gateway):
            await app.__aenter__()
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        sys.stdout.write(f"{server.servers[0].sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await server.main_loop()

    asyncio.run(run())


@contextmanager
def started(*arguments: str) -> Iterator[tuple[int, list[int]]]:
    """Run a process of this benchmark; yield its id and the ports it prints."""
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            printed = process.stdout.readline() if process.stdout is not None else ""
            yield process.pid, [int(word) for word in printed.split()]
        finally:
            process.kill()


def used(pid: int) -> float:
    """Return the CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- the client ----------------------------------------------------------------------------------


class Line:
    """One kept-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, port: int) -> Line:
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def post(self, body: bytes, session: str = "") -> float:
        """Send a request, read all of the answer, and return the seconds to its first body bytes."""
        named = f"x-session-id: {session}\r\n" if session else ""
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{named}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        began = time.perf_counter()
        self._writer.write(head.encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in answer.split(b"\r\n", 1)[0]:
            raise RuntimeError(answer.decode())
        if b"chunked" in answer:
            return await self._chunks(began)
        length = int(answer.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await self._reader.readexactly(length)
        return time.perf_counter() - began

    async def _chunks(self, began: float) -> float:
        first = 0.0
        while size := int(await self._reader.readline(), 16):
            first = first or time.perf_counter() - began
            await self._reader.readexactly(size + 2)
        await self._reader.readline()
        return first

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


def body(size: int = 1000, **fields: bool) -> bytes:
    """Return a request of about `size` bytes."""
    messages = [{"role": "system", "content": "Be careful."}, {"role": "user", "content": "word " * (size // 5)}]
    return json.dumps({"model": "m", "messages": messages} | fields, separators=(",", ":")).encode()


async def load(port: int, data: bytes, requests: int) -> None:
    """Send requests over all connections."""

    async def worker(number: int) -> None:
        line = await Line.to(port)
        for turn in range(requests // CONNECTIONS):
            await line.post(data, f"load-{number}-{turn // 8}")
        line.close()

    async with asyncio.TaskGroup() as group:
        for number in range(CONNECTIONS):
            group.create_task(worker(number))


async def first_tokens(port: int) -> list[float]:
    """Return the seconds to the first event of streams at once."""
    data = body(16_000, stream=True)
    found: list[float] = []

    async def worker(number: int) -> None:
        line = await Line.to(port)
        await asyncio.sleep(number * 0.003)
        for turn in range(2):
            seconds = await line.post(data, f"stream-{number}")
            if turn:
                found.append(seconds)
        line.close()

    async with asyncio.TaskGroup() as group:
        for number in range(CONNECTIONS):
            group.create_task(worker(number))
    return found


async def converse(port: int, backend: int) -> tuple[int, float]:
    """Return the most sessions at one server, and the share of later turns that stayed."""

    async def session(number: int) -> None:
        line = await Line.to(port)
        for _ in range(TURNS):
            await line.post(body(4000, delay=True), f"talk-{number}")
        line.close()

    async with asyncio.TaskGroup() as group:
        for number in range(SESSIONS):
            group.create_task(session(number))
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{backend}/seen") as response:
        seen = await response.json()
    turns = [ports for name, ports in seen.items() if name.startswith("talk-")]
    stayed = [port == ports[0] for ports in turns for port in ports[1:]]
    return max(Counter(ports[0] for ports in turns).values()), sum(stayed) / len(stayed)


# --- the figures ---------------------------------------------------------------------------------


def cpu_ms(pid: int, port: int, data: bytes, *, requests: int) -> float:
    """Return a process's CPU in ms a request."""
    asyncio.run(load(port, data, CONNECTIONS * 4))
    before = used(pid)
    asyncio.run(load(port, data, requests))
    return (used(pid) - before) / (requests // CONNECTIONS * CONNECTIONS) * 1000


def measure(requests: int) -> dict[str, float]:
    """Return the figures by name."""
    found: dict[str, float] = {}
    small, large = body(), body(65_536)
    me = str(HERE / "pool.py")
    with started(str(HERE / "_pool_backend.py")) as (_, ports):
        urls = [f"http://127.0.0.1:{port}/v1" for port in ports]
        with started(me, "--serve", "bare", *urls) as (pid, (bare,)):
            found["bare_cpu_ms"] = cpu_ms(pid, bare, small, requests=requests)
            found["bare_cpu_ms_64k"] = cpu_ms(pid, bare, large, requests=requests // 2)
        with started(me, "--serve", "gateway", *urls) as (pid, (port,)):
            found["gateway_cpu_ms"] = cpu_ms(pid, port, small, requests=requests)
            found["gateway_cpu_ms_64k"] = cpu_ms(pid, port, large, requests=requests // 2)
            direct, through = asyncio.run(first_tokens(ports[0])), asyncio.run(first_tokens(port))
            spread, sticky = asyncio.run(converse(port, ports[0]))
    found["gateway_over_bare"] = found["gateway_cpu_ms"] / found["bare_cpu_ms"]
    found["gateway_over_bare_64k"] = found["gateway_cpu_ms_64k"] / found["bare_cpu_ms_64k"]
    found["first_token_direct_ms"] = statistics.median(direct) * 1000
    found["first_token_gateway_ms"] = statistics.median(through) * 1000
    found["first_token_added_ms"] = found["first_token_gateway_ms"] - found["first_token_direct_ms"]
    found["spread_max"] = float(spread)
    found["sticky"] = sticky
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", nargs="+", metavar=("KIND", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve[0], options.serve[1:])
        return
    found = measure(options.requests)
    if options.json:
        json.dump(found, sys.stdout)
        return
    for name, value in found.items():
        print(f"{name:24} {value:10.3f}")


if __name__ == "__main__":
    main()
