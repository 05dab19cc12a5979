"""`Shares` over the database."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from leadline.accounts import tenants
from leadline.accounts.database import Database, Tx
from leadline.accounts.schema import SHARE, TENANT
from leadline.errors import UnknownObject, WrongState
from leadline.ports.holdings import MadeShare, Share

MOST: Final = 100
"""Links to one run that may be open at a time."""


class SqlShares:
    """Links as rows; a token is stored as its hash."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, tenant: str, run_id: str, *, made_by: str, expires_at: float | None = None) -> MadeShare:
        """See `Shares.create`."""
        token = secrets.token_urlsafe(32)
        share_id = secrets.token_hex(8)

        def work(tx: Tx) -> Share:
            tenants.find(tx, tenant)
            tx.lock(f"shares {run_id}")
            mine = sa.select(sa.func.count()).where(SHARE.c.tenant == tenant, SHARE.c.run_id == run_id)
            if tx.all(mine.where(_is_open(tx.now)))[0][0] >= MOST:
                raise WrongState(f"{MOST} links to this run are open already: close one first")
            values = {"id": share_id, "tenant": tenant, "run_id": run_id, "hash": _hash(token)}
            tx.add(SHARE, values | {"created_at": tx.now, "made_by": made_by, "expires_at": expires_at})
            return _find(tx, tenant, share_id)

        return MadeShare(share=await self._database.write(work), token=token)

    async def find(self, token: str) -> Share:
        """See `Shares.find`."""

        def work(tx: Tx) -> Share:
            query = (
                sa.select(SHARE)
                .join(TENANT, TENANT.c.id == SHARE.c.tenant)
                .where(SHARE.c.hash == _hash(token), TENANT.c.disabled_at.is_(None), _is_open(tx.now))
            )
            row = tx.one(query)
            if row is None:
                raise UnknownObject("there is no such link, or it has expired or was closed")
            return _share(row)

        return await self._database.read(work)

    async def list(self, tenant: str, *, run_id: str | None = None) -> Sequence[Share]:
        """See `Shares.list`."""
        query = sa.select(SHARE).where(SHARE.c.tenant == tenant).order_by(SHARE.c.created_at.desc(), SHARE.c.id)
        if run_id is not None:
            query = query.where(SHARE.c.run_id == run_id)
        return [_share(row) for row in await self._database.read(lambda tx: tx.all(query))]

    async def revoke(self, tenant: str, share_id: str) -> Share:
        """See `Shares.revoke`."""

        def work(tx: Tx) -> Share:
            mine = (SHARE.c.tenant == tenant) & (SHARE.c.id == share_id)
            tx.change(sa.update(SHARE).where(mine, SHARE.c.revoked_at.is_(None)).values(revoked_at=tx.now))
            return _find(tx, tenant, share_id)

        return await self._database.write(work)


def closed_before(moment: float) -> sa.ColumnElement[bool]:
    """Return what holds for links that had ended or were closed by then."""
    return (SHARE.c.revoked_at <= moment) | (SHARE.c.expires_at <= moment)


def _is_open(now: float) -> sa.ColumnElement[bool]:
    return SHARE.c.revoked_at.is_(None) & (SHARE.c.expires_at.is_(None) | (SHARE.c.expires_at > now))


def _hash(token: str) -> bytes:
    """Return what is stored: 256 bits of chance need no slow hash, and are found by it."""
    return hashlib.blake2b(token.encode("utf-8", "replace"), person=b"leadline.share/1", digest_size=32).digest()


def _find(tx: Tx, tenant: str, share_id: str) -> Share:
    row = tx.one(sa.select(SHARE).where(SHARE.c.tenant == tenant, SHARE.c.id == share_id))
    if row is None:
        raise UnknownObject(f"no such link: {share_id}")
    return _share(row)


def _share(row: sa.Row[Any]) -> Share:
    return Share(
        id=row.id,
        tenant=row.tenant,
        run_id=row.run_id,
        created_at=row.created_at,
        made_by=row.made_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
