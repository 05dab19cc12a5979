"""Budgets: reserve before spending, settle after, and know why to stop.

Gathering stops when less than the reserve is left, so that a run with evidence always ends in a
report. The reserve is the larger of 15 % and what one answer takes. All of it is arithmetic on
recorded values: no clock, no estimate that depends on the moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from leadline.domain import Budget, Price, StopReason, Usage

L = TypeVar("L", int, float)

RESERVE_SHARE = 0.15
"""Share of each limit that gathering leaves to writing and verification."""

CHECK_SHARE = 0.15
"""Share of each limit that a judge may spend at most."""

ANSWER_SECONDS = 20.0
"""Seconds that one answer is taken to need where none was measured yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reserve:
    """What gathering must leave: tokens, seconds, US dollars."""

    tokens: int
    seconds: float
    usd: float


NOTHING_KEPT = Reserve(tokens=0, seconds=0.0, usd=0.0)
"""Of a slice that was cut beside writing's share, gathering may use all."""


def cost(price: Price | None, *, prompt: int, completion: int, cached: int = 0) -> float:
    """Return US dollars for a call; without a price nothing."""
    if price is None:
        return 0.0
    cheap = price.prompt if price.cached is None else price.cached
    fresh = max(0, prompt - cached)
    return (fresh * price.prompt + min(cached, prompt) * cheap + completion * price.completion) / 1_000_000


def reservation(price: Price | None, *, prompt: int, completion: int) -> Usage:
    """Return what a call may cost at most."""
    return Usage(
        prompt_tokens=prompt, completion_tokens=completion, cost_usd=cost(price, prompt=prompt, completion=completion)
    )


def priced(usage: Usage, price: Price | None) -> Usage:
    """Return `usage` with the cost that the price gives it, unless the server told one."""
    if usage.cost_usd or price is None:
        return usage
    amount = cost(price, prompt=usage.prompt_tokens, completion=usage.completion_tokens, cached=usage.cached_tokens)
    return replace(usage, cost_usd=amount)


def reserve(budget: Budget, *, answer: Usage, seconds: float = ANSWER_SECONDS) -> Reserve:
    """Return the reserve of a budget for an answer that may cost `answer` and take `seconds`.

    Never more than half of a limit: a small budget still gathers something.
    """
    return Reserve(
        tokens=int(_larger(budget.tokens, answer.tokens)),
        seconds=_larger(budget.seconds, seconds),
        usd=_larger(budget.usd, answer.cost_usd),
    )


def _larger(limit: float | None, one: float) -> float:
    if limit is None:
        return one
    return min(max(limit * RESERVE_SHARE, one), limit / 2)


def stop(
    budget: Budget, *, spent: Usage, elapsed: float, rounds: int, keep: Reserve, ahead: Usage
) -> StopReason | None:
    """Return why no further round may begin, or `None`.

    `rounds` have been done; `ahead` is the reservation of the next one's model call.
    """
    if budget.steps is not None and rounds >= budget.steps:
        return StopReason.STEPS
    if budget.seconds is not None and elapsed + keep.seconds >= budget.seconds:
        return StopReason.DEADLINE
    if budget.tokens is not None and spent.tokens + ahead.tokens + keep.tokens > budget.tokens:
        return StopReason.TOKENS
    if budget.usd is not None and spent.cost_usd + ahead.cost_usd + keep.usd > budget.usd:
        return StopReason.MONEY
    return None


def left(budget: Budget, *, spent: Usage, elapsed: float, rounds: int = 0) -> Budget:
    """Return what remains of a budget, never below zero."""
    return Budget(
        steps=None if budget.steps is None else max(0, budget.steps - rounds),
        tokens=None if budget.tokens is None else max(0, budget.tokens - spent.tokens),
        seconds=None if budget.seconds is None else max(0.0, budget.seconds - elapsed),
        usd=None if budget.usd is None else max(0.0, budget.usd - spent.cost_usd),
    )


def share(budget: Budget, part: float) -> Budget:
    """Return `part` (0..1) of a budget's tokens, seconds and dollars; steps stay."""
    return Budget(
        steps=budget.steps,
        tokens=None if budget.tokens is None else int(budget.tokens * part),
        seconds=None if budget.seconds is None else budget.seconds * part,
        usd=None if budget.usd is None else budget.usd * part,
    )


def slices(budget: Budget, *, keep: Reserve, parts: int) -> list[Budget]:
    """Return `parts` equal slices of what a budget leaves beside `keep`.

    Parts work side by side: each has all the time that is left. Steps that do not divide go to the
    first ones.
    """
    tokens = None if budget.tokens is None else max(0, budget.tokens - keep.tokens) // parts
    usd = None if budget.usd is None else max(0.0, budget.usd - keep.usd) / parts
    seconds = None if budget.seconds is None else max(0.0, budget.seconds - keep.seconds)
    steps, more = (0, 0) if budget.steps is None else divmod(budget.steps, parts)
    each = Budget(steps=None if budget.steps is None else steps, tokens=tokens, seconds=seconds, usd=usd)
    return [replace(each, steps=steps + 1) if number < more else each for number in range(parts)]


def least(one: Budget, other: Budget) -> Budget:
    """Return the stricter of two budgets, limit by limit."""
    return Budget(
        steps=_least(one.steps, other.steps),
        tokens=_least(one.tokens, other.tokens),
        seconds=_least(one.seconds, other.seconds),
        usd=_least(one.usd, other.usd),
    )


def _least(one: L | None, other: L | None) -> L | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)


def affordable(budget: Budget, *, spent: Usage, elapsed: float, ahead: Usage) -> bool:
    """Return whether one more call of cost `ahead` fits."""
    return (
        (budget.tokens is None or spent.tokens + ahead.tokens <= budget.tokens)
        and (budget.usd is None or spent.cost_usd + ahead.cost_usd <= budget.usd)
        and (budget.seconds is None or elapsed < budget.seconds)
    )
