"""Keys: made once, shown once, stored as a hash, and looked up at each request."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from leadline.accounts import tenants
from leadline.accounts.database import Database, Tx
from leadline.accounts.schema import KEY, TENANT
from leadline.errors import InputError, Unauthenticated, UnknownObject, WrongState
from leadline.ports.access import PERMITS, Action, Caller, Role
from leadline.ports.accounts import Key, MadeKey

PREFIX: Final = "ll_"
"""With this every key begins, so that scanners for leaked secrets find it."""

USED_EVERY: Final = 60.0
"""Seconds between two writings of a key's last use."""

_CREDENTIAL: Final = re.compile(r"ll_(?P<id>[0-9a-f]{16})_(?P<secret>[A-Za-z0-9_-]{43})")
_REFUSED: Final = "the key is not accepted"


class Credential(NamedTuple):
    """A key's public id and its secret: 256 bits of chance."""

    id: str
    secret: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.id}_{self.secret}"

    @property
    def hash(self) -> bytes:
        """What is stored. A fast hash is right here: nobody can guess 256 bits (unlike a password).

        BLAKE2b keyed with the public id (RFC 7693), so that a hash fits one row only.
        """
        return hashlib.blake2b(
            self.secret.encode(), key=self.id.encode(), person=b"leadline.key/1", digest_size=32
        ).digest()


def credential_of(text: str) -> Credential | None:
    """Return the parts of a key, `None` where it has not the form of one."""
    match = _CREDENTIAL.fullmatch(text)
    return None if match is None else Credential(match["id"], match["secret"])


class SqlKeys:
    """Keys as rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        tenant: str,
        *,
        name: str,
        role: Role,
        made_by: str,
        scopes: frozenset[Action] | None = None,
        expires_at: float | None = None,
    ) -> MadeKey:
        """See `Keys.create`."""
        beyond = sorted((scopes or frozenset()) - PERMITS[role])
        if beyond:
            raise InputError(f"a {role} may not have the scope `{beyond[0]}`")

        def work(tx: Tx) -> MadeKey:
            tenants.find(tx, tenant)
            wanted = _Wanted(tenant, name, role, scopes, expires_at)
            return _make(tx, wanted, made_by)

        return await self._database.write(work)

    async def list(self, tenant: str) -> Sequence[Key]:
        """See `Keys.list`."""
        query = sa.select(KEY).where(KEY.c.tenant == tenant).order_by(KEY.c.created_at.desc(), KEY.c.id)
        return [_key(row) for row in await self._database.read(lambda tx: tx.all(query))]

    async def revoke(self, tenant: str, key_id: str) -> Key:
        """See `Keys.revoke`."""

        def work(tx: Tx) -> Key:
            mine = (KEY.c.tenant == tenant) & (KEY.c.id == key_id)
            tx.change(sa.update(KEY).where(mine, KEY.c.revoked_at.is_(None)).values(revoked_at=tx.now))
            return _find(tx, tenant, key_id)

        return await self._database.write(work)

    async def rotate(self, tenant: str, key_id: str, *, grace: float, made_by: str) -> MadeKey:
        """See `Keys.rotate`."""

        def work(tx: Tx) -> MadeKey:
            old = _find(tx, tenant, key_id)
            if not old.valid(tx.now):
                raise WrongState(f"key {key_id} is revoked or expired; make a new one instead")
            made = _make(tx, _Wanted(tenant, old.name, old.role, old.scopes, old.expires_at), made_by)
            end = tx.now + grace
            until = end if old.expires_at is None else min(end, old.expires_at)
            tx.change(sa.update(KEY).where(KEY.c.id == key_id).values(expires_at=until))
            return made

        return await self._database.write(work)

    async def any_valid(self) -> bool:
        """See `Keys.any_valid`."""

        def work(tx: Tx) -> bool:
            query = (
                sa.select(KEY.c.id)
                .join(TENANT, TENANT.c.id == KEY.c.tenant)
                .where(KEY.c.revoked_at.is_(None), TENANT.c.disabled_at.is_(None))
                .where(KEY.c.expires_at.is_(None) | (KEY.c.expires_at > tx.now))
                .limit(1)
            )
            return tx.one(query) is not None

        return await self._database.read(work)


class KeyAuthenticator:
    """`Authenticator` by keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def authenticate(self, credential: str) -> Caller:
        """See `Authenticator.authenticate`."""
        given = credential_of(credential)
        if given is None:
            raise Unauthenticated(_REFUSED)
        key, stale = await self._database.read(lambda tx: _accepted(tx, given))
        if stale:
            await self._database.write(lambda tx: _used(tx, key.id))
        return Caller(tenant=key.tenant, key=key.id, role=key.role, name=key.name, scopes=key.scopes)


class _Wanted(NamedTuple):
    """What a key is to be."""

    tenant: str
    name: str
    role: Role
    scopes: frozenset[Action] | None
    expires_at: float | None


def _make(tx: Tx, wanted: _Wanted, made_by: str) -> MadeKey:
    made = Credential(secrets.token_hex(8), secrets.token_urlsafe(32))
    scopes = None if wanted.scopes is None else " ".join(sorted(wanted.scopes))
    values = wanted._asdict() | {"scopes": scopes, "role": str(wanted.role)}
    tx.add(KEY, values | {"id": made.id, "hash": made.hash, "created_at": tx.now, "made_by": made_by})
    return MadeKey(key=_find(tx, wanted.tenant, made.id), credential=str(made))


def _accepted(tx: Tx, given: Credential) -> tuple[Key, bool]:
    """Return the key, and whether its last use is to be written. Raises `Unauthenticated`."""
    query = sa.select(KEY, TENANT.c.disabled_at).join(TENANT, TENANT.c.id == KEY.c.tenant).where(KEY.c.id == given.id)
    row = tx.one(query)
    # Compared also where there is no such key: the time taken tells nothing.
    fits = hmac.compare_digest(given.hash, row.hash if row is not None else bytes(32))
    if row is None or not fits or row.disabled_at is not None:
        raise Unauthenticated(_REFUSED)
    key = _key(row)
    if not key.valid(tx.now):
        raise Unauthenticated(_REFUSED)
    return key, key.last_used_at is None or tx.now - key.last_used_at >= USED_EVERY


def _used(tx: Tx, key_id: str) -> None:
    stale = KEY.c.last_used_at.is_(None) | (KEY.c.last_used_at <= tx.now - USED_EVERY)
    tx.change(sa.update(KEY).where(KEY.c.id == key_id, stale).values(last_used_at=tx.now))


def _find(tx: Tx, tenant: str, key_id: str) -> Key:
    row = tx.one(sa.select(KEY).where(KEY.c.tenant == tenant, KEY.c.id == key_id))
    if row is None:
        raise UnknownObject(f"no such key: {key_id}")
    return _key(row)


def _key(row: sa.Row[Any]) -> Key:
    return Key(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        role=Role(row.role),
        scopes=None if row.scopes is None else frozenset(Action(word) for word in row.scopes.split()),
        created_at=row.created_at,
        made_by=row.made_by,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
