"""A clock that moves only when told to."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count


class FakeClock:
    """`Clock` for tests: `advance` moves it and wakes who has slept long enough.

    With `auto` a sleep returns at once and moves the clock itself: nothing waits, yet time passes.
    `slept` are the seconds of all sleeps asked for, in order.
    """

    def __init__(self, start: float = 1_700_000_000.0, *, auto: bool = False) -> None:
        self._now = start
        self._auto = auto
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._ticket = count()
        self.slept: list[float] = []

    def now(self) -> float:
        """Return Unix time in seconds."""
        return self._now

    def monotonic(self) -> float:
        """Return the same time, for what wants a clock that never goes back."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return once the clock has moved on by `seconds`."""
        self.slept.append(seconds)
        if self._auto or seconds <= 0:
            self._now += max(0.0, seconds)
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self._now + seconds, next(self._ticket), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move on by `seconds`; sleepers wake in order, each at its own time."""
        end = self._now + seconds
        await asyncio.sleep(0)
        while self._waiting and self._waiting[0][0] <= end:
            self._now, _, woken = heapq.heappop(self._waiting)
            if not woken.done():
                woken.set_result(None)
            # Let the sleeper run, which may sleep again before the end.
            for _ in range(3):
                await asyncio.sleep(0)
        self._now = end

    @property
    def sleepers(self) -> int:
        """How many sleeps are under way."""
        return sum(1 for _, _, woken in self._waiting if not woken.done())
