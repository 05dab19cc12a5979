"""`Tenants` over the database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from leadline.accounts.database import Database, Tx
from leadline.accounts.money import micros, usd
from leadline.accounts.schema import TENANT
from leadline.errors import AlreadyThere, InputError, UnknownObject
from leadline.ports.accounts import Tenant

# It begins keys of blobs and stands in addresses.
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class SqlTenants:
    """Tenants as rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, tenant: str, *, name: str) -> Tenant:
        """See `Tenants.create`."""
        _check(tenant)

        def work(tx: Tx) -> Tenant:
            if not tx.add_new(TENANT, {"id": tenant, "name": name, "created_at": tx.now}):
                raise AlreadyThere(f"there is a tenant of this name already: {tenant}")
            return find(tx, tenant)

        return await self._database.write(work)

    async def ensure(self, tenant: str, *, name: str) -> Tenant:
        """See `Tenants.ensure`."""
        _check(tenant)

        def work(tx: Tx) -> Tenant:
            tx.add_new(TENANT, {"id": tenant, "name": name, "created_at": tx.now})
            return find(tx, tenant)

        try:
            return await self.get(tenant)
        except UnknownObject:
            return await self._database.write(work)

    async def get(self, tenant: str) -> Tenant:
        """See `Tenants.get`."""
        return await self._database.read(lambda tx: find(tx, tenant))

    async def list(self) -> Sequence[Tenant]:
        """See `Tenants.list`."""
        rows = await self._database.read(lambda tx: tx.all(sa.select(TENANT).order_by(TENANT.c.id)))
        return [_tenant(row) for row in rows]

    async def disable(self, tenant: str, *, disabled: bool) -> Tenant:
        """See `Tenants.disable`."""

        def work(tx: Tx) -> Tenant:
            found = find(tx, tenant)
            if (found.disabled_at is not None) != disabled:
                at = tx.now if disabled else None
                tx.change(sa.update(TENANT).where(TENANT.c.id == tenant).values(disabled_at=at))
            return find(tx, tenant)

        return await self._database.write(work)

    async def limit(self, tenant: str, *, tokens_per_day: int | None, usd_per_day: float | None) -> Tenant:
        """See `Tenants.limit`."""
        values = {
            "tokens_per_day": tokens_per_day,
            "micros_per_day": None if usd_per_day is None else micros(usd_per_day),
        }

        def work(tx: Tx) -> Tenant:
            tx.change(sa.update(TENANT).where(TENANT.c.id == tenant).values(**values))
            return find(tx, tenant)

        return await self._database.write(work)


def find(tx: Tx, tenant: str) -> Tenant:
    """Return a tenant. Raises `UnknownObject`."""
    row = tx.one(sa.select(TENANT).where(TENANT.c.id == tenant))
    if row is None:
        raise UnknownObject(f"no such tenant: {tenant}")
    return _tenant(row)


def _tenant(row: sa.Row[Any]) -> Tenant:
    return Tenant(
        id=row.id,
        name=row.name,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        tokens_per_day=row.tokens_per_day,
        usd_per_day=None if row.micros_per_day is None else usd(row.micros_per_day),
    )


def _check(tenant: str) -> None:
    if not _ID.fullmatch(tenant):
        raise InputError(
            f"a tenant's id is a plain word of lower-case letters, digits and hyphens, at most 63: {tenant[:80]}"
        )
