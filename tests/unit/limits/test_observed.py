"""What limits do is told by kind, never by host, tenant or key."""

from __future__ import annotations

import pytest

from leadline.errors import LimitReached
from leadline.limits.memory import MemoryLedger
from leadline.limits.observed import ObservedLimiter, kind_of
from leadline.limits.types import Limit
from leadline.limits.waiting import GcraLimiter
from leadline.ports.signals import LimitHeld, LimitPassed, LimitRefused, Signal


class Heard:
    def __init__(self) -> None:
        self.signals: list[Signal] = []

    def signal(self, signal: Signal) -> None:
        self.signals.append(signal)


async def test_passing_being_held_and_being_refused_are_told() -> None:
    heard = Heard()
    limiter = ObservedLimiter(GcraLimiter(MemoryLedger()), heard)
    limits = [Limit(key="service:serper:key-2", rate=1.0), Limit(key="tenant:acme:serper", rate=1.0)]
    assert await limiter.acquire(limits, deadline=1.0) < 0.5
    await limiter.limited("host:secret.example.org", retry_after=30.0)
    with pytest.raises(LimitReached):
        await limiter.acquire([Limit(key="host:secret.example.org", rate=1.0)], deadline=0.01)
    passed, held, refused = heard.signals
    assert isinstance(passed, LimitPassed)
    assert passed.limit == "service:serper"
    assert held == LimitHeld(limit="host", seconds=30.0)
    assert refused == LimitRefused(limit="host")


@pytest.mark.parametrize(
    ("key", "kind"), [("service:a:b", "service:a"), ("service:a", "service:a"), ("host:x", "host"), ("odd", "odd")]
)
def test_a_key_is_called_by_its_kind(key: str, kind: str) -> None:
    assert kind_of(key) == kind
