"""A process that takes from one shared limit until it is killed or its time is over.

    python -m tests.support.limit_child URL RATE SECONDS WAITERS

Prints one line a grant: the place in the queue that it was given, by Redis's clock, and when it
was let through, by this process's.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar

from tests.support.waiting import PATIENT

from leadline.errors import LimitReached
from leadline.limits.redis import RedisLedger
from leadline.limits.types import Ledger, Limit, Reserved, Slot
from leadline.limits.waiting import GcraLimiter
from leadline.wire.redis import open_redis


class Noting:
    """A ledger that notes for each task which place it was given last."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.place: ContextVar[float] = ContextVar("place")

    async def reserve(
        self, limits: Sequence[Limit], *, taken: Mapping[str, Slot], weight: float, within: float
    ) -> Reserved:
        """Reserve, and note it."""
        reserved = await self._ledger.reserve(limits, taken=taken, weight=weight, within=within)
        if "provider" in reserved.taken:
            self.place.set(reserved.taken["provider"].at)
        return reserved

    async def refund(self, slots: Mapping[str, Slot]) -> None:
        """Give back."""
        await self._ledger.refund(slots)

    async def limited(self, key: str, *, seconds: float) -> None:
        """Hold."""
        await self._ledger.limited(key, seconds=seconds)


def tell(line: str) -> None:
    """Say something to the parent at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def run(url: str, rate: float, *, seconds: float, waiters: int) -> None:
    """Take grants with `waiters` tasks."""
    end = time.time() + seconds

    async def take(limiter: GcraLimiter, ledger: Noting) -> None:
        while (left := end - time.time()) > 0:
            try:
                await limiter.acquire([Limit(key="provider", rate=rate)], deadline=left)
            except LimitReached:
                return
            tell(f"{ledger.place.get():.6f} {time.time():.6f}")

    async with open_redis(url, connections=waiters, seconds=PATIENT) as client:
        ledger = Noting(RedisLedger(client))
        limiter = GcraLimiter(ledger)
        await client.ping()
        tell("ready")
        await asyncio.to_thread(sys.stdin.readline)
        end = time.time() + seconds
        async with asyncio.TaskGroup() as taking:
            for _ in range(waiters):
                taking.create_task(take(limiter, ledger))


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], float(sys.argv[2]), seconds=float(sys.argv[3]), waiters=int(sys.argv[4])))
