"""`Vault` over the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from leadline.accounts import tenants
from leadline.accounts.database import Database, Tx
from leadline.accounts.schema import SECRET, WEBHOOK
from leadline.accounts.sealing import Sealed, Sealer
from leadline.errors import UnknownObject
from leadline.ports.accounts import SecretInfo

PROVIDER: Final = "provider"
"""What a tenant's keys at providers are bound to, beside tenant and name."""

HOOK: Final = "webhook"
"""What secrets of webhooks are bound to, beside tenant and id."""


class SqlVault:
    """Secrets as rows that only the operator's keys open."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def put(self, tenant: str, name: str, value: str) -> None:
        """See `Vault.put`."""
        sealed = self._sealer.seal(value, PROVIDER, tenant, name)

        def work(tx: Tx) -> None:
            tenants.find(tx, tenant)
            values = {"tenant": tenant, "name": name, "updated_at": tx.now}
            tx.put(SECRET, values | {"key_id": sealed.key_id, "sealed": sealed.body}, keys=("tenant", "name"))

        await self._database.write(work)

    async def get(self, tenant: str, name: str) -> str:
        """See `Vault.get`."""
        query = sa.select(SECRET).where(SECRET.c.tenant == tenant, SECRET.c.name == name)
        row = await self._database.read(lambda tx: tx.one(query))
        if row is None:
            raise UnknownObject(f"no such secret: {name}")
        return self._sealer.open(Sealed(row.key_id, row.sealed), PROVIDER, tenant, name)

    async def list(self, tenant: str) -> Sequence[SecretInfo]:
        """See `Vault.list`."""
        query = sa.select(SECRET).where(SECRET.c.tenant == tenant).order_by(SECRET.c.name)
        rows = await self._database.read(lambda tx: tx.all(query))
        return [SecretInfo(name=row.name, key_id=row.key_id, updated_at=row.updated_at) for row in rows]

    async def delete(self, tenant: str, name: str) -> None:
        """See `Vault.delete`."""
        gone = sa.delete(SECRET).where(SECRET.c.tenant == tenant, SECRET.c.name == name)
        if not await self._database.write(lambda tx: tx.change(gone)):
            raise UnknownObject(f"no such secret: {name}")

    async def rotate(self) -> int:
        """See `Vault.rotate`. Secrets of webhooks are encrypted anew as well."""
        return await self._database.write(lambda tx: _rotate(tx, self._sealer))


def _rotate(tx: Tx, sealer: Sealer) -> int:
    """Encrypt anew what another key than the first one encrypted."""
    rows = tx.all(sa.select(SECRET).where(SECRET.c.key_id != sealer.key_id).with_for_update())
    for row in rows:
        bound = (PROVIDER, row.tenant, row.name)
        sealed = sealer.seal(sealer.open(Sealed(row.key_id, row.sealed), *bound), *bound)
        mine = (SECRET.c.tenant == row.tenant) & (SECRET.c.name == row.name)
        tx.change(sa.update(SECRET).where(mine).values(key_id=sealed.key_id, sealed=sealed.body))
    hooks = tx.all(sa.select(WEBHOOK).where(WEBHOOK.c.key_id != sealer.key_id).with_for_update())
    for row in hooks:
        bound = (HOOK, row.tenant, row.id)
        sealed = sealer.seal(sealer.open(Sealed(row.key_id, row.sealed), *bound), *bound)
        tx.change(sa.update(WEBHOOK).where(WEBHOOK.c.id == row.id).values(key_id=sealed.key_id, sealed=sealed.body))
    return len(rows) + len(hooks)
