"""Accounts over each database, with a clock that a test turns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from leadline.accounts.audit import SqlAudit
from leadline.accounts.corpora import SqlTenantCorpora
from leadline.accounts.database import Database
from leadline.accounts.deliveries import SqlDeliveries
from leadline.accounts.holds import SqlHolds
from leadline.accounts.keys import KeyAuthenticator, SqlKeys
from leadline.accounts.once import SqlOnce
from leadline.accounts.schedules import SqlSchedules
from leadline.accounts.sealing import Sealer
from leadline.accounts.shares import SqlShares
from leadline.accounts.tenants import SqlTenants
from leadline.accounts.vault import SqlVault
from leadline.accounts.webhooks import SqlWebhooks
from leadline.wiring.accounts import Accounts, connecting

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OLD_KEY = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
MONDAY = 1_795_392_000.0
"""Monday, 23 November 2026, 00:00 UTC."""


class Turned:
    """A clock that stands still until it is turned."""

    def __init__(self, at: float = MONDAY) -> None:
        self.at = at

    def now(self) -> float:
        return self.at


@asynccontextmanager
async def opened(url: str, clock: Turned, *, sealer: Sealer | None = None) -> AsyncIterator[Accounts]:
    """Yield accounts with two tenants, `acme` and `other`."""
    sealer = sealer or Sealer(KEY)
    async with Database.open(url, connect=await connecting(url), now=clock.now) as database:
        accounts = Accounts(
            tenants=SqlTenants(database),
            keys=SqlKeys(database),
            by_key=KeyAuthenticator(database),
            audit=SqlAudit(database),
            vault=SqlVault(database, sealer),
            once=SqlOnce(database),
            shares=SqlShares(database),
            schedules=SqlSchedules(database),
            webhooks=SqlWebhooks(database, sealer),
            deliveries=SqlDeliveries(database),
            corpora=SqlTenantCorpora(database),
            holds=SqlHolds(database),
            database=database,
        )
        for tenant in ("acme", "other"):
            await accounts.tenants.ensure(tenant, name=tenant.title())
        yield accounts
