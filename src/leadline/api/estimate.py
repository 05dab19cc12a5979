"""What a run may use, told before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from leadline.api.asking import DEFAULT_WINDOW
from leadline.domain import Options, StrategyName
from leadline.research.budget import cost
from leadline.research.outline import MOST_SECTIONS

WRITING_CALLS: Final[Mapping[StrategyName, int]] = MappingProxyType(
    {StrategyName.PLAN: 2 + max(MOST_SECTIONS.values())}
)
"""Calls of the model that write a report, where that is more than one: outline, sections, direct answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a run may use at most, and what a short one uses. US dollars are `None` without a price."""

    steps: int | None
    model_calls: int
    tokens_low: int
    tokens_high: int
    usd_low: float | None
    usd_high: float | None
    strategy: str
    chosen: str
    notes: tuple[str, ...] = ()


def estimate(options: Options) -> Estimate:
    """Return what a run of these options may use; without a model that is nothing but time."""
    if options.strategy is StrategyName.EXTRACTIVE or not options.model:
        return Estimate(
            steps=options.budget.steps,
            model_calls=0,
            tokens_low=0,
            tokens_high=0,
            usd_low=0.0,
            usd_high=0.0,
            strategy=StrategyName.EXTRACTIVE,
            chosen=options.chosen,
            notes=("no model is used",),
        )
    return _with_model(options)


def _with_model(options: Options) -> Estimate:
    """Return the cost of a run with a model: a short one of four rounds, and all that the budget allows."""
    budget = options.budget
    window = options.window or DEFAULT_WINDOW
    rounds = min(budget.steps or 50, 50)
    typical = [min(window - options.max_tokens, 1_500 + 3_000 * i) for i in range(rounds)]
    low_prompt, high_prompt = sum(typical[:4]) + 6_000, sum(typical) + window // 2
    writing = WRITING_CALLS.get(options.strategy, 1) + (options.schema is not None)
    low_completion, high_completion = 5 * 600, (rounds + writing) * 900
    high = min(high_prompt + high_completion, budget.tokens or high_prompt + high_completion)
    low = min(low_prompt + low_completion, high)
    price = options.price
    usd: tuple[float, float] | tuple[None, None] = (None, None)
    if price is not None:
        share = high / (high_prompt + high_completion)
        top = cost(price, prompt=high_prompt, completion=high_completion) * share
        usd = (cost(price, prompt=low_prompt, completion=low_completion), min(top, budget.usd or top))
    return Estimate(
        steps=budget.steps,
        model_calls=rounds + writing,
        tokens_low=low,
        tokens_high=high,
        usd_low=usd[0],
        usd_high=usd[1],
        strategy=options.strategy,
        chosen=options.chosen,
        notes=() if price else (f"no price is known for `{options.model}`",),
    )
