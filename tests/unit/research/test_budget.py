from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.engine import ANSWER, PAGES, REPORT, ROUNDS, Gate, budget, fake_clock, rig, turn
from tests.support.engine import VISIT as READ

from leadline.domain import Budget, Price, RunState, StopReason, ToolCall, Usage
from leadline.research import budget as budgets
from leadline.testing import ScriptedModel

PRICE = Price(prompt=10.0, completion=100.0, cached=1.0)


def test_cost_knows_cached_tokens() -> None:
    assert budgets.cost(PRICE, prompt=1_000, completion=10, cached=400) == pytest.approx((600 * 10 + 400 + 1_000) / 1e6)
    assert budgets.cost(Price(prompt=2.0, completion=0.0), prompt=100, completion=0, cached=100) == pytest.approx(2e-4)
    assert budgets.cost(PRICE, prompt=10, completion=0, cached=99) == pytest.approx(1e-5)
    assert budgets.cost(None, prompt=10**9, completion=10**9) == 0.0


def test_a_server_that_tells_its_cost_is_believed() -> None:
    told = Usage(prompt_tokens=10, cost_usd=0.5)
    assert budgets.priced(told, PRICE) is told
    assert budgets.priced(Usage(prompt_tokens=10), PRICE).cost_usd == pytest.approx(1e-4)


@pytest.mark.parametrize(("limit", "one", "kept"), [(100, 10, 15), (100, 30, 30), (100, 90, 50), (0, 10, 0)])
def test_the_reserve_is_an_answer_or_a_share_and_at_most_half(limit: int, one: int, kept: int) -> None:
    reserve = budgets.reserve(
        Budget(tokens=limit, seconds=float(limit), usd=float(limit)),
        answer=Usage(prompt_tokens=one, cost_usd=one),
        seconds=one,
    )
    assert reserve == budgets.Reserve(tokens=kept, seconds=kept, usd=kept)


LIMITS = st.one_of(st.none(), st.integers(0, 10_000))


@given(
    limits=st.tuples(LIMITS, LIMITS, LIMITS, LIMITS),
    spent=st.tuples(*[st.integers(0, 12_000)] * 4),
    ahead=st.integers(0, 5_000),
)
def test_what_may_begin_leaves_the_reserve(limits: tuple[int | None, ...], spent: tuple[int, ...], ahead: int) -> None:
    limit = Budget(steps=limits[0], tokens=limits[1], seconds=limits[2], usd=limits[3])
    used = Usage(prompt_tokens=spent[1], cost_usd=float(spent[3]))
    keep = budgets.reserve(limit, answer=Usage(prompt_tokens=100, cost_usd=1.0))
    reason = budgets.stop(
        limit, spent=used, elapsed=spent[2], rounds=spent[0], keep=keep, ahead=Usage(prompt_tokens=ahead, cost_usd=1.0)
    )
    if reason is None:
        assert limit.steps is None or spent[0] < limit.steps
        assert limit.tokens is None or spent[1] + ahead + keep.tokens <= limit.tokens
        assert limit.seconds is None or spent[2] + keep.seconds < limit.seconds
        assert limit.usd is None or spent[3] + 1.0 + keep.usd <= limit.usd
    rest = budgets.left(limit, spent=used, elapsed=spent[2], rounds=spent[0])
    assert all(value is None or value >= 0 for value in (rest.steps, rest.tokens, rest.seconds, rest.usd))
    assert budgets.least(rest, limit) == rest


# --- whole runs ------------------------------------------------------------------------------


def looking(count: int = 40) -> list[ToolCall]:
    pages = list(PAGES)
    return [
        ToolCall(name="visit", arguments={"url": pages[n % 3], "goal": f"lit {n}"}, id=f"v{n}") for n in range(count)
    ]


async def test_steps(tmp_path: Path) -> None:
    model = ScriptedModel([*looking(3), REPORT])
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask(budget(steps=3))
    assert (told.sure.stop_reason, model.calls) == (StopReason.STEPS, 4)
    assert told.sure.answer == "The first lighthouse was lit in 1698."
    assert any("all steps were used" in note for note in told.sure.notes)


async def test_tokens(tmp_path: Path) -> None:
    script = [turn("", call, tokens=2_000) for call in looking()]
    model = ScriptedModel(lambda r: REPORT if "numbered excerpts" in r.messages[0].content else script.pop(0))
    limits = replace(budget(tokens=40_000), window=8_000)
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask(limits)
    assert told.sure.stop_reason == StopReason.TOKENS
    assert told.sure.answer
    assert 20_000 < told.run.usage.tokens <= 40_000


async def test_money(tmp_path: Path) -> None:
    script = [turn("", call, tokens=2_000) for call in looking()]
    model = ScriptedModel(lambda r: REPORT if "numbered excerpts" in r.messages[0].content else script.pop(0))
    limits = replace(budget(usd=1.0), price=PRICE, window=8_000)
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask(limits)
    assert told.sure.stop_reason == StopReason.MONEY
    assert told.sure.answer
    assert 0.3 < told.run.usage.cost_usd <= 1.0


async def test_seconds(tmp_path: Path) -> None:
    clock = fake_clock()
    scripted = ScriptedModel(
        lambda r: REPORT if "numbered excerpts" in r.messages[0].content else looking()[len(r.messages) // 2]
    )
    model = Gate(scripted, clock, seconds=30.0)
    for _ in range(50):
        model.open.release()
    async with rig(tmp_path, model=model, clock=clock, monotonic=clock.monotonic) as engine:
        told = await engine.ask(budget(seconds=300.0))
    assert told.sure.stop_reason == StopReason.DEADLINE
    assert told.sure.answer
    assert 200.0 < told.run.usage.seconds <= 300.0


async def test_the_reserve_is_as_long_as_the_slowest_answer(tmp_path: Path) -> None:
    clock = fake_clock()
    scripted = ScriptedModel(
        lambda r: REPORT if "numbered excerpts" in r.messages[0].content else looking()[len(r.messages) // 2]
    )
    model = Gate(scripted, clock, seconds=60.0)
    for _ in range(50):
        model.open.release()
    async with rig(tmp_path, model=model, clock=clock, monotonic=clock.monotonic) as engine:
        told = await engine.ask(budget(seconds=239.0))
    # Under 60 s are left after the third answer. The share of 15 % alone would let a fourth one begin.
    assert scripted.calls == 4
    assert told.run.usage.seconds == pytest.approx(240.0, abs=1.5)
    assert told.sure.answer


@pytest.mark.parametrize("limits", [{"steps": 1}, {"tokens": 1}, {"tokens": 1_500}, {"seconds": 0.001}, {"usd": 1e-9}])
async def test_a_tiny_budget_still_ends_in_a_report(tmp_path: Path, limits: dict[str, float]) -> None:
    options = replace(budget(**limits), price=PRICE)
    async with rig(tmp_path, ROUNDS) as engine:
        told = await engine.ask(options)
    assert told.run.state is RunState.DONE
    assert told.sure.stop_reason in {StopReason.STEPS, StopReason.TOKENS, StopReason.DEADLINE, StopReason.MONEY}
    assert told.run.usage.cost_usd <= (limits.get("usd") or 1.0)
    if "tokens" in limits or "usd" in limits:  # what costs nothing was done all the same
        assert told.sure.claims


async def test_without_limits_only_the_model_ends_it(tmp_path: Path) -> None:
    async with rig(tmp_path, [READ, ANSWER, REPORT]) as engine:
        told = await engine.ask(budget())
    assert told.sure.stop_reason == StopReason.ANSWERED


async def test_a_model_that_uses_up_the_time_is_replaced(tmp_path: Path) -> None:
    model = Gate(ScriptedModel([]))  # never answers
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask(budget(seconds=1.2))
    assert told.sure.stop_reason == StopReason.DEADLINE
    assert told.run.failure is not None
    assert told.run.failure.code == "model_timeout"
    assert "1698" in told.text
