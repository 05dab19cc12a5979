"""A run's events as they come: from its journal, and live where it runs in this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from leadline.events import Progress, Record, RunFinished
from leadline.hub import Hub, Listener
from leadline.ports import RunStore
from leadline.worker import Worker

LOOK_SECONDS = 1.0
"""Seconds after which a run of another process is looked at although nobody told of news."""

PAGE = 500
"""Records that are read from the journal at a time: whoever follows slowly holds no more."""


class Following:
    """Follows runs, wherever they run.

    `patient`: a run that this process had to let go is followed further, for another one will take it up.
    """

    def __init__(self, *, store: RunStore, hub: Hub, worker: Worker, patient: bool = False) -> None:
        self._store = store
        self._hub = hub
        self._worker = worker
        self._patient = patient

    async def follow(self, run_id: str, *, after: int = 0) -> AsyncGenerator[Record | Progress]:
        """Yield a run's events from `seq` `after` + 1 on until it ended, and live text where it runs here.

        The caller has checked that there is such a run. Raises, unless patient, what ended the hold of
        a run that this process carried, if that was a failure.
        """
        with self._hub.listening(run_id) as listener:
            async for item in self._told(run_id, listener, after=after):
                yield item
                if isinstance(item, Record) and isinstance(item.event, RunFinished):
                    return

    async def _told(self, run_id: str, listener: Listener, *, after: int) -> AsyncGenerator[Record | Progress]:
        """Yield a run's events from the store and, while it runs here, as they come; without an end."""
        seen = after
        while True:
            news = await self._store.changed(-1, timeout=0.0)
            while page := await self._store.records(run_id, after=seen, limit=PAGE):
                for record in page:
                    seen = record.seq
                    yield record
            if not self._worker.holds(run_id):
                if not self._patient:
                    self._worker.raise_for(run_id)
                await self._store.changed(news, timeout=LOOK_SECONDS, of=run_id)
                continue
            async for item in _live(listener, seen):
                seen = seen if isinstance(item, Progress) else item.seq
                yield item


async def _live(listener: Listener, seen: int) -> AsyncGenerator[Record | Progress]:
    """Yield what a run tells after `seq` `seen`, until it left this process or the listener fell behind."""
    while (item := await listener.take()) is not None:
        if isinstance(item, Record):
            if item.seq > seen + 1:
                return
            if item.seq <= seen:
                continue
            seen = item.seq
        yield item
