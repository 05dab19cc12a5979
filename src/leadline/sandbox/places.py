"""The places of a sandbox: so many programs at once, and whoever asks for much waits behind their own."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Places:
    """First come, first served within a tenant; a place that is free goes to whoever has the fewest, by turns."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._taken = Counter[str]()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def held(self, tenant: str) -> AsyncIterator[None]:
        """Hold a place of a tenant."""
        await self._come(tenant)
        try:
            yield
        finally:
            self._leave(tenant)

    async def _come(self, tenant: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        self._next()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had just come
                self._leave(tenant)
            else:
                self._gone(tenant, turn)
            raise

    def _leave(self, tenant: str) -> None:
        self._taken[tenant] -= 1
        self._taken += Counter()  # who has none is forgotten
        self._free += 1
        self._next()

    def _next(self) -> None:
        while self._free and self._waiting:
            tenant = min(self._waiting, key=self._taken.__getitem__)  # the first of several
            turn = self._waiting[tenant][0]
            self._gone(tenant, turn)
            if tenant in self._waiting:
                self._waiting.move_to_end(tenant)
            if not turn.done():  # its waiter may have been cancelled and not yet run
                self._free -= 1
                self._taken[tenant] += 1
                turn.set_result(None)

    def _gone(self, tenant: str, turn: asyncio.Future[None]) -> None:
        line = self._waiting.get(tenant, deque())
        if turn in line:
            line.remove(turn)
        if not line:
            self._waiting.pop(tenant, None)
