"""Hands what happens in this process's runs to whoever listens to them: bounded, never waiting."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from leadline.events import Progress, Record

BACKLOG = 10_000
"""Items that a slow listener may be behind; beyond, live text is dropped first, then it must read the store."""


class Listener:
    """What one listener has not taken yet."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Record | Progress | None] = asyncio.Queue(BACKLOG)
        self.behind = False

    def offer(self, item: Record | Progress) -> None:
        """Add an item where there is room."""
        try:
            self._queue.put_nowait(item)
        except asyncio.QueueFull:
            self.behind = self.behind or isinstance(item, Record)

    async def take(self) -> Record | Progress | None:
        """Return the next item; `None` after the run left this process."""
        return await self._queue.get()

    def end(self) -> None:
        """Tell that nothing more comes."""
        try:
            self._queue.put_nowait(None)
        except asyncio.QueueFull:
            self.behind = True
            self._queue.get_nowait()
            self._queue.put_nowait(None)


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
