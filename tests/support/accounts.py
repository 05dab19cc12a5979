"""Accounts over each database, with a clock that a test turns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from leadline.accounts.database import Database
from leadline.accounts.sealing import Sealer
from leadline.wiring.accounts import Accounts, assembled, connecting

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
    async with Database.open(url, connect=await connecting(url), now=clock.now) as database:
        accounts = assembled(database, sealer or Sealer(KEY))
        for tenant in ("acme", "other"):
            await accounts.tenants.ensure(tenant, name=tenant.title())
        yield accounts
