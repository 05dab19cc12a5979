"""What need not be kept: answered repeats, ended holds, old deliveries, closed links. Usage and audit log stay."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from leadline.accounts import shares
from leadline.accounts.database import Database, Tx
from leadline.accounts.once import KEPT
from leadline.accounts.schema import DELIVERY, HOLD, ONCE, SHARE

_DAY: Final = 86_400.0
HOLDS_DAYS: Final = 2
DELIVERIES_DAYS: Final = 30
SHARES_DAYS: Final = 30


async def tidy(database: Database) -> int:
    """Forget what is over; return how many rows that were."""

    def work(tx: Tx) -> int:
        deliveries = sa.delete(DELIVERY).where(DELIVERY.c.next_at.is_(None))
        return (
            tx.change(sa.delete(ONCE).where(ONCE.c.at <= tx.now - KEPT))
            + tx.change(sa.delete(HOLD).where(sa.not_(HOLD.c.open), HOLD.c.made_at < tx.now - HOLDS_DAYS * _DAY))
            + tx.change(sa.delete(SHARE).where(shares.closed_before(tx.now - SHARES_DAYS * _DAY)))
            + tx.change(deliveries.where(DELIVERY.c.created_at < tx.now - DELIVERIES_DAYS * _DAY))
        )

    return await database.write(work)
