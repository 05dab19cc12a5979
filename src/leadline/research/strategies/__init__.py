"""Ways of gathering evidence behind one interface: what the model sees each round, or none at all."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from leadline.domain import StrategyName
from leadline.research.strategies import heavy, plan
from leadline.research.strategies.single import SINGLE, Strategy

STRATEGIES: Mapping[StrategyName, Strategy] = MappingProxyType(
    {**SINGLE, StrategyName.PLAN: plan.gather, StrategyName.HEAVY: heavy.gather}
)
