"""Hands what happens in this process's runs to whoever listens to them: bounded, never waiting."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager

from leadline.events import Progress, Record

BACKLOG = 10_000
"""Items that a slow listener may be behind; beyond, it misses some and reads them from the store."""

FOR_RECORDS = 1_000
"""Places of these that live text leaves to records."""


class Listener:
    """What one listener has not taken yet."""

    def __init__(self) -> None:
        self._queue: deque[Record | Progress | None] = deque()
        self._news = asyncio.Event()

    def offer(self, item: Record | Progress) -> None:
        """Add an item where there is room; a record that finds none is seen to be missing by its number."""
        room = BACKLOG if isinstance(item, Record) else BACKLOG - FOR_RECORDS
        if len(self._queue) < room:
            self._put(item)

    async def take(self) -> Record | Progress | None:
        """Return the next item; `None` after the run left this process."""
        while not self._queue:
            self._news.clear()
            await self._news.wait()
        return self._queue.popleft()

    def end(self) -> None:
        """Tell that nothing more comes."""
        self._put(None)

    def _put(self, item: Record | Progress | None) -> None:
        self._queue.append(item)
        self._news.set()


class Hub:
    """An observer that passes events on to listeners, by run."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = defaultdict(list)

    def record(self, run_id: str, tenant: str, record: Record) -> None:
        """See `ports.Observer`."""
        del tenant
        for listener in self._listeners.get(run_id, ()):
            listener.offer(record)

    def progress(self, progress: Progress) -> None:
        """See `ports.Observer`."""
        for listener in self._listeners.get(progress.run_id, ()):
            listener.offer(progress)

    def ended(self, run_id: str) -> None:
        """Tell a run's listeners that it left this process."""
        for listener in self._listeners.get(run_id, ()):
            listener.end()

    @contextmanager
    def listening(self, run_id: str) -> Iterator[Listener]:
        """Listen to a run while the context is open."""
        listener = Listener()
        self._listeners[run_id].append(listener)
        try:
            yield listener
        finally:
            self._listeners[run_id].remove(listener)
            if not self._listeners[run_id]:
                del self._listeners[run_id]
