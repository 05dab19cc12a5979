"""The budgets of many processes: the same buckets in one Lua call, on Redis's own clock.

A tenant's buckets are one hash, a field for each: what is left and when that was so. While Redis is
away each process allows its tenants a share. Where a caller is cancelled while its reservation is on
its way, the tokens come back as the bucket fills.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from leadline.model.budgets import Allowance, MemoryBudgets, Reservation, sizes, too_large, used_up
from leadline.resilience import Breaker, BreakerState, Monotonic
from leadline.wire.redis import open_redis
from leadline.wire.redis_scripts import Scripts

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger("leadline.model")

# ARGV: four for each bucket: its field, size, seconds, and what to take. Takes all or nothing, unless told to `force`.
_TAKE: Final = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
local force, wait, ahead, left = ARGV[1] == '1', 0, 0, {}
for i = 2, #ARGV, 4 do
  local size, seconds, take = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local had, at = string.match(redis.call('HGET', KEYS[1], ARGV[i]) or '', '^(%S+) (%S+)$')
  local there = had and math.min(size, tonumber(had) + (now - tonumber(at)) * size / seconds) or size
  wait = math.max(wait, (take - there) * seconds / size)
  left[i] = math.min(size, there - take)
  ahead = math.max(ahead, (size - left[i]) * seconds / size)
end
if wait > 0 and not force then return string.format('%.6f', math.max(wait, 0.001)) end
for i = 2, #ARGV, 4 do
  redis.call('HSET', KEYS[1], ARGV[i], string.format('%.6f %.6f', left[i], now))
end
redis.call('PEXPIRE', KEYS[1], math.ceil((ahead + 60) * 1000))
return '0'
"""


class _Bucket(NamedTuple):
    """One limit of a tenant: `field` names it in the hash, by what it counts and in which time."""

    field: str
    of_tokens: bool
    size: int
    seconds: float

    def cost(self, tokens: int) -> int:
        return tokens if self.of_tokens else 1


class RedisBudgets:
    """`Budgets` over a Redis that several processes share.

    `tenants` have allowances of their own; all others get `default`. While Redis is away a process
    gives `alone` of them. `breaker` guards each call, whose `failed` hears why one did not work.
    """

    def __init__(
        self,
        client: Redis,
        default: Sequence[Allowance] = (),
        *,
        tenants: Mapping[str, Sequence[Allowance]] | None = None,
        alone: float = 0.25,
        prefix: str = "leadline:budget",
        breaker: Breaker | None = None,
        failed: Callable[[Exception], None] | None = None,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._scripts = Scripts(client, log, of="the budgets' Redis", breaker=breaker, failed=failed)
        self._default = _buckets(default)
        self._tenants = {name: _buckets(own) for name, own in (tenants or {}).items()}
        self._own = MemoryBudgets(
            _shares(default, alone),
            tenants={name: _shares(own, alone) for name, own in (tenants or {}).items()},
            monotonic=monotonic,
        )
        self._prefix = prefix
        self._take = self._scripts.script(_TAKE)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        default: Sequence[Allowance] = (),
        *,
        tenants: Mapping[str, Sequence[Allowance]] | None = None,
        alone: float = 0.25,
        changed: Callable[[BreakerState], None] | None = None,
    ) -> AsyncIterator[Self]:
        """Yield budgets over the Redis at `url`, which may be away. Raises `MissingExtra`, `SettingsError`."""
        async with open_redis(url) as client:
            breaker = Breaker(threshold=3, cooldown=2.0, changed=changed)
            yield cls(client, default, tenants=tenants, alone=alone, breaker=breaker)

    async def reserve(self, tenant: str, *, tokens: int) -> Reservation:
        """Set one request and `tokens` aside; see `Budgets.reserve`."""
        buckets = self._tenants.get(tenant, self._default)
        if any(bucket.cost(tokens) > bucket.size for bucket in buckets):
            raise too_large(tokens)
        wait = await self._took(tenant, buckets, [bucket.cost(tokens) for bucket in buckets])
        if wait is None:
            # No request is too large for good only because Redis is away: it takes the whole share.
            return await self._own.reserve(tenant, tokens=min(tokens, self._own.largest(tenant)))
        if wait > 0.0:
            raise used_up(wait)
        return Reservation(self, tenant, tokens)

    async def settle(self, tenant: str, *, reserved: int, used: int) -> None:
        """Correct a reservation; what was used beyond it is owed."""
        buckets = [bucket for bucket in self._tenants.get(tenant, self._default) if bucket.of_tokens]
        if used != reserved:
            await self._took(tenant, buckets, [used - reserved] * len(buckets), force=True)

    async def _took(
        self, tenant: str, buckets: Sequence[_Bucket], amounts: Sequence[int], *, force: bool = False
    ) -> float | None:
        """Take an amount from each bucket, or return how long to wait; `None` while Redis is away."""
        if not buckets:
            return 0.0
        arguments: list[str | float] = ["1" if force else "0"]
        for bucket, amount in zip(buckets, amounts, strict=True):
            arguments += [bucket.field, bucket.size, bucket.seconds, amount]
        reply = await self._scripts.ask(self._take, keys=[f"{self._prefix}:{tenant}"], arguments=arguments)
        return None if reply is None else float(reply)


def _buckets(allowances: Sequence[Allowance]) -> tuple[_Bucket, ...]:
    return tuple(
        _Bucket(f"{'tokens' if of_tokens else 'requests'}/{one.seconds:g}", of_tokens, size, one.seconds)
        for one in allowances
        for of_tokens, size in sizes(one)
    )


def _shares(allowances: Sequence[Allowance], alone: float) -> list[Allowance]:
    """Return what a process gives by itself: at least one of what is allowed at all."""

    def share(size: int | None) -> int | None:
        return size if not size else max(1, int(size * alone))

    return [replace(one, requests=share(one.requests), tokens=share(one.tokens)) for one in allowances]
