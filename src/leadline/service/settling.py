"""Counts what runs of this process used, as soon as they end; what fails here is found by the next look."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Final

from leadline.domain import Usage
from leadline.errors import LeadlineError
from leadline.events import Progress, Record, RunFinished
from leadline.ports.admission import Admission

log = logging.getLogger("leadline.service")

MOST: Final = 10_000
"""Ends that may wait to be counted; what is beyond is found by the next look for ended runs."""


class Settling:
    """An observer of runs."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._ended: deque[tuple[str, Usage]] = deque(maxlen=MOST)
        self._news = asyncio.Event()
        self._counting = asyncio.Lock()  # whoever waits for it knows that what was taken out is counted

    def record(self, run_id: str, tenant: str, record: Record) -> None:
        """See `ports.Observer`."""
        if isinstance(record.event, RunFinished):
            self._ended.append((run_id, record.event.usage))
            self._news.set()

    def progress(self, progress: Progress) -> None:
        """See `ports.Observer`."""

    async def work(self) -> None:
        """Count ends as they come, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self.settle()

    async def settle(self) -> None:
        """Count what has ended; on return all of it is counted, also what another call had begun with."""
        async with self._counting:
            while self._ended:
                await self._count(*self._ended.popleft())

    async def _count(self, run_id: str, usage: Usage) -> None:
        try:
            await self._admission.settle(run_id, tokens=usage.tokens, usd=usage.cost_usd)
        except LeadlineError as error:
            log.warning("settling_failed", extra={"run": run_id, "reason": str(error)})
