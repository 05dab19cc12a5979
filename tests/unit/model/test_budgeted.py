"""A model within a tenant's budget."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from leadline.domain import Message, ModelAnswer, ModelRequest, Usage
from leadline.errors import ModelBroken, ModelRateLimited
from leadline.model.budgeted import BudgetedModel
from leadline.model.budgets import Allowance, MemoryBudgets
from leadline.model.scripted import ScriptedModel

REQUEST = ModelRequest(messages=(Message(role="user", content="x" * 400),), model="m", max_tokens=500)


def left(budgets: MemoryBudgets) -> float:
    return round(budgets.left("t")[0][1])


def budget(tokens: int) -> MemoryBudgets:
    return MemoryBudgets([Allowance(tokens=tokens, seconds=1e9)])


async def test_a_call_costs_what_it_took() -> None:
    budgets = budget(1000)
    usage = Usage(model_calls=1, prompt_tokens=90, completion_tokens=10)
    inner = ScriptedModel([ModelAnswer(text="ok", finish="stop", usage=usage)])
    await BudgetedModel(inner, budgets, tenant="t").complete(REQUEST, deadline=1.0, session="s")
    assert left(budgets) == 900


async def test_a_call_that_gave_nothing_costs_nothing_and_one_too_many_never_starts() -> None:
    budgets = budget(1000)
    inner = ScriptedModel([ModelBroken("died")])
    model = BudgetedModel(inner, budgets, tenant="t")
    with pytest.raises(ModelBroken):
        await model.complete(REQUEST, deadline=1.0, session="s")
    assert left(budgets) == 1000
    await budgets.reserve("t", tokens=800)
    with pytest.raises(ModelRateLimited):
        await model.complete(REQUEST, deadline=1.0, session="s")
    assert inner.calls == 1


async def test_a_cancelled_call_costs_what_had_streamed() -> None:
    class Endless:
        async def complete(
            self,
            request: ModelRequest,
            *,
            deadline: float,
            session: str,
            progress: Callable[[str, str], None] | None = None,
        ) -> ModelAnswer:
            assert progress is not None
            progress("text", "y" * 200)
            await asyncio.Event().wait()
            raise AssertionError

    budgets = budget(1000)
    call = asyncio.get_running_loop().create_task(
        BudgetedModel(Endless(), budgets, tenant="t").complete(REQUEST, deadline=1.0, session="s")
    )
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert left(budgets) == 1000 - 104 - 50
