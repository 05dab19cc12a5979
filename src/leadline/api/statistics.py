"""How sure a mean is, and whether two differ: bootstrap and permutation, repeatable by their seed.

Intervals are the percentile bootstrap (Efron & Tibshirani 1993, chapter 13); a difference over the
same questions is tested by exchanging signs (Fisher's randomisation test), exactly where few
questions allow it.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

RESAMPLES: Final = 2_000
_EXACT: Final = 12
"""Differences up to which all exchanges of signs are tried."""

_TOLERANCE: Final = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class Mean:
    """A mean over `count` questions, and the interval that holds it with 95 % confidence."""

    value: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """How much higher a mean is than another over the same questions; `p` is two-sided."""

    value: float
    low: float
    high: float
    p: float
    count: int


def mean(values: Sequence[float], *, seed: int = 0) -> Mean:
    """Return the mean of at least one value with its interval."""
    low, high = _interval(values, seed)
    return Mean(value=_mean(values), low=low, high=high, count=len(values))


def difference(ours: Sequence[float], theirs: Sequence[float], *, seed: int = 0) -> Difference:
    """Return how `ours` differ from `theirs`, question by question; both have the same length, at least 1."""
    apart = [a - b for a, b in zip(ours, theirs, strict=True)]
    low, high = _interval(apart, seed)
    return Difference(value=_mean(apart), low=low, high=high, p=_p(apart, seed), count=len(apart))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _interval(values: Sequence[float], seed: int) -> tuple[float, float]:
    if len(set(values)) == 1:
        return values[0], values[0]
    chance = random.Random(seed)  # noqa: S311 resampling, no secret
    means = sorted(_mean(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]


def _p(apart: Sequence[float], seed: int) -> float:
    """Return how often exchanged signs give a sum as far from nothing as the one that was seen."""
    moved = [value for value in apart if value]
    if not moved:
        return 1.0
    seen = abs(sum(moved)) - _TOLERANCE
    if len(moved) <= _EXACT:
        signs = list(itertools.product((1, -1), repeat=len(moved)))
        return sum(abs(_signed(moved, each)) >= seen for each in signs) / len(signs)
    chance = random.Random(seed)  # noqa: S311 as above
    hits = sum(abs(_signed(moved, chance.choices((1, -1), k=len(moved)))) >= seen for _ in range(RESAMPLES))
    return (hits + 1) / (RESAMPLES + 1)


def _signed(values: Sequence[float], signs: Sequence[int]) -> float:
    return sum(value * sign for value, sign in zip(values, signs, strict=True))
