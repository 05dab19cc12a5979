"""What wakes idle slots. The store's own news do; an engine with a broker of its own adds another `Wake`."""

from __future__ import annotations

from leadline.ports import QUEUE, RunStore


class StoreWake:
    """Rung by the store: `NOTIFY` of PostgreSQL, a look at the file's version with SQLite."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._seen = -1

    async def rung(self, *, seconds: float) -> None:
        """See `Wake`."""
        self._seen = await self._store.changed(self._seen, timeout=seconds, of=QUEUE)
