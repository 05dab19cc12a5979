"""Measure the cache: CPU of a hit in memory, SQLite and Redis; one load for 200 misses; invalidation.

    python benchmarks/cache.py [--json]

A value is 4 KiB of words. A hit in SQLite or Redis goes through the whole cache with memory switched
off, as a first hit in a process does. Bars: 2, 20 and 150 microseconds of CPU. Redis is a server of
its own on a free port; without `redis-server` its rows are left out. Beside it: a bare dictionary,
a bare SELECT, a bare GET.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import socket
import sqlite3
import string
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from leadline.cache.keys import key
from leadline.cache.pages import CachedPages
from leadline.cache.redis import RedisCache
from leadline.cache.searches import CachedSearch
from leadline.cache.sqlite import SqliteCache
from leadline.cache.tiered import TieredCache
from leadline.cache.types import Category, Loaded, Store
from leadline.domain import Fetched, Hit
from leadline.ports import Found, PageRead, Query
from leadline.testing import fetched
from leadline.wire.redis import open_redis

BODY_BYTES = 4_096
REPEATS = 5


@dataclass(frozen=True, kw_only=True)
class Row:
    """CPU microseconds an operation, the best of some repeats; `bar` where there is one."""

    what: str
    cpu_us: float
    bar: float | None = None


async def cpu_us(work: Callable[[], Awaitable[object]], *, count: int) -> float:
    """Return the CPU microseconds of `await work()`."""
    best = float("inf")
    for _ in range(REPEATS):
        begun = time.process_time()
        for _ in range(count):
            await work()
        best = min(best, time.process_time() - begun)
    return best / count * 1e6


@cache
def body() -> bytes:
    """Return words of a seeded generator."""
    rng = random.Random(7)  # noqa: S311 seeded text
    words = ["".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 9))) for _ in range(400)]
    return " ".join(rng.choices(words, k=BODY_BYTES)).encode()[:BODY_BYTES]


async def load() -> Loaded:
    """Bring the value."""
    return Loaded(body())


async def rows_of(name: str, store: Store, *, bar: float, bare: Callable[[], Awaitable[object]]) -> list[Row]:
    """Measure a store behind the cache, and bare."""
    wanted = key(Category.SEARCH, {"q": "depth"}, tenant=None)
    rng = random.Random(1)  # noqa: S311 tokens of leases
    async with TieredCache(store, random=rng, now=time.time, memory_bytes=0) as tiers:
        await tiers.through(wanted, load)
        hit = await cpu_us(lambda: tiers.through(wanted, load), count=1_000)
        times = []
        for _ in range(20):
            begun = time.perf_counter()
            await tiers.invalidate(Category.SEARCH, tenant=None)
            times.append(time.perf_counter() - begun)
        fresh = iter(range(1_000_000))
        put = await cpu_us(
            lambda: tiers.through(key(Category.SEARCH, {"q": next(fresh)}, tenant=None), load), count=100
        )
        rows = [
            Row(what=f"{name}: hit through the cache", cpu_us=hit, bar=bar),
            Row(what=f"{name}: bare get", cpu_us=await cpu_us(bare, count=1_000)),
            Row(what=f"{name}: miss, lease, load, store", cpu_us=put),
            Row(what=f"{name}: invalidate a namespace (wall)", cpu_us=min(times) * 1e6, bar=10_000),
        ]
    await stampede(store)
    return rows


async def stampede(store: Store) -> None:
    """Let 200 callers miss one key at once; exactly one may load."""
    loads = 0

    async def slow() -> Loaded:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0.1)
        return Loaded(b"x")

    rng = random.Random(2)  # noqa: S311 tokens of leases
    async with TieredCache(store, random=rng, now=time.time) as tiers, asyncio.TaskGroup() as asking:
        wanted = key(Category.OTHER, {"q": time.time()}, tenant=None)
        for _ in range(200):
            asking.create_task(tiers.through(wanted, slow))
    if loads != 1:
        raise SystemExit(f"200 misses of one key were {loads} loads")


async def sqlite_rows(folder: Path, stack: AsyncExitStack) -> list[Row]:
    """Measure memory and SQLite."""
    store = await stack.enter_async_context(SqliteCache.open(folder / "cache.db", now=time.time))
    wanted = key(Category.SEARCH, {"q": "depth"}, tenant=None)
    rng = random.Random(1)  # noqa: S311 tokens of leases
    async with TieredCache(store, random=rng, now=time.time) as tiers:
        await tiers.through(wanted, load)
        memory = await cpu_us(lambda: tiers.through(wanted, load), count=50_000)
    plain = {wanted.id: body()}

    async def look_up() -> bytes:
        return plain[wanted.id]

    other = sqlite3.connect(folder / "bare.db", isolation_level=None)
    other.execute("CREATE TABLE kv (k TEXT PRIMARY KEY, v BLOB)")
    other.execute("INSERT INTO kv VALUES ('k', ?)", (body(),))

    async def bare() -> object:
        return other.execute("SELECT v FROM kv WHERE k = 'k'").fetchone()

    rows = [
        Row(what="memory: hit", cpu_us=memory, bar=2),
        Row(what="memory: bare dictionary", cpu_us=await cpu_us(look_up, count=50_000)),
        Row(
            what="key of a request",
            cpu_us=await cpu_us(
                lambda: asyncio.sleep(0, key(Category.SEARCH, {"q": "depth"}, tenant=None)), count=5_000
            ),
        ),
    ]
    rows += await rows_of("sqlite", store, bar=20, bare=bare)
    other.close()
    return rows


def start_redis(folder: Path, stack: AsyncExitStack) -> int:
    """Start a server that is killed at the end of the stack; return its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen([*command, "--logfile", "redis.log"])
    stack.callback(server.wait)
    stack.callback(server.kill)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    return port


async def redis_rows(folder: Path, stack: AsyncExitStack) -> list[Row]:
    """Measure Redis."""
    port = await asyncio.to_thread(start_redis, folder, stack)
    client = await stack.enter_async_context(open_redis(f"redis://127.0.0.1:{port}"))
    store = await stack.enter_async_context(RedisCache.open(client, now=time.time))
    await client.set("k", body())
    return await rows_of("redis", store, bar=150, bare=lambda: client.get("k"))


class Answers:
    """A search of ten hits, and a page of 200 kB with its text of 50 kB."""

    name = "bench"

    async def search(self, query: Query, *, deadline: float) -> Found:
        """Return ten hits."""
        return Found(
            hits=tuple(
                Hit(uri=f"https://a.example/{n}", title="t" * 60, snippet="s" * 200, provider=self.name, rank=n)
                for n in range(1, 11)
            )
        )

    def reads(self, uri: str) -> bool:
        """Read everything."""
        return bool(uri)

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        """Return the page."""
        text = (body() * 13).decode()[:50_000]
        return replace(fetched(uri, text), raw=body() * 50)

    async def page(self, uri: str, *, deadline: float, mark: str = "") -> PageRead | None:
        """Return the page."""
        return PageRead(fetched=await self.read(uri, deadline=deadline))


async def port_rows(folder: Path, stack: AsyncExitStack) -> list[Row]:
    """Measure what a run sees: a hit as the answer itself, decoded, from memory."""
    store = await stack.enter_async_context(SqliteCache.open(folder / "ports.db", now=time.time))
    rng = random.Random(3)  # noqa: S311 tokens of leases
    async with TieredCache(store, random=rng, now=time.time) as tiers:
        search = CachedSearch(Answers(), tiers)
        pages = CachedPages(Answers(), tiers, policy="", canonical=str, owner=lambda _: None)
        query = Query(text="depth of the sea")
        await search.search(query, deadline=5)
        await pages.read("https://a.example/1", deadline=5)
        return [
            Row(
                what="search of ten hits, from memory",
                cpu_us=await cpu_us(lambda: search.search(query, deadline=5), count=500),
            ),
            Row(
                what="page of 200 kB, from memory",
                cpu_us=await cpu_us(lambda: pages.read("https://a.example/1", deadline=5), count=500),
            ),
        ]


async def measure(folder: Path) -> list[Row]:
    """Measure what can be measured here."""
    async with AsyncExitStack() as stack:
        rows = await sqlite_rows(folder, stack)
        rows += await port_rows(folder, stack)
        if shutil.which("redis-server"):
            rows += await redis_rows(folder, stack)
    return rows


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(measure(Path(folder)))
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print(f"{'':<42}{'CPU us':>9}{'bar':>8}")
    for row in rows:
        print(f"{row.what:<42}{row.cpu_us:>9.2f}{'' if row.bar is None else f'{row.bar:g}':>8}")


if __name__ == "__main__":
    main()
