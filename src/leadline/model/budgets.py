"""What a tenant may ask of the model servers in a time: requests and tokens, reserved, then settled.

A call reserves what it may cost before it starts and settles with what it did cost, also when it
was cut short: two calls at once cannot both spend the last tokens, and a guess never stays.
`MemoryBudgets` counts for one process and is the readable form of `budgets_redis`, which counts for
all together.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from leadline.errors import ModelDenied, ModelRateLimited
from leadline.resilience import Monotonic


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """So many requests and tokens in any `seconds`, refilled evenly; `None`: as many as wanted."""

    requests: int | None = None
    tokens: int | None = None
    seconds: float = 60.0


class Budgets(Protocol):
    """Keeps tenants within their allowances."""

    async def reserve(self, tenant: str, *, tokens: int) -> Reservation:
        """Set one request and `tokens` aside.

        Raises `ModelRateLimited` with `retry_after`, or `ModelDenied` for a request that is larger
        than the whole allowance and would never pass.
        """
        ...


class Settles(Protocol):
    """Takes back what a reservation did not need."""

    async def settle(self, tenant: str, *, reserved: int, used: int) -> None:
        """Give back `reserved` tokens and take `used`."""
        ...


class Reservation:
    """Tokens set aside for one call; the end of its context settles it, at nothing if nobody said more."""

    __slots__ = ("_by", "_used", "tenant", "tokens")

    def __init__(self, by: Settles, tenant: str, tokens: int) -> None:
        self._by = by
        self._used: int | None = None
        self.tenant = tenant
        self.tokens = tokens

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_failure: object) -> None:
        await self._by.settle(self.tenant, reserved=self.tokens, used=self._used or 0)

    def settle(self, used: int) -> None:
        """Say what the call took; the first word counts."""
        if self._used is None:
            self._used = used


def sizes(allowance: Allowance) -> list[tuple[bool, int]]:
    """Return an allowance's buckets: whether each counts tokens, and how much it holds."""
    both = ((False, allowance.requests), (True, allowance.tokens))
    return [(of_tokens, size) for of_tokens, size in both if size is not None]


def too_large(tokens: int) -> ModelDenied:
    """Return what is raised for a request that would never pass."""
    return ModelDenied(f"a request of {tokens} tokens is more than the tenant's whole budget")


def used_up(wait: float) -> ModelRateLimited:
    """Return what is raised where there is room only in `wait` seconds."""
    return ModelRateLimited("the tenant's budget for model calls is used up", retry_after=wait)


class MemoryBudgets:
    """`Budgets` of this process: token buckets, one for each allowance and tenant.

    `tenants` have allowances of their own; all others get `default`.
    """

    def __init__(
        self,
        default: Sequence[Allowance] = (),
        *,
        tenants: Mapping[str, Sequence[Allowance]] | None = None,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._default = tuple(default)
        self._own = {name: tuple(allowances) for name, allowances in (tenants or {}).items()}
        self._monotonic = monotonic
        self._buckets: dict[str, list[_Bucket]] = {}

    async def reserve(self, tenant: str, *, tokens: int) -> Reservation:
        """Set one request and `tokens` aside; see `Budgets.reserve`."""
        buckets = self._of(tenant)
        for bucket in buckets:
            bucket.refill(self._monotonic())
        if any(bucket.cost(tokens) > bucket.size for bucket in buckets):
            raise too_large(tokens)
        wait = max((bucket.wait(tokens) for bucket in buckets), default=0.0)
        if wait > 0.0:
            raise used_up(wait)
        for bucket in buckets:
            bucket.left -= bucket.cost(tokens)
        return Reservation(self, tenant, tokens)

    async def settle(self, tenant: str, *, reserved: int, used: int) -> None:
        """Correct a reservation; what was used beyond it is owed."""
        for bucket in self._of(tenant):
            if bucket.of_tokens:
                bucket.left = min(float(bucket.size), bucket.left + reserved - used)

    def largest(self, tenant: str) -> int:
        """Return the tokens of the largest request that could ever pass; where none are counted, more than any has."""
        return min((bucket.size for bucket in self._of(tenant) if bucket.of_tokens), default=2**62)

    def left(self, tenant: str) -> list[tuple[Allowance, float]]:
        """Return what is left of each limit of a tenant: requests first, then tokens, by allowance."""
        buckets = self._of(tenant)
        for bucket in buckets:
            bucket.refill(self._monotonic())
        return [(bucket.allowance, bucket.left) for bucket in buckets]

    def _of(self, tenant: str) -> list[_Bucket]:
        found = self._buckets.get(tenant)
        if found is None:
            now = self._monotonic()
            found = [
                _Bucket(allowance=allowance, of_tokens=of_tokens, size=size, left=float(size), at=now)
                for allowance in self._own.get(tenant, self._default)
                for of_tokens, size in sizes(allowance)
            ]
            self._buckets[tenant] = found
        return found


@dataclass(kw_only=True, slots=True)
class _Bucket:
    allowance: Allowance
    of_tokens: bool
    size: int
    left: float
    at: float

    def cost(self, tokens: int) -> int:
        return tokens if self.of_tokens else 1

    def refill(self, now: float) -> None:
        self.left = min(float(self.size), self.left + (now - self.at) * self.size / self.allowance.seconds)
        self.at = now

    def wait(self, tokens: int) -> float:
        short = self.cost(tokens) - self.left
        return max(0.0, short) * self.allowance.seconds / self.size
