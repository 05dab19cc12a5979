"""A service of works whose answers and failures are told, and whose price is known."""

from __future__ import annotations

import time
from dataclasses import replace

from leadline.errors import ToolError
from leadline.ports import Query
from leadline.ports.signals import ProviderAsked, Signals
from leadline.resilience import Monotonic
from leadline.wire.papers import Listed, Works


class ObservedWorks:
    """`Works` over another one; to stand behind the cache. `usd` is what an answer of its costs."""

    def __init__(
        self, works: Works, signals: Signals, *, usd: float = 0.0, monotonic: Monotonic = time.monotonic
    ) -> None:
        self._works = works
        self._signals = signals
        self._usd = usd
        self._monotonic = monotonic

    @property
    def name(self) -> str:
        """The service's name."""
        return self._works.name

    def ignored(self, query: Query) -> frozenset[str]:
        """See `Works.ignored`."""
        return self._works.ignored(query)

    async def papers(self, query: Query, *, deadline: float) -> Listed:
        """See `Works.papers`."""
        began = self._monotonic()
        try:
            listed = await self._works.papers(query, deadline=deadline)
        except ToolError as error:
            self._tell(error.code, began)
            raise
        self._tell("found" if listed.papers else "empty", began)
        return replace(listed, usd=self._usd)

    def _tell(self, outcome: str, began: float) -> None:
        self._signals.signal(ProviderAsked(provider=self.name, outcome=outcome, seconds=self._monotonic() - began))
