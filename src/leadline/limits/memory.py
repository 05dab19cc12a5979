"""The ledger of one process: the specification of the others, readable."""

from __future__ import annotations

import time
from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from leadline.limits.types import Adapting, Limit, Reserved, Slot
from leadline.resilience import Monotonic

# Slots that were given back are remembered while they lie ahead; more than these nobody needs.
_MOST_HOLES: Final = 1_000
# A sleeper that wakes this much early is not taken for one whose key was held meanwhile.
_EARLY: Final = 0.005
_EXACT: Final = 1e-6
# Idle keys are dropped once there are so many.
_SWEEP_AT: Final = 10_000


@dataclass(slots=True)
class _Key:
    """`free` is when the key is next idle; `holes` are slots before it that were given back."""

    free: float = 0.0
    held: float = 0.0
    share: float = 1.0
    cut_at: float = 0.0
    holes: list[tuple[float, float]] = field(default_factory=list)


class _Offer(NamedTuple):
    """A key's own earliest time for the call; `hole` is the place of the slot in its list."""

    key: str
    at: float
    span: float
    start: float
    hole: int | None


class MemoryLedger:
    """Reservations of this process, by its monotonic clock."""

    def __init__(self, *, adapting: Adapting | None = None, monotonic: Monotonic = time.monotonic) -> None:
        self._adapting = adapting or Adapting()
        self._monotonic = monotonic
        self._keys: dict[str, _Key] = {}

    async def reserve(
        self, limits: Sequence[Limit], *, taken: Mapping[str, Slot], weight: float, within: float
    ) -> Reserved:
        """See `Ledger.reserve`."""
        now = self._monotonic()
        kept = {key: slot for key, slot in taken.items() if self._key(key).held <= now + _EARLY}
        offers = [self._offer(limit, weight, now=now) for limit in limits if limit.key not in kept]
        start = max((offer.start for offer in offers), default=now)
        if start - now > within:
            return Reserved(wait=start - now, refused=True, taken=kept)
        for offer in offers:
            if offer.start + offer.span >= start:
                kept[offer.key] = self._take(offer, start)
        return Reserved(wait=max(0.0, start - now), taken=kept)

    async def refund(self, slots: Mapping[str, Slot]) -> None:
        """See `Ledger.refund`."""
        now = self._monotonic()
        for name, slot in slots.items():
            key = self._key(name)
            if slot.at + slot.span >= key.free - _EXACT:
                key.free = slot.at
                self._join(key)
            elif slot.at > now and len(key.holes) < _MOST_HOLES:
                insort(key.holes, (slot.at, slot.span))

    async def limited(self, key: str, *, seconds: float) -> None:
        """See `Ledger.limited`."""
        now = self._monotonic()
        state = self._key(key)
        state.held = max(state.held, now + seconds)
        state.free = max(state.free, state.held)
        state.holes = [hole for hole in state.holes if hole[0] >= state.held]
        if now - state.cut_at >= self._adapting.pause or state.cut_at == 0.0:
            state.share = max(self._adapting.floor, self._share(state, now) / 2)
            state.cut_at = now

    def _key(self, name: str) -> _Key:
        state = self._keys.get(name)
        if state is None:
            if len(self._keys) >= _SWEEP_AT:
                self._sweep()
            state = self._keys[name] = _Key()
        return state

    def _share(self, key: _Key, now: float) -> float:
        return min(1.0, key.share + (now - key.cut_at) * self._adapting.recovery) if key.cut_at else 1.0

    def _offer(self, limit: Limit, weight: float, *, now: float) -> _Offer:
        key = self._key(limit.key)
        unit = 1.0 / (limit.rate * self._share(key, now))
        span = weight * unit
        ahead = (limit.burst - weight) * unit
        while key.holes and key.holes[0][0] < now:
            del key.holes[0]
        fitting = (i for i, (_, room) in enumerate(key.holes) if room >= span - _EXACT)
        hole = next(fitting, None)
        at = max(key.free, now) if hole is None else key.holes[hole][0]
        return _Offer(limit.key, at, span, max(now, key.held, at - ahead), hole)

    def _take(self, offer: _Offer, start: float) -> Slot:
        key = self._key(offer.key)
        if offer.hole is not None:
            at, span = key.holes.pop(offer.hole)
            return Slot(at=at, span=span)
        at = max(offer.at, start)
        key.free = at + offer.span
        return Slot(at=at, span=offer.span)

    def _join(self, key: _Key) -> None:
        """Let what was given back at the very end of the queue shorten the queue."""
        while key.holes and sum(key.holes[-1]) >= key.free - _EXACT:
            key.free = key.holes.pop()[0]

    def _sweep(self) -> None:
        now = self._monotonic()
        idle = [
            name for name, key in self._keys.items() if max(key.free, key.held) < now and self._share(key, now) == 1.0
        ]
        for name in idle:
            del self._keys[name]
