"""`Once` over the database."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from leadline.accounts.database import Database, Tx
from leadline.accounts.schema import ONCE
from leadline.errors import IdempotencyConflict

KEPT: Final = 24 * 3600.0
"""Seconds for which a key counts."""


class SqlOnce:
    """Idempotency keys as rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def first(self, tenant: str, key: str, *, body_hash: str, object: str) -> str:
        """See `Once.first`."""

        def work(tx: Tx) -> str:
            mine = (ONCE.c.tenant == tenant) & (ONCE.c.key == key)
            tx.change(sa.delete(ONCE).where(mine, ONCE.c.at <= tx.now - KEPT))
            values = {"tenant": tenant, "key": key, "body_hash": body_hash, "object": object, "at": tx.now}
            # Of two that come at once the second waits for the first one's row.
            tx.add_new(ONCE, values)
            row = tx.one(sa.select(ONCE).where(mine))
            if row is None or row.body_hash != body_hash:
                raise IdempotencyConflict(f"another request came with this idempotency key before: {key[:80]}")
            return str(row.object)

        return await self._database.write(work)
