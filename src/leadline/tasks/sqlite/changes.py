"""Waiting for changes: one's own are told at once, other processes' are looked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LOOK_SECONDS = 0.1
"""Time between two looks for other processes' commits; the one permitted poll."""


class Changes:
    """A counter that grows with every change, and its waiters.

    `look` asks for the database's version without waiting and reports it to `seen_version`. It is
    asked only while somebody waits.
    """

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._loop = asyncio.get_running_loop()
        self._counter = 0
        self._version: int | None = None
        self._waiters = 0
        self._looking = False
        self._news: asyncio.Future[None] = self._loop.create_future()
        self._closed = False

    async def wait(self, seen: int, *, seconds: float) -> int:
        """Return the counter once it differs from `seen`, or after `seconds`."""
        if seen != self._counter or self._closed:
            return self._counter
        self._waiters += 1
        try:
            if not self._looking:
                self._tick()
            await asyncio.wait({self._news}, timeout=seconds)
        finally:
            self._waiters -= 1
        return self._counter

    def bump(self) -> None:
        """Count a change and wake who waits."""
        self._counter += 1
        self._news.set_result(None)
        self._news = self._loop.create_future()

    def seen_version(self, version: int | None) -> None:
        """Take the answer to a look; `None` where it failed."""
        if version is not None and version != self._version:
            first, self._version = self._version is None, version
            if not first:
                self.bump()
        if self._waiters and not self._closed:
            self._loop.call_later(LOOK_SECONDS, self._tick)
        else:
            self._looking = False

    def close(self) -> None:
        """Let everybody go."""
        self._closed = True
        self.bump()

    def _tick(self) -> None:
        if self._closed or not self._waiters:
            self._looking = False
            return
        self._looking = True
        self._look()
