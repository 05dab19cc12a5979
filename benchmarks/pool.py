"""The pool as a gateway, before four cheap servers, beside nginx, a bare forwarder and direct calls.

    python benchmarks/pool.py [--requests 2000] [--json]

CPU is the gateway process's own, in ms a request, with 32 connections: a small body (1 KB) and one
with 64 KiB of history. `bare` is the least that forwards at all: an ASGI function that reads a body,
sends it on, and returns the answer; `nginx` (where it is installed) has `least_conn`, kept-alive
connections, and its defaults for what a failed server is. `first_token_*` is until the first event
of 32 streams paced like a model's; `added` is the gateway's less the direct one's; `stream_cpu_*` is
the CPU of one of these streams of 40 events, and `stream_wait_*` how long the process waited for a
core meanwhile: where that is much, `first_token_*` tells of the machine. `spread_max` is
the most of 48 sessions at one server of four (12 is even), `sticky` the share of their later turns
on the server of the first. `errors_*` are the clients' of 24 at once and 36 one by one, with one
server of four that closes each connection (`down`), answers 503, or (24 at once, within 8 s) never
answers (`hangs`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from _figures import show

from leadline.model.attempt import Clocks
from leadline.model.gateway.app import Gateway
from leadline.model.gateway.http import Receive, Scope, Send, read_body, respond
from leadline.model.pool.types import ServerSpec

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
    logging.getLogger("leadline").addHandler(logging.NullHandler())  # that a server is ill is what is measured
    # As an operator sets them who cares for hanging servers; `whole` is the clock of answers that are not streamed.
    clocks = Clocks(first_token=2.0)
    app: Any = (
        Gateway([ServerSpec(url=url) for url in urls], clocks=clocks, whole=2.0) if kind == "gateway" else Bare(urls[0])
    )
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


NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  client_max_body_size 64m; client_body_buffer_size 1m; keepalive_requests 1000000;
  upstream models {{ least_conn; {servers} keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://models; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Session-Id $http_x_session_id; proxy_buffering off;
    }}
  }}
}}
"""


@contextmanager
def nginx(ports: list[int]) -> Iterator[tuple[int, int]]:
    """Run nginx before the servers; yield its worker's process id and its port."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        servers = " ".join(f"server 127.0.0.1:{at};" for at in ports)
        file = Path(folder, "nginx.conf")
        file.write_text(NGINX.format(folder=folder, servers=servers, port=port), encoding="utf-8")
        with subprocess.Popen(["nginx", "-p", folder, "-c", file], stderr=subprocess.DEVNULL) as process:
            try:
                yield _worker_of(process.pid, port), port
            finally:
                process.terminate()


def _worker_of(master: int, port: int) -> int:
    """Return the process that serves, once it does."""
    for _ in range(200):
        found = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="ascii").split()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
            continue
        if found:
            return int(found[0])
    raise RuntimeError("nginx did not start")


def used(pid: int) -> float:
    """Return the CPU seconds of a process; the kernel's clock ticks (10 ms) are too coarse for short runs."""
    return _scheduled(pid, 0)


def waited(pid: int) -> float:
    """Return the seconds for which a process could have run and had no core."""
    return _scheduled(pid, 1)


def _scheduled(pid: int, column: int) -> float:
    """Return a figure of the scheduler's in seconds, over all threads: `schedstat` of proc(5), in ns."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int(Path(task, "schedstat").read_text(encoding="ascii").split()[column]) for task in tasks) / 1e9


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


async def converse(port: int, backend: int, name: str = "talk") -> tuple[int, float]:
    """Return the most sessions at one server, and the share of later turns that stayed."""

    async def session(number: int) -> None:
        line = await Line.to(port)
        for _ in range(TURNS):
            await line.post(body(4000, delay=True), f"{name}-{number}")
        line.close()

    async with asyncio.TaskGroup() as group:
        for number in range(SESSIONS):
            group.create_task(session(number))
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{backend}/seen") as response:
        seen = await response.json()
    turns = [ports for session, ports in seen.items() if session.startswith(f"{name}-")]
    stayed = [port == ports[0] for ports in turns for port in ports[1:]]
    return max(Counter(ports[0] for ports in turns).values()), sum(stayed) / len(stayed)


async def errors(port: int, *, hangs: bool) -> float:
    """Return how many of sixty calls got no answer; where a server hangs, of 24 at once within 8 s."""
    failed = 0

    async def one(number: int) -> None:
        nonlocal failed
        line = await Line.to(port)
        try:
            async with asyncio.timeout(8.0 if hangs else 30.0):
                await line.post(body(), f"fault-{number}")
        except (RuntimeError, TimeoutError, OSError, asyncio.IncompleteReadError):
            failed += 1
        finally:
            line.close()

    async with asyncio.TaskGroup() as group:
        for number in range(24):
            group.create_task(one(number))
    for number in range(24, 24 if hangs else 60):
        await one(number)
    return float(failed)


# --- the figures ---------------------------------------------------------------------------------


def cpu_ms(pid: int, port: int, data: bytes, *, requests: int) -> float:
    """Return a process's CPU in ms a request."""
    asyncio.run(load(port, data, CONNECTIONS * 4))
    before = used(pid)
    asyncio.run(load(port, data, requests))
    return (used(pid) - before) / (requests // CONNECTIONS * CONNECTIONS) * 1000


def faults(found: dict[str, float]) -> None:
    """Add how many clients notice a bad server of four, through nginx and through the gateway."""
    for fault in ("down", "503", "hangs"):
        hangs = fault == "hangs"
        with started(str(HERE / "_pool_backend.py"), fault) as (_, ports):
            urls = [f"http://127.0.0.1:{port}/v1" for port in ports]
            with started(str(HERE / "pool.py"), "--serve", "gateway", *urls) as (_, (port,)):
                found[f"errors_gateway_{fault}"] = asyncio.run(errors(port, hangs=hangs))
            with nginx(ports) if shutil.which("nginx") else nullcontext((0, 0)) as (pid, port):
                found |= {f"errors_nginx_{fault}": asyncio.run(errors(port, hangs=hangs))} if pid else {}


def streamed(found: dict[str, float], name: str, *, pid: int, port: int) -> None:
    """Add the first token through a process, what a stream of 40 events costs it, and its wait for a core."""
    before, late = used(pid), waited(pid)
    found[f"first_token_{name}_ms"] = statistics.median(asyncio.run(first_tokens(port))) * 1000
    streams = 2 * CONNECTIONS
    found[f"stream_cpu_{name}_ms"] = (used(pid) - before) / streams * 1000
    found[f"stream_wait_{name}_ms"] = (waited(pid) - late) / streams * 1000


def measure_nginx(found: dict[str, float], ports: list[int], *, requests: int) -> None:
    """Add what nginx does with the same load, where it is installed."""
    if not shutil.which("nginx"):
        return
    with nginx(ports) as (pid, port):
        found["nginx_cpu_ms"] = cpu_ms(pid, port, body(), requests=requests)
        found["nginx_cpu_ms_64k"] = cpu_ms(pid, port, body(65_536), requests=requests // 2)
        streamed(found, "nginx", pid=pid, port=port)
        spread, sticky = asyncio.run(converse(port, ports[0], "nginx"))
        found["spread_max_nginx"], found["sticky_nginx"] = float(spread), sticky


def measure(requests: int) -> dict[str, float]:
    """Return the figures by name."""
    found: dict[str, float] = {}
    small, large = body(), body(65_536)
    me = str(HERE / "pool.py")
    faults(found)
    with started(str(HERE / "_pool_backend.py")) as (_, ports):
        urls = [f"http://127.0.0.1:{port}/v1" for port in ports]
        measure_nginx(found, ports, requests=requests)
        with started(me, "--serve", "bare", *urls) as (pid, (bare,)):
            found["bare_cpu_ms"] = cpu_ms(pid, bare, small, requests=requests)
            found["bare_cpu_ms_64k"] = cpu_ms(pid, bare, large, requests=requests // 2)
        with started(me, "--serve", "gateway", *urls) as (pid, (port,)):
            found["gateway_cpu_ms"] = cpu_ms(pid, port, small, requests=requests)
            found["gateway_cpu_ms_64k"] = cpu_ms(pid, port, large, requests=requests // 2)
            direct = asyncio.run(first_tokens(ports[0]))
            streamed(found, "gateway", pid=pid, port=port)
            spread, sticky = asyncio.run(converse(port, ports[0]))
    found["gateway_over_bare"] = found["gateway_cpu_ms"] / found["bare_cpu_ms"]
    found["gateway_over_bare_64k"] = found["gateway_cpu_ms_64k"] / found["bare_cpu_ms_64k"]
    found["first_token_direct_ms"] = statistics.median(direct) * 1000
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
    show(measure(options.requests), as_json=options.json)


if __name__ == "__main__":
    main()
