"""The audit log: a row that was changed, taken out or put in breaks the chain of hashes behind it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

import sqlalchemy as sa

from leadline.accounts.database import Database, Tx
from leadline.accounts.schema import AUDIT
from leadline.codec import canonical
from leadline.ports.accounts import AuditEntry, AuditVerdict, Deed, Outcome

START: Final = "0" * 64
"""What stands before the first entry."""

_PAGE: Final = 5_000
_LOCK: Final = "leadline accounts audit"


def hash_of(*, seq: int, at: float, deed: Deed, previous: str) -> str:
    """Return an entry's hash: SHA-256 of canonical JSON of all that it says, and of the hash before it."""
    told = {"seq": seq, "at": at, "previous": previous, **asdict(deed)}
    return hashlib.sha256(b"leadline.audit/1\n" + canonical(told)).hexdigest()


def broken_at(entries: Iterable[AuditEntry], *, seq: int, previous: str) -> tuple[int, str] | None:
    """Return the first place that does not follow from `seq` and its hash `previous`, and why."""
    for entry in entries:
        if entry.seq != seq + 1:
            return seq + 1, "the entry is missing"
        if entry.previous != previous:
            return entry.seq, "it does not follow the entry before it"
        if entry.hash != hash_of(seq=entry.seq, at=entry.at, deed=entry.deed, previous=entry.previous):
            return entry.seq, "it was changed"
        seq, previous = entry.seq, entry.hash
    return None


class SqlAudit:
    """The log as rows that triggers protect."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, deed: Deed) -> AuditEntry:
        """See `Audit.append`."""

        def work(tx: Tx) -> AuditEntry:
            tx.lock(_LOCK)
            last = tx.one(sa.select(AUDIT.c.seq, AUDIT.c.hash).order_by(AUDIT.c.seq.desc()).limit(1))
            seq, previous = (last.seq + 1, last.hash) if last is not None else (1, START)
            made = hash_of(seq=seq, at=tx.now, deed=deed, previous=previous)
            values = asdict(deed) | {"outcome": str(deed.outcome)}
            tx.add(AUDIT, values | {"seq": seq, "at": tx.now, "previous": previous, "hash": made})
            return AuditEntry(seq=seq, at=tx.now, deed=deed, previous=previous, hash=made)

        return await self._database.write(work)

    async def list(self, tenant: str, *, before: int | None = None, limit: int = 100) -> Sequence[AuditEntry]:
        """See `Audit.list`."""
        query = sa.select(AUDIT).where(AUDIT.c.tenant == tenant).order_by(AUDIT.c.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(AUDIT.c.seq < before)
        return [_entry(row) for row in await self._database.read(lambda tx: tx.all(query))]

    async def verify(self, *, seq: int = 0, head: str = "") -> AuditVerdict:
        """See `Audit.verify`."""
        at, previous = 0, START
        known = ""
        while page := await self._page(at):
            broken = broken_at(page, seq=at, previous=previous)
            if broken is not None:
                return AuditVerdict(entries=broken[0] - 1, head=previous, broken=broken[0], reason=broken[1])
            known = next((entry.hash for entry in page if entry.seq == seq), known)
            at, previous = page[-1].seq, page[-1].hash
        if head and known != head:
            return AuditVerdict(entries=at, head=previous, broken=seq, reason="it does not have the hash that was kept")
        return AuditVerdict(entries=at, head=previous)

    async def _page(self, after: int) -> Sequence[AuditEntry]:
        query = sa.select(AUDIT).where(AUDIT.c.seq > after).order_by(AUDIT.c.seq).limit(_PAGE)
        return [_entry(row) for row in await self._database.read(lambda tx: tx.all(query))]


def _entry(row: sa.Row[Any]) -> AuditEntry:
    deed = Deed(
        tenant=row.tenant,
        actor=row.actor,
        action=row.action,
        kind=row.kind,
        object=row.object,
        source=row.source,
        outcome=Outcome(row.outcome),
    )
    return AuditEntry(seq=row.seq, at=row.at, deed=deed, previous=row.previous, hash=row.hash)
