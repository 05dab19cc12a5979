"""Limits as clients see them: a service's own rate and that of each of its keys; the pause at a host."""

from __future__ import annotations

from leadline.limits.types import Limit, Limiter


class ServiceTurns:
    """Takes a turn under `name` and under each key, `rate` calls a second for either.

    `more` are limits that hold as well: those of a tenant, for instance.
    """

    def __init__(
        self, limiter: Limiter, name: str, *, rate: float, burst: float = 1.0, more: tuple[Limit, ...] = ()
    ) -> None:
        self._limiter = limiter
        self._name = name
        self._rate = rate
        self._burst = burst
        self._more = more

    async def turn(self, key: str, *, deadline: float) -> None:
        """Return once a request may be sent. Raises `LimitReached`."""
        names = (f"service:{self._name}", f"service:{self._name}:{key}")
        limits = [Limit(key=name, rate=self._rate, burst=self._burst) for name in names]
        await self._limiter.acquire([*limits, *self._more], deadline=deadline)

    async def limited(self, key: str, *, retry_after: float | None) -> None:
        """Hold that key for all processes, and slow it down."""
        await self._limiter.limited(f"service:{self._name}:{key}", retry_after=retry_after)


class HostTurns:
    """The pause between requests to a host of the web, and its wish to be left alone."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    async def turn(self, host: str, *, delay: float, patience: float) -> None:
        """Return `delay` seconds after the last turn at `host`. Raises `LimitReached`."""
        await self._limiter.acquire([Limit(key=f"host:{host}", rate=1.0 / delay)], deadline=patience)

    async def hold(self, host: str, seconds: float) -> None:
        """Give no turn at `host` for so long, and slower ones then."""
        await self._limiter.limited(f"host:{host}", retry_after=seconds)
