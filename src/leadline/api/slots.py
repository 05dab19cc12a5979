"""Idle slots of a worker process: each takes the best run of the queue, carries it through, and takes the next."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from leadline.errors import LeadlineError, LeaseLost, StoreError
from leadline.events import ENGINE
from leadline.ports import MANY, Run, RunStore, Wake
from leadline.worker import Worker

log = logging.getLogger("leadline.slots")

LOOK_SECONDS: Final = 1.0
"""Seconds after which idle slots look by themselves: of a lease that runs out nobody tells."""

AT_ONCE: Final = 32
"""Claims that are under way at a time."""

LONGEST_PAUSE: Final = 60.0
"""Seconds between two claims of a process that gave every run back, since it lacks what they need."""


class Slots:
    """`count` places of a worker, filled from the queue; `serve` runs until it is told to stop."""

    def __init__(self, *, worker: Worker, store: RunStore, wake: Wake, count: int) -> None:
        self._worker = worker
        self._store = store
        self._wake = wake
        self._count = count
        self._busy = 0
        self._due = MANY
        self._freed = asyncio.Event()
        self._pause = 0.0

    @property
    def idle(self) -> int:
        """How many more runs could be taken now."""
        return self._count - self._busy

    async def serve(self, stop: asyncio.Event) -> None:
        """Take runs until `stop` is set; then hand back, at once and whole, what is held."""
        async with self._wake.attached(lambda: self.idle), asyncio.TaskGroup() as group:
            stopped = group.create_task(stop.wait(), name="slots stop")
            while not stop.is_set():
                await self._fill(group)
                await self._rest(group, stopped)
                if self._pause:
                    await asyncio.wait({stopped}, timeout=self._pause)
            await self._worker.drain()

    async def _fill(self, group: asyncio.TaskGroup) -> None:
        """Claim what is due until every slot is busy or nothing is left; only then begin: runs take the loop's time."""
        self._freed.clear()
        due, self._due = self._due, 0
        runs: list[Run] = []
        exhausted = False
        while self.idle and due and not exhausted:
            wanted = min(self.idle, due, AT_ONCE)
            due -= wanted
            async with asyncio.TaskGroup() as claiming:
                claims = [claiming.create_task(self._claim(), name="claim") for _ in range(wanted)]
            found = [run for run in (claim.result() for claim in claims) if run is not None]
            self._busy += len(found)
            runs += found
            exhausted = len(found) < wanted
        for run in runs:
            self._worker.take(run, patient=True)
            group.create_task(self._watch(run.id), name=f"slot {run.id}")

    async def _claim(self) -> Run | None:
        try:
            return await self._store.claim(self._worker.owner, lease=self._worker.lease, engines=(ENGINE,))
        except StoreError as error:
            log.warning("claim_failed", extra={"reason": str(error)})
            return None

    async def _watch(self, run_id: str) -> None:
        """Wait for a run's end and free its slot; a run that was given back for want of means slows the next claims."""
        try:
            await self._worker.wait(run_id)
        except (StoreError, LeaseLost):
            self._pause = 0.0
        except LeadlineError:
            self._pause = min(LONGEST_PAUSE, self._pause * 2 or LOOK_SECONDS)
        else:
            self._pause = 0.0
        finally:
            self._busy -= 1
            self._due += 1  # a slot that ended a run takes the next one at once
            self._freed.set()

    async def _rest(self, group: asyncio.TaskGroup, stopped: asyncio.Task[bool]) -> None:
        """Wait until a slot is free and work may have come, or for the end."""
        freed = group.create_task(self._freed.wait(), name="slots freed")
        rung = group.create_task(self._wake.rung(seconds=LOOK_SECONDS), name="slots wake") if self.idle else None
        try:
            await asyncio.wait({stopped, freed, *filter(None, (rung,))}, return_when=asyncio.FIRST_COMPLETED)
            if rung is not None and rung.done():
                self._due += rung.result()
        finally:
            freed.cancel()
            if rung is not None:
                rung.cancel()
