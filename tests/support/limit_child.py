"""A process that takes from one shared limit until it is killed or its time is over.

    python -m tests.support.limit_child URL RATE SECONDS WAITERS

Prints one line a grant: its Unix time.
"""

from __future__ import annotations

import asyncio
import sys
import time

from leadline.errors import LimitReached
from leadline.limits.redis import RedisLedger
from leadline.limits.types import Limit
from leadline.limits.waiting import GcraLimiter
from leadline.wire.redis import open_redis


def tell(line: str) -> None:
    """Say something to the parent at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def run(url: str, rate: float, *, seconds: float, waiters: int) -> None:
    """Take grants with `waiters` tasks."""
    end = time.time() + seconds

    async def take(limiter: GcraLimiter) -> None:
        while (left := end - time.time()) > 0:
            try:
                await limiter.acquire([Limit(key="provider", rate=rate)], deadline=left)
            except LimitReached:
                return
            tell(f"{time.time():.6f}")

    async with open_redis(url, connections=waiters) as client:
        limiter = GcraLimiter(RedisLedger(client))
        await client.ping()
        tell("ready")
        await asyncio.to_thread(sys.stdin.readline)
        end = time.time() + seconds
        async with asyncio.TaskGroup() as taking:
            for _ in range(waiters):
                taking.create_task(take(limiter))


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], float(sys.argv[2]), seconds=float(sys.argv[3]), waiters=int(sys.argv[4])))
