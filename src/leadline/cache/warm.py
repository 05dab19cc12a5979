"""Warming: what will be asked for is loaded before it is asked for, and anew before it gets old.

Which of the answers that are there get old too soon is for each load to say: `before` of
`TieredCache.through`. A pass at least that often keeps what is asked for often from ever being old.
It goes the way of every live call, `TieredCache.through`, so that what was warmed is a hit, an
error is never kept, and nobody else loads the same at the same time. Each item carries the tenant
whose it is; nothing is warmed across tenants.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from leadline.cache.types import Leases, Origin
from leadline.errors import LeadlineError, ProviderDenied, StoreError

LEADER: Final = "leadline:1:warm"
"""The lease of the one process that warms."""

HALF_LIFE_DAYS: Final = 2.0
"""Days after which a past question counts half."""

_SECONDS_A_DAY: Final = 86_400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Something that may be asked for again.

    `asked` are the Unix times at which it was; `usd` is what a load costs, and what a hit saves.
    `load` is the live call, which goes through the cache; it tells where the answer came from.
    """

    label: str
    asked: tuple[float, ...]
    load: Callable[[], Awaitable[Origin]]
    usd: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Warmed:
    """What a pass did: `loaded` for the first time or anew, `fresh` left as they were, `skipped` for want of budget."""

    loaded: int = 0
    fresh: int = 0
    failed: int = 0
    skipped: int = 0
    usd: float = 0.0
    led: bool = True


def score(wanted: Wanted, *, now: float, half_life_days: float = HALF_LIFE_DAYS) -> float:
    """Return how much warming is worth: how often it was asked for, lately above all, times what a hit saves."""
    ages = [max(0.0, now - at) / _SECONDS_A_DAY for at in wanted.asked]
    popularity = sum(math.exp2(-age / half_life_days) for age in ages)
    return popularity * (1.0 + 1_000.0 * wanted.usd)


async def warm(
    wanted: Sequence[Wanted],
    *,
    leases: Leases,
    token: str,
    now: Callable[[], float],
    seconds: float,
    usd: float = math.inf,
    most: int = 1_000,
    at_once: int = 4,
) -> Warmed:
    """Load the most worthwhile first, within `seconds`, `usd` and `most` loads.

    One process at a time does so: where another holds the lease nothing is done, and `led` is
    false. A service that refuses its key ends the pass. What is fresh costs nothing.
    """
    try:
        if not await leases.lease(LEADER, token, seconds=seconds):
            return Warmed(skipped=len(wanted), led=False)
    except StoreError:
        return Warmed(skipped=len(wanted), led=False)
    try:
        pass_ = _Pass(sorted(wanted, key=lambda one: -score(one, now=now())), usd=usd, most=most)
        await pass_.run(seconds=seconds, at_once=at_once)
        return pass_.result()
    finally:
        with suppress(StoreError):  # it runs out by itself
            await leases.release(LEADER, token)


class _Pass:
    def __init__(self, ranked: Sequence[Wanted], *, usd: float, most: int) -> None:
        self._left = list(reversed(ranked))
        self._budget = usd
        self._most = most
        self._total = len(ranked)
        self._spent = 0.0
        self._loaded = self._fresh = self._failed = self._at_work = 0
        self._over = False

    async def run(self, *, seconds: float, at_once: int) -> None:
        with suppress(TimeoutError):  # what is left is counted as skipped
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as working:
                for _ in range(min(at_once, self._total)):
                    working.create_task(self._work())

    async def _work(self) -> None:
        while self._left and not self._over and self._loaded + self._at_work < self._most:
            one = self._left.pop()
            if self._spent + one.usd > self._budget:
                continue  # a cheaper one may still fit
            self._spent += one.usd  # before the load, so that those beside it know
            self._at_work += 1
            try:
                origin = await one.load()
            except ProviderDenied:
                self._failed += 1
                self._over = True
            except LeadlineError:
                self._failed += 1
            else:
                self._count(one, origin)
            finally:
                self._at_work -= 1

    def _count(self, one: Wanted, origin: Origin) -> None:
        if origin is Origin.LOAD:
            self._loaded += 1
        else:
            self._fresh += 1
            self._spent -= one.usd

    def result(self) -> Warmed:
        done = self._loaded + self._fresh + self._failed
        return Warmed(
            loaded=self._loaded,
            fresh=self._fresh,
            failed=self._failed,
            skipped=self._total - done,
            usd=max(0.0, self._spent),
        )
