"""The limiter: reserve in a ledger, wait, look again, give back what is not used."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from leadline.errors import LimitReached
from leadline.limits.types import HOLD_SECONDS, Ledger, Limit, Slot
from leadline.resilience import Deadline, Monotonic, Sleeps, SystemClock

# A server's wish is kept up to here, in seconds: a mistaken one must not switch it off for a day.
MOST_HOLD: Final = 3_600.0


class GcraLimiter:
    """`Limiter` over a ledger."""

    def __init__(self, ledger: Ledger, *, clock: Sleeps | None = None, monotonic: Monotonic = time.monotonic) -> None:
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._monotonic = monotonic

    async def acquire(self, limits: Sequence[Limit], *, deadline: float, weight: float = 1.0) -> float:
        """See `Limiter.acquire`."""
        held: dict[str, Slot] = {}
        try:
            return await self._wait(limits, held, deadline=deadline, weight=weight)
        except BaseException:
            # A slot whose reservation was under way when the caller was cancelled is lost.
            await self._ledger.refund(held)
            raise

    async def limited(self, key: str, *, retry_after: float | None = None) -> None:
        """See `Limiter.limited`."""
        seconds = HOLD_SECONDS if retry_after is None else min(MOST_HOLD, max(0.0, retry_after))
        await self._ledger.limited(key, seconds=seconds)

    async def _wait(self, limits: Sequence[Limit], held: dict[str, Slot], *, deadline: float, weight: float) -> float:
        """Return the seconds waited; `held` is what to give back if it comes to nothing."""
        begun = self._monotonic()
        left = Deadline(deadline, monotonic=self._monotonic)
        while True:
            reserved = await self._ledger.reserve(limits, taken=held, weight=weight, within=left.left())
            held.clear()
            held.update(reserved.taken)
            if reserved.refused:
                raise LimitReached(_told(limits, reserved.wait), retry_after=reserved.wait)
            if reserved.wait <= 0.0 and len(held) == len(limits):
                return self._monotonic() - begun
            await self._clock.sleep(reserved.wait)


def _told(limits: Sequence[Limit], wait: float) -> str:
    names = ", ".join(f"`{limit.key}`" for limit in limits)
    return f"the limit of {names} leaves room only in {wait:.3g} s; try again then"
