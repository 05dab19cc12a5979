"""`Wake` by tickets: each lets one idle slot of some worker take one run, the best there is.

A ticket names no run: which one is best is decided when it is taken. All of them may be lost: one
process tops them up, each second and when the queue changes, to as many as there are idle slots
and runs for them. Where the broker is away slots look by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from leadline.errors import StoreError
from leadline.ports import MANY, RunStore
from leadline.tasks.engines import StoreWake

log = logging.getLogger("leadline.tickets")

LOOK_SECONDS: Final = 1.0
"""Seconds after which tickets are counted anyway."""

SOONEST: Final = 0.05
"""Seconds between two counts at least; and four times what the last one took."""

SILENCE_SECONDS: Final = 5.0
"""Seconds without a ticket after which idle slots look by themselves, whatever the broker says."""


class BrokerAway(Exception):
    """The broker does not answer, or refuses; the words say what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What the broker knows: `mine`, whether this process tops up; tickets that wait; idle slots of all workers."""

    mine: bool
    tickets: int
    idle: int


class Broker(Protocol):
    """Where tickets are. All methods block."""

    def report(self, owner: str, *, idle: int) -> Standing:
        """Say how many slots are idle here and return what all say. Raises `BrokerAway`."""
        ...

    def send(self, count: int) -> None:
        """Add tickets. Raises `BrokerAway`."""
        ...

    def close(self, owner: str) -> None:
        """Take no more tickets, and forget this process."""
        ...


class TicketWake:
    """`open_broker` connects.

    What it is given is called on another thread for each ticket, and blocks while no slot is idle.
    """

    def __init__(self, store: RunStore, *, owner: str, open_broker: Callable[[Callable[[], None]], Broker]) -> None:
        self._store = store
        self._owner = owner
        self._open = open_broker
        self._taken = 0
        self._come = asyncio.Event()
        self._room = asyncio.Event()
        self._closing = False
        self._away = False
        self._last = 0.0

    @asynccontextmanager
    async def attached(self, idle: Callable[[], int]) -> AsyncIterator[None]:
        """See `Wake`."""
        loop = asyncio.get_running_loop()

        def ticket() -> None:
            asyncio.run_coroutine_threadsafe(self._admit(idle), loop).result()

        broker = await asyncio.to_thread(self._open, ticket)
        self._last = time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                topping = group.create_task(self._top_up(broker, idle), name="tickets")
                yield
                topping.cancel()
        finally:
            self._closing = True
            self._room.set()
            await asyncio.to_thread(broker.close, self._owner)

    async def rung(self, *, seconds: float) -> int:
        """See `Wake`."""
        self._room.set()
        try:
            async with asyncio.timeout(seconds):
                await self._come.wait()
        except TimeoutError:
            silent = time.monotonic() - self._last >= SILENCE_SECONDS
            if not (self._away or silent):
                return 0
            self._last = time.monotonic()
            return MANY
        self._last = time.monotonic()
        taken, self._taken = self._taken, 0
        self._come.clear()
        return taken

    async def _admit(self, idle: Callable[[], int]) -> None:
        """Count a ticket once a slot is idle for it."""
        while idle() <= self._taken and not self._closing:
            self._room.clear()
            await self._room.wait()
        self._taken += 1
        self._come.set()

    async def _top_up(self, broker: Broker, idle: Callable[[], int]) -> None:
        news = StoreWake(self._store)
        while True:
            began = time.monotonic()
            try:
                await self._count(broker, idle())
            except BrokerAway as error:
                if not self._away:
                    log.warning("broker_away", extra={"reason": str(error)})
                self._away = True
            except StoreError as error:
                log.warning("tickets_not_counted", extra={"reason": str(error)})
            await asyncio.sleep(max(SOONEST, 4 * (time.monotonic() - began)))
            try:
                await news.rung(seconds=LOOK_SECONDS)
            except StoreError:
                await asyncio.sleep(LOOK_SECONDS)

    async def _count(self, broker: Broker, idle: int) -> None:
        standing = await asyncio.to_thread(broker.report, self._owner, idle=idle)
        self._away = False
        if not standing.mine or standing.idle <= standing.tickets:
            return
        depth = await self._store.depth()
        missing = min(depth.claimable, standing.idle) - standing.tickets
        if missing > 0:
            await asyncio.to_thread(broker.send, missing)
