"""Single messages to a log without waiting: bounded, and lost rather than in anybody's way."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from itertools import islice
from random import Random
from types import TracebackType
from typing import Final, Self

from leadline.errors import StoreError
from leadline.ports import EventSink, Message
from leadline.resilience import Backoff, Owned, Sleeps

log = logging.getLogger("leadline.eventlog.backlog")

BATCH: Final = 500
LAST_SECONDS: Final = 3.0
"""Seconds that the end of the context waits for what is still in the backlog."""


class Backlog:
    """Delivers what `send` takes, in the background while the context is open; for log lines and their like.

    `most` bounds what waits. `dropped` counts what found no room, or was left at the end.
    """

    def __init__(
        self,
        sink: EventSink,
        *,
        clock: Sleeps,
        random: Random,
        most: int = 10_000,
        backoff: Backoff = Backoff(base=0.2, cap=5.0),  # noqa: B008 frozen
    ) -> None:
        self.dropped = 0
        self._sink = sink
        self._clock = clock
        self._random = random
        self._most = most
        self._backoff = backoff
        self._waiting: deque[Message] = deque()
        self._loop = asyncio.get_running_loop()
        self._came = asyncio.Event()
        self._owned = Owned("leadline backlog")
        self._closed = False
        self._failures = 0

    async def __aenter__(self) -> Self:
        self._task = self._owned.spawn(self._run(), name="deliver")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._came.set()
        await asyncio.wait({self._task}, timeout=LAST_SECONDS)
        await self._owned.close()
        self.dropped += len(self._waiting)
        self._waiting.clear()

    def __len__(self) -> int:
        return len(self._waiting)

    def send(self, key: bytes, value: bytes) -> bool:
        """Take a message from any thread; return whether there was room for it."""
        if self._closed or len(self._waiting) >= self._most:
            self.dropped += 1
            return False
        self._waiting.append(Message(key, value))
        if len(self._waiting) == 1:
            self._loop.call_soon_threadsafe(self._came.set)
        return True

    async def _run(self) -> None:
        while not self._closed or self._waiting:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                await self._step()

    async def _step(self) -> None:
        """Deliver the first messages, which stay in the backlog until they are; or wait a while."""
        batch = list(islice(self._waiting, BATCH))
        try:
            await self._sink.deliver(batch)
        except StoreError as error:
            self._failures += 1
            if self._failures == 1:
                log.warning("backlog_not_delivered", extra={"code": error.code, "reason": str(error)})
            await self._clock.sleep(self._backoff.wait(self._failures, random=self._random))
            return
        self._failures = 0
        for _ in batch:
            self._waiting.popleft()
