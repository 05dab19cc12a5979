"""The ledger's arithmetic on a clock of its own; what it promises over time is in tests/contract."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.limits.memory import MemoryLedger
from leadline.limits.types import Limit, Slot


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def take(ledger: MemoryLedger, limit: Limit, *, weight: float = 1.0) -> tuple[float, dict[str, Slot]]:
    reserved = await ledger.reserve([limit], taken={}, weight=weight, within=1e9)
    return reserved.wait, dict(reserved.taken)


@given(st.lists(st.sampled_from(["take", "wait", "cancel"]), max_size=60), st.integers(1, 5))
async def test_no_second_ever_holds_more_than_rate_and_burst(steps: list[str], burst: int) -> None:
    clock = Clock()
    ledger = MemoryLedger(monotonic=clock)
    limit = Limit(key="a", rate=4, burst=burst)
    granted: list[tuple[float, dict[str, Slot]]] = []
    for step in steps:
        if step == "wait":
            clock.now += 0.13
        elif step == "take":
            wait, slots = await take(ledger, limit)
            granted.append((clock.now + wait, slots))
        else:
            ahead = [one for one in granted if one[0] > clock.now]
            if ahead:
                await ledger.refund(ahead[len(ahead) // 2][1])
                granted.remove(ahead[len(ahead) // 2])
    times = sorted(at for at, _ in granted)
    worst = max((sum(at <= other < at + 1 - 1e-6 for other in times) for at in times), default=0)
    assert worst <= 4 + burst


async def test_weight_of_refused_calls_is_not_used_up() -> None:
    ledger = MemoryLedger(monotonic=Clock())
    limit = Limit(key="a", rate=1)
    await take(ledger, limit)
    for _ in range(5):
        refused = await ledger.reserve([limit], taken={}, weight=1, within=0.5)
        assert (refused.refused, refused.wait) == (True, 1.0)
    assert (await take(ledger, limit))[0] == 1.0


async def test_idle_keys_are_dropped() -> None:
    clock = Clock()
    ledger = MemoryLedger(monotonic=clock)
    for number in range(10_500):
        await take(ledger, Limit(key=str(number), rate=1_000))
        clock.now += 0.01
    assert len(ledger._keys) < 10_000


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0), (float("nan"), 1)])
def test_a_limit_without_a_rate_is_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Limit(key="a", rate=rate, burst=burst)
