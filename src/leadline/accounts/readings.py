"""`Readings` and `Leftovers` over the database: who reads which document, and what is still to be forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from leadline.accounts.corpora import document_of, within
from leadline.accounts.database import Database, Tx
from leadline.accounts.schema import CORPUS, DOCUMENT, LEFTOVER
from leadline.errors import LeaseLost
from leadline.ports.corpora import DocumentState, Unread

MOST_ATTEMPTS: Final = 3
"""Processes that may die over a document before it is given up."""

_DIED: Final = "the process that read it died each time"


class SqlReadings:
    """A document's row is its place in the queue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, owner: str, *, lease: float, limit: int = 1, version: tuple[str, int] | None = None
    ) -> Sequence[Unread]:
        """See `Readings.claim`."""
        if not await self._database.read(lambda tx: tx.all(_waiting(tx.now, 1, version))):
            return []  # the usual case takes no lock
        return await self._database.write(lambda tx: _take(tx, owner, lease=lease, limit=limit, version=version))

    async def renew(self, unread: Unread, *, lease: float) -> None:
        """See `Readings.renew`."""

        def work(tx: Tx) -> None:
            if not tx.change(sa.update(DOCUMENT).where(_held(unread)).values(lease_until=tx.now + lease)):
                raise _lost(unread)

        await self._database.write(work)

    async def ready(self, unread: Unread, *, text: str, type: str, characters: int) -> None:
        """See `Readings.ready`."""
        done = {"text": text, "type": type, "characters": characters, "code": None, "reason": ""}
        await self._end(unread, {"state": str(DocumentState.READY), **done})

    async def failed(self, unread: Unread, *, code: str, reason: str) -> None:
        """See `Readings.failed`."""
        await self._end(unread, {"state": str(DocumentState.FAILED), "code": code, "reason": reason})

    async def hand_back(self, unread: Unread) -> None:
        """See `Readings.hand_back`."""
        values = {"state": str(DocumentState.QUEUED), "attempts": unread.attempts - 1}
        freed = sa.update(DOCUMENT).where(_held(unread)).values(**values, owner=None, lease_until=None)
        await self._database.write(lambda tx: tx.change(freed))

    async def _end(self, unread: Unread, values: Mapping[str, object]) -> None:
        ended = sa.update(DOCUMENT).where(_held(unread)).values(**values, owner=None, lease_until=None)
        if not await self._database.write(lambda tx: tx.change(ended)):
            raise _lost(unread)


class SqlLeftovers:
    """What deleting leaves behind for later."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tenants(self) -> Sequence[str]:
        """See `Leftovers.tenants`."""
        query = sa.select(LEFTOVER.c.tenant).order_by(LEFTOVER.c.at)
        return [row.tenant for row in await self._database.read(lambda tx: tx.all(query))]

    async def forget(self, tenant: str, oldest: Mapping[str, int]) -> int:
        """See `Leftovers.forget`."""
        mine = sa.select(CORPUS.c.id).where(CORPUS.c.tenant == tenant)

        def work(tx: Tx) -> int:
            gone = 0
            for corpus, version in oldest.items():
                which = DOCUMENT.c.corpus.in_(mine), DOCUMENT.c.corpus == corpus, DOCUMENT.c.until <= version
                gone += tx.change(sa.delete(DOCUMENT).where(*which))
            return gone

        return await self._database.write(work)

    async def blobs(self, tenant: str) -> frozenset[str]:
        """See `Leftovers.blobs`."""
        query = (
            sa.select(DOCUMENT.c.blob, DOCUMENT.c.text)
            .join(CORPUS, CORPUS.c.id == DOCUMENT.c.corpus)
            .where(CORPUS.c.tenant == tenant)
        )
        rows = await self._database.read(lambda tx: tx.all(query))
        return frozenset(name for row in rows for name in row if name is not None)

    async def swept(self, tenant: str, *, begun: float) -> None:
        """See `Leftovers.swept`. What old versions still have is looked at again."""

        def work(tx: Tx) -> None:
            mine = sa.select(CORPUS.c.id).where(CORPUS.c.tenant == tenant)
            query = sa.select(DOCUMENT.c.name).where(DOCUMENT.c.corpus.in_(mine), DOCUMENT.c.until.is_not(None))
            if tx.one(query.limit(1)) is None:
                tx.change(sa.delete(LEFTOVER).where(LEFTOVER.c.tenant == tenant, LEFTOVER.c.at < begun))

        await self._database.write(work)


def _waiting(now: float, limit: int, version: tuple[str, int] | None) -> sa.Select[Any]:
    """Select what is to be read and held by nobody; what only old versions have, only for one of these."""
    free = DOCUMENT.c.lease_until.is_(None) | (DOCUMENT.c.lease_until <= now)
    busy = (
        sa.select(CORPUS.c.tenant, sa.func.count().label("held"))
        .join(DOCUMENT, DOCUMENT.c.corpus == CORPUS.c.id)
        .where(DOCUMENT.c.state == str(DocumentState.READING), DOCUMENT.c.lease_until > now)
        .group_by(CORPUS.c.tenant)
        .subquery()
    )
    wanted = DOCUMENT.c.until.is_(None) if version is None else within(*version)
    return (
        sa.select(DOCUMENT, CORPUS.c.tenant)
        .join(CORPUS, CORPUS.c.id == DOCUMENT.c.corpus)
        .outerjoin(busy, busy.c.tenant == CORPUS.c.tenant)
        .where(DOCUMENT.c.state.in_([str(DocumentState.QUEUED), str(DocumentState.READING)]), free, wanted)
        # A tenant with many documents does not hold up one with few.
        .order_by(sa.func.coalesce(busy.c.held, 0), DOCUMENT.c.added_at, DOCUMENT.c.name)
        .limit(limit)
    )


def _take(tx: Tx, owner: str, *, lease: float, limit: int, version: tuple[str, int] | None) -> Sequence[Unread]:
    taken = []
    for row in tx.all(_waiting(tx.now, limit, version).with_for_update(of=DOCUMENT, skip_locked=True)):
        if row.attempts >= MOST_ATTEMPTS:
            died = {"state": str(DocumentState.FAILED), "code": "work_died", "reason": _DIED}
            tx.change(sa.update(DOCUMENT).where(_row(row)).values(**died, owner=None, lease_until=None))
            continue
        fence, attempts = row.fence + 1, row.attempts + 1
        held = {"owner": owner, "lease_until": tx.now + lease, "fence": fence, "attempts": attempts}
        tx.change(sa.update(DOCUMENT).where(_row(row)).values(**held, state=str(DocumentState.READING)))
        taken.append(
            Unread(
                tenant=row.tenant,
                corpus=row.corpus,
                since=row.since,
                document=document_of(row),
                fence=fence,
                attempts=attempts,
            )
        )
    return taken


def _row(row: sa.Row[Any]) -> sa.ColumnElement[bool]:
    return sa.and_(DOCUMENT.c.corpus == row.corpus, DOCUMENT.c.name == row.name, DOCUMENT.c.since == row.since)


def _lost(unread: Unread) -> LeaseLost:
    return LeaseLost(f"document {unread.document.name[:80]} is read by another process, or gone")


def _held(unread: Unread) -> sa.ColumnElement[bool]:
    return sa.and_(
        DOCUMENT.c.corpus == unread.corpus,
        DOCUMENT.c.name == unread.document.name,
        DOCUMENT.c.since == unread.since,
        DOCUMENT.c.fence == unread.fence,
        DOCUMENT.c.state == str(DocumentState.READING),
    )
