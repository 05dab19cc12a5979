"""What wakes idle slots. The store's own news do; an engine with a broker of its own adds another `Wake`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from leadline.ports import MANY, QUEUE, RunStore


class StoreWake:
    """Rung by the store: `NOTIFY` of PostgreSQL, a look at the file's version with SQLite."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._seen = -1

    def attached(self, idle: Callable[[], int]) -> AbstractAsyncContextManager[None]:
        """See `Wake`."""
        return nullcontext()

    async def rung(self, *, seconds: float) -> int:
        """See `Wake`."""
        self._seen = await self._store.changed(self._seen, timeout=seconds, of=QUEUE)
        return MANY
