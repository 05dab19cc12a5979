"""A provider whose answers and failures are told, and whose price is known."""

from __future__ import annotations

import time
from dataclasses import replace

from leadline.errors import ToolError
from leadline.ports import Found, Query, Search
from leadline.ports.signals import ProviderAsked, Signals
from leadline.resilience import Monotonic


class ObservedSearch:
    """`Search` over another one; to stand behind the cache, so that what is told is the provider's own doing.

    `usd` is what an answer of its costs, also one that found nothing.
    """

    def __init__(
        self, search: Search, signals: Signals, *, usd: float = 0.0, monotonic: Monotonic = time.monotonic
    ) -> None:
        self._search = search
        self._signals = signals
        self._usd = usd
        self._monotonic = monotonic

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._search.name

    async def search(self, query: Query, *, deadline: float) -> Found:
        """See `ports.Search`."""
        began = self._monotonic()
        try:
            found = await self._search.search(query, deadline=deadline)
        except ToolError as error:
            self._tell(error.code, began)
            raise
        self._tell("found" if found.hits else "empty", began)
        return replace(found, usd=self._usd)

    def _tell(self, outcome: str, began: float) -> None:
        self._signals.signal(
            ProviderAsked(provider=self.name, outcome=outcome, seconds=self._monotonic() - began),
        )
