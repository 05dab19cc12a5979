"""`Admission`: the one component that says what is let in.

The service, the model gateway and a balancer's `auth_request` all ask it, so that no limit is
counted twice or nowhere. Rates go by the limiter (memory, or Redis over all processes), everything
else by `Holds`, whose transactions are exact over all processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from leadline.domain import RunState
from leadline.errors import LimitReached
from leadline.limits.types import Limit, Limiter
from leadline.ports.admission import (
    Admitted,
    Answer,
    Bounds,
    Hold,
    Holds,
    InboundLimit,
    Over,
    Refused,
    Standings,
    Wanted,
    Wish,
)

STATUSES: Final[Mapping[InboundLimit, int]] = MappingProxyType(
    {
        InboundLimit.KEY_RATE: 429,
        InboundLimit.RATE: 503,
        InboundLimit.QUESTION_SIZE: 413,
        InboundLimit.KEY_RUNS: 429,
        InboundLimit.KEY_WAITING: 429,
        InboundLimit.RUNS: 503,
        InboundLimit.WAITING: 503,
        InboundLimit.TENANT_TOKENS: 429,
        InboundLimit.TENANT_USD: 429,
    }
)
"""What is answered: 429 where the caller asked for too much, 503 where all together did (RFC 9110, RFC 6585)."""

RUN_RETRY: Final = 15.0
"""Seconds after which to try again where only the end of a run makes room: nobody knows when that is."""

LOST_AFTER: Final = 120.0
"""Seconds after which a hold without a run is given back: its process died before it made one."""

_TOLD: Final[Mapping[InboundLimit, str]] = MappingProxyType(
    {
        InboundLimit.KEY_RATE: "this key asks too often",
        InboundLimit.RATE: "the service is asked too often",
        InboundLimit.QUESTION_SIZE: "the question is too long",
        InboundLimit.KEY_RUNS: "this key has as many unended runs as it may have",
        InboundLimit.KEY_WAITING: "this key has as many waiting runs as it may have",
        InboundLimit.RUNS: "the service has as many unended runs as it can take",
        InboundLimit.WAITING: "too many runs wait already",
        InboundLimit.TENANT_TOKENS: "the tenant's tokens of today are used up or set aside",
        InboundLimit.TENANT_USD: "the tenant's money of today is used up or set aside",
    }
)
_BY_RUNS: Final = frozenset({InboundLimit.KEY_RUNS, InboundLimit.KEY_WAITING, InboundLimit.RUNS, InboundLimit.WAITING})
_OF_KEY: Final = frozenset({InboundLimit.KEY_RUNS, InboundLimit.KEY_WAITING})
_OF_DAY: Final = frozenset({InboundLimit.TENANT_TOKENS, InboundLimit.TENANT_USD})


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Requests a second, and how many may come at once after a pause; `None`: there is no limit."""

    key: float | None = None
    key_burst: float = 1.0
    all: float | None = None
    all_burst: float = 1.0


class Inbound:
    """`Admission` over a limiter, holds and the runs themselves."""

    def __init__(
        self,
        *,
        limiter: Limiter,
        holds: Holds,
        standings: Standings,
        rates: Rates,
        bounds: Bounds,
        question_characters: int,
        now: Callable[[], float],
    ) -> None:
        self._limiter = limiter
        self._holds = holds
        self._standings = standings
        self._rates = rates
        self._bounds = bounds
        self._question_characters = question_characters
        self._now = now

    async def admit(self, wish: Wish) -> Answer:
        """See `Admission.admit`. What costs least is asked first."""
        if wish.characters > self._question_characters:
            return _refused(InboundLimit.QUESTION_SIZE, None)
        too_fast = await self._too_fast(wish)
        if too_fast is not None:
            return too_fast
        if wish.wanted is Wanted.REQUEST:
            return Admitted()
        answer = await self._holds.reserve(wish, self._bounds)
        if isinstance(answer, Over) and await self._made_room(wish, answer):
            answer = await self._holds.reserve(wish, self._bounds)
        return answer if isinstance(answer, Admitted) else _refused(answer.limit, answer.retry_after)

    async def settle(self, wish_id: str, *, tokens: int, usd: float) -> None:
        """See `Admission.settle`."""
        await self._holds.settle(wish_id, tokens=tokens, usd=usd)

    async def reconcile(self, *, key: str | None = None) -> int:
        """See `Admission.reconcile`."""
        ended = 0
        for hold in await self._holds.open(key=key):
            ended += await self._reconciled(hold)
        return ended

    async def _too_fast(self, wish: Wish) -> Refused | None:
        """Return the refusal of a rate. A key's own comes first: one that asks too often costs nobody else."""
        rates = self._rates
        checks = (
            (InboundLimit.KEY_RATE, f"inbound:key:{wish.key}", rates.key, rates.key_burst),
            (InboundLimit.RATE, "inbound:all", rates.all, rates.all_burst),
        )
        for limit, name, rate, burst in checks:
            if rate is None:
                continue
            try:
                await self._limiter.acquire([Limit(key=name, rate=rate, burst=burst)], deadline=0.0)
            except LimitReached as error:
                return _refused(limit, error.retry_after)
        return None

    async def _made_room(self, wish: Wish, over: Over) -> bool:
        """Look before refusing: runs that have ended, or no longer wait, may not have been counted yet."""
        if over.limit in _OF_DAY:
            return await self.reconcile() > 0
        if over.limit in _BY_RUNS:
            await self.reconcile(key=wish.key if over.limit in _OF_KEY else None)
            return True
        return False

    async def _reconciled(self, hold: Hold) -> bool:
        """Bring a hold to where its run is; return whether that has ended."""
        if hold.wanted is not Wanted.RUN:
            # A call has nowhere to be looked up: what was set aside is taken for used.
            if self._now() - hold.made_at < LOST_AFTER * 10:
                return False
            return await self._holds.settle(hold.id, tokens=hold.tokens, usd=hold.usd)
        standing = await self._standings.standing(hold.id, tenant=hold.tenant)
        if standing is None:
            lost = self._now() - hold.made_at >= LOST_AFTER
            return lost and await self._holds.settle(hold.id, tokens=0, usd=0.0)
        if standing.state.ended:
            usage = standing.usage
            return await self._holds.settle(hold.id, tokens=usage.tokens, usd=usage.cost_usd)
        waiting = standing.state is RunState.QUEUED
        if waiting != hold.waiting:
            await self._holds.moved(hold.id, waiting=waiting)
        return False


def _refused(limit: InboundLimit, retry_after: float | None) -> Refused:
    if retry_after is None and limit in _BY_RUNS:
        retry_after = RUN_RETRY
    return Refused(limit=limit, status=STATUSES[limit], message=_TOLD[limit], retry_after=retry_after)
