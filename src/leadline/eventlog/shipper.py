"""Carries the journal to a log: by one process at a time, in order, at least once.

The journal is the outbox: a page is delivered, then the place behind it is noted. A process that
dies between the two delivers the page again, with the same (run, seq). A log that is away stops
nothing but this: the journal waits, and `lag` tells for how long.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from random import Random
from typing import Final, Protocol

from leadline.errors import LeaseLost, StoreError
from leadline.eventlog.envelope import Envelopes
from leadline.ports import EventFeed, EventSink, Fed, Turn
from leadline.resilience import Backoff, Monotonic, Sleeps

log = logging.getLogger("leadline.eventlog")

PAGE: Final = 500
"""Rows that are delivered at a time."""

LOOK_SECONDS: Final = 1.0
"""Seconds after which an idle shipper looks again: a row may come into the feed after its commit."""

GATHER_SECONDS: Final = 0.05
"""Seconds that a shipper lets rows gather after the first, so that a busy store is not read row by row."""


class Outbox(EventFeed, Protocol):
    """A store that gives its rows and tells when it changed."""

    async def changed(self, seen: int, *, timeout: float, of: str | None = None) -> int:  # noqa: ASYNC109 the port's name
        """See `RunStore`."""
        ...


class Shipper:
    """Ships to one log, known to the store by the name `name`; `run` goes on until it is cancelled.

    `lease` is in seconds, longer than a delivery takes at most: another process takes over when this
    one is silent for so long. `failing` says why the log is not reached now.
    """

    def __init__(
        self,
        *,
        store: Outbox,
        sink: EventSink,
        name: str,
        owner: str,
        envelopes: Envelopes,
        clock: Sleeps,
        random: Random,
        lease: float = 30.0,
        monotonic: Monotonic = time.monotonic,
        backoff: Backoff = Backoff(base=0.2, cap=30.0),  # noqa: B008 frozen
    ) -> None:
        self.name = name
        self.failing: str | None = None
        self._store = store
        self._sink = sink
        self._owner = owner
        self._envelopes = envelopes
        self._clock = clock
        self._random = random
        self._lease = lease
        self._backoff = backoff
        self._monotonic = monotonic
        self._failures = 0
        self._seen = -1
        self._renewed = 0.0

    async def run(self) -> None:
        """Ship whenever this process has the right to; wait for it otherwise."""
        while True:
            try:
                turn = await self._store.ship(self.name, self._owner, lease=self._lease)
                if turn is not None:
                    await self._go_on(turn)
            except LeaseLost:
                log.info("event_log_taken_over", extra={"log": self.name})
            except StoreError as error:
                self._failed(error)
                await self._clock.sleep(self._backoff.wait(self._failures, random=self._random))
                continue
            await self._clock.sleep(self._lease / 3)

    async def drain(self) -> int | None:
        """Ship until nothing is left and return how many rows; `None` where another process ships.

        Raises `StoreError` where the store or the log fails.
        """
        turn = await self._store.ship(self.name, self._owner, lease=self._lease)
        if turn is None:
            return None
        count = 0
        try:
            while page := await self._store.feed(turn.place, limit=PAGE):
                turn = await self._delivered(page, turn)
                count += len(page)
        finally:
            await self._release(turn)
        return count

    async def _go_on(self, turn: Turn) -> None:
        """Ship until the log fails, the right is lost, or the task is cancelled; then let others try."""
        try:
            while True:
                page = await self._store.feed(turn.place, limit=PAGE)
                if page:
                    turn = await self._delivered(page, turn)
                    self._reached()
                else:
                    self._seen = await self._store.changed(self._seen, timeout=LOOK_SECONDS)
                    await self._renew(turn)
                    await self._clock.sleep(GATHER_SECONDS)
        finally:
            await self._release(turn)

    async def _delivered(self, page: Sequence[Fed], turn: Turn) -> Turn:
        """Deliver a page, and only then note it."""
        messages = await asyncio.to_thread(lambda: [self._envelopes.write(fed) for fed in page])
        await self._sink.deliver(messages)
        turn = turn._replace(place=page[-1].place)
        await self._note(turn)
        return turn

    async def _renew(self, turn: Turn) -> None:
        """Keep the right while there is nothing to ship. Raises `LeaseLost`."""
        if self._monotonic() - self._renewed > self._lease / 3:
            await self._note(turn)

    async def _note(self, turn: Turn) -> None:
        begun = self._monotonic()
        await self._store.shipped(self.name, turn, lease=self._lease)
        self._renewed = begun

    async def _release(self, turn: Turn) -> None:
        try:
            await asyncio.shield(self._store.release(self.name, turn))
        except StoreError as error:  # the lease ends by itself
            log.debug("event_log_not_released", extra={"log": self.name, "reason": str(error)})

    def _failed(self, error: StoreError) -> None:
        self._failures += 1
        if self.failing is None:
            log.warning("event_log_failed", extra={"log": self.name, "code": error.code, "reason": str(error)})
        self.failing = str(error)

    def _reached(self) -> None:
        if self.failing is not None:
            log.warning("event_log_reached", extra={"log": self.name, "failures": self._failures})
        self.failing = None
        self._failures = 0
