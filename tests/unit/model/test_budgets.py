"""Budgets of tenants: reserved, settled, refilled."""

from __future__ import annotations

import pytest

from leadline.errors import ModelDenied, ModelRateLimited
from leadline.model.budgets import Allowance, MemoryBudgets
from leadline.testing import FakeClock


def budgets(*allowances: Allowance, **tenants: list[Allowance]) -> tuple[MemoryBudgets, FakeClock]:
    clock = FakeClock()
    return MemoryBudgets(allowances, tenants=tenants, monotonic=clock.monotonic), clock


async def test_two_calls_at_once_cannot_spend_the_same_tokens() -> None:
    kept, _ = budgets(Allowance(tokens=1000))
    async with await kept.reserve("t", tokens=600) as first:
        with pytest.raises(ModelRateLimited) as caught:
            await kept.reserve("t", tokens=600)
        assert caught.value.retry_after == pytest.approx(12.0)
        first.settle(100)
    await kept.reserve("t", tokens=600)


async def test_a_call_that_took_more_than_it_reserved_owes_the_rest() -> None:
    kept, clock = budgets(Allowance(tokens=600, seconds=60.0))
    async with await kept.reserve("t", tokens=100) as call:
        call.settle(900)
    with pytest.raises(ModelRateLimited) as caught:
        await kept.reserve("t", tokens=10)
    assert caught.value.retry_after == pytest.approx(31.0)
    await clock.advance(31.0)
    await kept.reserve("t", tokens=10)


async def test_a_call_that_never_was_costs_its_request_alone() -> None:
    kept, _ = budgets(Allowance(tokens=100, requests=2))
    for _ in range(2):
        async with await kept.reserve("t", tokens=100):
            pass
    with pytest.raises(ModelRateLimited):
        await kept.reserve("t", tokens=1)


async def test_settling_twice_is_settling_once() -> None:
    kept, _ = budgets(Allowance(tokens=100))
    async with await kept.reserve("t", tokens=50) as call:
        call.settle(10)
        call.settle(0)
    assert [left for _, left in kept.left("t")] == [90]


async def test_tenants_do_not_share_and_may_have_their_own() -> None:
    kept, _ = budgets(Allowance(requests=1), rich=[Allowance(requests=3)], closed=[Allowance(requests=0)], free=[])
    await kept.reserve("a", tokens=1)
    await kept.reserve("b", tokens=1)
    with pytest.raises(ModelRateLimited):
        await kept.reserve("a", tokens=1)
    for _ in range(3):
        await kept.reserve("rich", tokens=1)
    for _ in range(99):
        await kept.reserve("free", tokens=10**9)
    with pytest.raises(ModelDenied):
        await kept.reserve("closed", tokens=1)


async def test_a_refusal_takes_nothing() -> None:
    kept, clock = budgets(Allowance(requests=10, tokens=100), Allowance(requests=1, seconds=3600.0))
    await kept.reserve("t", tokens=10)
    for _ in range(5):
        with pytest.raises(ModelRateLimited):
            await kept.reserve("t", tokens=10)
    await clock.advance(0.0)
    assert [round(left) for _, left in kept.left("t")] == [9, 90, 0]


async def test_what_never_fits_is_refused_for_good() -> None:
    kept, _ = budgets(Allowance(tokens=100))
    with pytest.raises(ModelDenied, match="101 tokens"):
        await kept.reserve("t", tokens=101)
