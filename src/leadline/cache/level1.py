"""The first level: entries in this process's memory, bounded by bytes, the longest unused go first."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from leadline.cache.types import Cached, StoreUsage

_OVERHEAD = 400


class Held(NamedTuple):
    """An answer in memory, ready to be handed out; `until` bounds it whatever its store says."""

    answer: Cached
    version: int
    soft: float
    until: float
    size: int


class Level1:
    """Answers by `Key.id`."""

    def __init__(self, *, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._held: OrderedDict[str, Held] = OrderedDict()

    def get(self, id: str) -> Held | None:
        """Return what is held; whether it may still be used is the caller's to decide."""
        held = self._held.get(id)
        if held is not None:
            self._held.move_to_end(id)
        return held

    def put(self, id: str, answer: Cached, *, version: int, soft: float, until: float) -> None:
        """Hold an answer, unless it is larger than a quarter of all room."""
        self.drop(id)
        size = len(answer.body) + len(id) + _OVERHEAD
        if size * 4 > self._most:
            return
        self._held[id] = Held(answer, version, soft, until, size)
        self._bytes += size
        while self._bytes > self._most:
            self._bytes -= self._held.popitem(last=False)[1].size

    def drop(self, id: str) -> None:
        """Forget an answer."""
        held = self._held.pop(id, None)
        if held is not None:
            self._bytes -= held.size

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()
        self._bytes = 0

    def usage(self) -> StoreUsage:
        """Return what is held."""
        return StoreUsage(entries=len(self._held), bytes=self._bytes)
