"""Waiting for changes, by what they concern: a run, the queue, flags, or anything."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

REMEMBERED = 20_000
"""Topics whose last change is known; who asks for one that was forgotten is woken once in vain."""


class News:
    """A counter that grows with every change, when each topic last changed, and who waits for what."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._counter = 0
        self._forgotten = 0  # a topic that is not among these changed at this count, or earlier
        self._changed: OrderedDict[str, int] = OrderedDict()
        self._waiting: dict[str | None, set[asyncio.Future[None]]] = {}
        self._closed = False

    async def wait(self, seen: int, topic: str | None, *, seconds: float) -> int:
        """Return the counter once `topic` changed after `seen`, or after `seconds`."""
        if seen < 0 or self._closed or self._last(topic) > seen:
            return self._counter
        news: asyncio.Future[None] = self._loop.create_future()
        waiting = self._waiting.setdefault(topic, set())
        waiting.add(news)
        try:
            await asyncio.wait({news}, timeout=seconds)
        finally:
            waiting.discard(news)
            if not waiting and self._waiting.get(topic) is waiting:
                del self._waiting[topic]
        return self._counter

    def tell(self, topics: Iterable[str]) -> None:
        """Count a change of `topics` and wake who waits for one of them."""
        self._counter += 1
        for topic in topics:
            self._changed[topic] = self._counter
            self._changed.move_to_end(topic)
            self._wake(topic)
        while len(self._changed) > REMEMBERED:
            _, self._forgotten = self._changed.popitem(last=False)
        self._wake(None)

    def tell_all(self) -> None:
        """Wake everybody: changes may have been missed."""
        self._counter += 1
        self._forgotten = self._counter
        self._changed.clear()
        for topic in list(self._waiting):
            self._wake(topic)

    def close(self) -> None:
        """Let everybody go."""
        self._closed = True
        self.tell_all()

    def _last(self, topic: str | None) -> int:
        return self._counter if topic is None else self._changed.get(topic, self._forgotten)

    def _wake(self, topic: str | None) -> None:
        for news in self._waiting.get(topic, ()):
            if not news.done():
                news.set_result(None)
