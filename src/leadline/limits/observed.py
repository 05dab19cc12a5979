"""A limiter whose waits, refusals and holds are told."""

from __future__ import annotations

from collections.abc import Sequence

from leadline.errors import LimitReached
from leadline.limits.types import Limit, Limiter
from leadline.ports.signals import LimitHeld, LimitPassed, LimitRefused, Signals


class ObservedLimiter:
    """`Limiter` over another one."""

    def __init__(self, limiter: Limiter, signals: Signals) -> None:
        self._limiter = limiter
        self._signals = signals

    async def acquire(self, limits: Sequence[Limit], *, deadline: float, weight: float = 1.0) -> float:
        """See `Limiter.acquire`."""
        name = kind_of(limits[0].key) if limits else ""
        try:
            waited = await self._limiter.acquire(limits, deadline=deadline, weight=weight)
        except LimitReached:
            self._signals.signal(LimitRefused(limit=name))
            raise
        self._signals.signal(LimitPassed(limit=name, seconds=waited))
        return waited

    async def limited(self, key: str, *, retry_after: float | None = None) -> None:
        """See `Limiter.limited`."""
        self._signals.signal(LimitHeld(limit=kind_of(key), seconds=retry_after))
        await self._limiter.limited(key, retry_after=retry_after)


def kind_of(key: str) -> str:
    """Return what a key may be called: a service by its name, all else by its kind alone.

    A key names hosts, tenants and keys of services, which are neither few nor anybody's business.
    """
    kind, _, rest = key.partition(":")
    return f"service:{rest.partition(':')[0]}" if kind == "service" else kind
