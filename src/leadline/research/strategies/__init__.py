"""Ways of gathering evidence behind one interface: what the model sees each round, or none at all."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from leadline.domain import StrategyName
from leadline.research.strategies import extractive, react
from leadline.research.study import Gathered, Study


class Strategy(Protocol):
    """Gathers evidence into the study's ledger."""

    async def __call__(self, study: Study) -> Gathered:
        """Search and read until an answer or the budget; raise only `Cancelled` and store failures."""
        ...


STRATEGIES: Mapping[StrategyName, Strategy] = MappingProxyType(
    {
        StrategyName.EXTRACTIVE: extractive.gather,
        StrategyName.REACT: react.gather,
    }
)
