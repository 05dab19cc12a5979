"""A process that asks for one key many times at once; the load appends a line to a file.

    python -m tests.support.cache_child PLACE LOG CALLERS SECONDS

PLACE is a file for SQLite or the address of a Redis. Prints the set of answers.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.support.caches import Shifted, cache_over, store_at

from leadline.cache.keys import key
from leadline.cache.types import Category, Loaded


async def run(place: str, log: Path, *, callers: int, seconds: float) -> None:
    """Ask, from as many tasks as `callers`, once the parent says so."""
    now = Shifted()

    async def load() -> Loaded:
        handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(handle, b"load\n")
        os.close(handle)
        await asyncio.sleep(seconds)
        return Loaded(b"answer")

    where = place if place.startswith("redis:") else Path(place)
    async with store_at(where, now=now) as store, cache_over(store, now=now, seed=os.getpid()) as cache:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        wanted = key(Category.SEARCH, {"q": "depth"}, tenant=None)
        async with asyncio.TaskGroup() as asking:
            tasks = [asking.create_task(cache.through(wanted, load)) for _ in range(callers)]
        sys.stdout.write(repr(sorted({task.result().body for task in tasks})))


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Path(sys.argv[2]), callers=int(sys.argv[3]), seconds=float(sys.argv[4])))
