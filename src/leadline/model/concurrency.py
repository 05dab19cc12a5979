"""How much may run at once: for the process, each tenant and each run; fair, bounded, readable.

A permit is handed to a waiter in the moment it comes free, so nobody polls, nobody barges, and no
permit is counted by anybody but its holder. Waiting has a bound: beyond it a caller is told when to
come again instead of standing in a line that does not move.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self, TypeVar

from leadline.errors import ModelRateLimited
from leadline.model.fair import FairQueue
from leadline.resilience import Deadline, Monotonic

T = TypeVar("T")

_WEIGHT_OF_NEW: Final = 0.2
_LEAST_WAIT: Final = 0.1
_MOST_WAIT: Final = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Holders at once in the process, for a tenant and for a run (`None`: no limit of its own).

    `waiting` bounds all who wait, `waiting_tenant` those of one tenant.
    """

    process: int
    tenant: int | None = None
    run: int | None = None
    waiting: int = 1000
    waiting_tenant: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """What a limiter holds now."""

    active: int
    waiting: int
    tenants: Mapping[str, int]
    runs: Mapping[str, int]


@dataclass(eq=False, slots=True)
class _Waiter:
    tenant: str
    run: str
    handed: asyncio.Future[Permit]


class Permit:
    """The right to run, until `release` or the end of its context; releasing twice is releasing once."""

    __slots__ = ("_limiter", "_since", "run", "tenant")

    def __init__(self, limiter: Limiter, tenant: str, run: str) -> None:
        self._limiter: Limiter | None = limiter
        self._since = limiter.monotonic()
        self.tenant = tenant
        self.run = run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.release()

    def release(self) -> None:
        """Give the permit back; the next who waits has it at once."""
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter.freed(self, since=self._since)


class Limiter:
    """Hands out permits within `limits`; tenants take turns, a tenant's calls go in order.

    A tenant or run at its own limit is passed over and keeps its place.
    """

    def __init__(self, limits: Limits, *, monotonic: Monotonic = time.monotonic) -> None:
        self.monotonic = monotonic
        self._limits = limits
        self._active = 0
        self._tenants: Counter[str] = Counter()
        self._runs: Counter[str] = Counter()
        self._queue: FairQueue[_Waiter] = FairQueue()
        self._held_for = 0.0  # seconds that a permit was held, on average

    @property
    def counts(self) -> Counts:
        """What is held and waited for now."""
        return Counts(
            active=self._active,
            waiting=len(self._queue),
            tenants=dict(+self._tenants),
            runs=dict(+self._runs),
        )

    async def acquire(self, *, tenant: str = "", run: str = "", seconds: float | None = None) -> Permit:
        """Return a permit as soon as one is free.

        Raises `ModelRateLimited` with `retry_after` when too many wait, or after `seconds`.
        """
        if self._free(tenant, run):
            return self._hand(tenant, run)
        self._bound(tenant)
        waiter = _Waiter(tenant, run, asyncio.get_running_loop().create_future())
        self._queue.push(tenant, waiter)
        try:
            async with asyncio.timeout(seconds):
                return await waiter.handed
        except BaseException as error:
            self._gone(waiter)
            if isinstance(error, TimeoutError):
                raise self._busy(f"no slot came free within {seconds:g} s") from error
            raise

    async def run(
        self,
        work: Callable[[], Awaitable[T]],
        *,
        tenant: str = "",
        run: str = "",
        deadline: Deadline | None = None,
    ) -> T:
        """Return what `work()` returns, called once there is a permit; never called if that fails."""
        left = deadline.left() if deadline is not None else None
        with await self.acquire(tenant=tenant, run=run, seconds=left):
            return await work()

    def freed(self, permit: Permit, *, since: float) -> None:
        """Take a permit back; called by the permit alone."""
        held = self.monotonic() - since
        self._held_for += _WEIGHT_OF_NEW * (held - self._held_for) if self._held_for else held
        self._active -= 1
        for counter, key in ((self._tenants, permit.tenant), (self._runs, permit.run)):
            counter[key] -= 1
            if not counter[key]:
                del counter[key]
        self._serve()

    def _serve(self) -> None:
        while (waiter := self._queue.take(self._fits)) is not None:
            waiter.handed.set_result(self._hand(waiter.tenant, waiter.run))

    def _fits(self, waiter: _Waiter) -> bool:
        return not waiter.handed.done() and self._free(waiter.tenant, waiter.run)

    def _free(self, tenant: str, run: str) -> bool:
        limits = self._limits
        return (
            self._active < limits.process
            and (limits.tenant is None or self._tenants[tenant] < limits.tenant)
            and (limits.run is None or self._runs[run] < limits.run)
        )

    def _hand(self, tenant: str, run: str) -> Permit:
        self._active += 1
        self._tenants[tenant] += 1
        self._runs[run] += 1
        return Permit(self, tenant, run)

    def _gone(self, waiter: _Waiter) -> None:
        """A waiter left: out of the line, or, with the permit already handed over, give it back."""
        self._queue.remove(waiter.tenant, waiter)
        if waiter.handed.done() and not waiter.handed.cancelled():
            waiter.handed.result().release()

    def _bound(self, tenant: str) -> None:
        limits = self._limits
        own = limits.waiting if limits.waiting_tenant is None else limits.waiting_tenant
        if len(self._queue) >= limits.waiting or self._queue.waiting(tenant) >= own:
            raise self._busy(f"{len(self._queue)} calls wait already")

    def _busy(self, reason: str) -> ModelRateLimited:
        wait = self._held_for * (len(self._queue) + 1) / max(1, self._limits.process)
        return ModelRateLimited(f"too much at once: {reason}", retry_after=min(_MOST_WAIT, max(_LEAST_WAIT, wait)))
