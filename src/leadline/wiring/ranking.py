"""What puts the hits of a search in order, where its server is set."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from leadline.ports import Clock, Ranker, Signals
from leadline.settings import Settings
from leadline.tools.ranked import Ranking as HitRanking
from leadline.wiring.loaded import loaded
from leadline.wiring.telemetry import breaker_told


class Ranking:
    """The ranker of the settings, opened on `stack` when a run first needs it."""

    def __init__(self, settings: Settings, stack: AsyncExitStack, *, clock: Clock, signals: Signals) -> None:
        self._section = settings.rerank
        self._stack = stack
        self._clock = clock
        self._signals = signals
        self._opening = asyncio.Lock()
        self._ranker: Ranker | None = None

    async def of_hits(self) -> HitRanking | None:
        """Return what puts hits in order, `None` where nothing is set."""
        ranker = await self.ranker()
        return None if ranker is None else HitRanking(ranker=ranker, most=self._section.most, usd=self._section.usd)

    async def ranker(self) -> Ranker | None:
        """Return the ranker, `None` where none is set."""
        section = self._section
        if section.url is None or section.name is None:
            return None
        async with self._opening:
            if self._ranker is None:
                await loaded("leadline.model.ranker")
                from leadline.model.ranker import ServerRanker  # noqa: PLC0415 aiohttp only where a server is set

                key = section.api_key.reveal() if section.api_key else None
                ranker = ServerRanker(
                    section.url,
                    name=section.name,
                    api_key=key,
                    seconds=section.seconds,
                    clock=self._clock,
                    changed=breaker_told(self._signals, "rerank"),
                )
                self._ranker = await self._stack.enter_async_context(ranker)
        return self._ranker
