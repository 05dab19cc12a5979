"""Caches over every store, as two processes of one service would open them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

from tests.support.waiting import PATIENT

from leadline.cache.memory import MemoryStore
from leadline.cache.redis import RedisCache
from leadline.cache.sqlite import SqliteCache
from leadline.cache.tiered import TieredCache
from leadline.cache.types import Loaded, Store
from leadline.errors import ToolFailed
from leadline.resilience import Breaker
from leadline.wire.redis import open_redis


class Shifted:
    """The machine's time, moved on by hand."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        """Return Unix seconds."""
        return time.time() + self.ahead


class Loader:
    """Counts its loads; each takes `seconds` and brings the next number, or fails where told to."""

    def __init__(self, *, seconds: float = 0.0, negative: bool = False) -> None:
        self.loads = 0
        self.seconds = seconds
        self.negative = negative
        self.fails = False
        self.begun = asyncio.Event()

    async def __call__(self) -> Loaded:
        """Load."""
        self.loads += 1
        mine = self.loads
        self.begun.set()
        await asyncio.sleep(self.seconds)
        if self.fails:
            raise ToolFailed("the provider is down")
        return Loaded(b"" if self.negative else str(mine).encode(), negative=self.negative, etag=f'"{mine}"')


@asynccontextmanager
async def store_at(place: str | Path, *, now: Shifted) -> AsyncIterator[Store]:
    """Open a store: a file of SQLite, a Redis's address, or `memory`."""
    async with AsyncExitStack() as stack:
        if isinstance(place, Path):
            yield await stack.enter_async_context(SqliteCache.open(place, now=now))
        elif place == "memory":
            yield MemoryStore(now=now)
        else:
            client = await stack.enter_async_context(open_redis(place, seconds=PATIENT))
            yield await stack.enter_async_context(RedisCache.open(client, now=now))


def cache_over(store: Store, *, now: Shifted, seed: int = 1, lease_seconds: float = 60.0) -> TieredCache:
    """Return a process's cache; its leases outlast any stop of the machine where they are not the question."""
    return TieredCache(
        store,
        random=Random(seed),
        now=now,
        lease_seconds=lease_seconds,
        breaker=Breaker(threshold=2, cooldown=0.3),
    )
