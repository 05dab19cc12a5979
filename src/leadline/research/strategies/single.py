"""Strategies of one researcher: what a sub-question or a side of a heavy run is worked on by."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from leadline.domain import StrategyName
from leadline.research.strategies import extractive, iterresearch, react, resum
from leadline.research.study import Gathered, Study


class Strategy(Protocol):
    """Gathers evidence into the study's ledger."""

    async def __call__(self, study: Study) -> Gathered:
        """Search and read until an answer or the budget; raise only `Cancelled`, `Waits` and store failures."""
        ...


SINGLE: Mapping[StrategyName, Strategy] = MappingProxyType(
    {
        StrategyName.EXTRACTIVE: extractive.gather,
        StrategyName.REACT: react.gather,
        StrategyName.RESUM: resum.gather,
        StrategyName.ITERRESEARCH: iterresearch.gather,
    }
)
