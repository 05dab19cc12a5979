"""`TenantCorpora` over the database."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from leadline.accounts import tenants
from leadline.accounts.database import Database, Tx
from leadline.accounts.schema import CORPUS, DOCUMENT, LEFTOVER
from leadline.errors import AlreadyThere, InputError, UnknownObject, WrongState
from leadline.ports.corpora import CorpusDocument, DocumentState, Room, Tally, TenantCorpus

_MOST_NAME: Final = 255


class SqlTenantCorpora:
    """Corpora as rows; a document's row says from which version to which it is part of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, tenant: str, *, name: str) -> TenantCorpus:
        """See `TenantCorpora.create`."""
        _check(name)
        corpus_id = secrets.token_hex(8)

        def work(tx: Tx) -> TenantCorpus:
            tenants.find(tx, tenant)
            values = {"id": corpus_id, "tenant": tenant, "name": name, "version": 0}
            if not tx.add_new(CORPUS, {**values, "created_at": tx.now, "updated_at": tx.now}):
                raise AlreadyThere(f"there is a corpus of this name already: {name}")
            return find(tx, tenant, corpus_id)

        return await self._database.write(work)

    async def get(self, tenant: str, corpus_id: str) -> TenantCorpus:
        """See `TenantCorpora.get`."""
        return await self._database.read(lambda tx: find(tx, tenant, corpus_id))

    async def list(self, tenant: str, *, after: str = "", limit: int = 1_000) -> Sequence[TenantCorpus]:
        """See `TenantCorpora.list`."""
        query = (
            sa.select(CORPUS)
            .where(CORPUS.c.tenant == tenant, CORPUS.c.name > after)
            .order_by(CORPUS.c.name)
            .limit(limit)
        )
        return [_corpus(row) for row in await self._database.read(lambda tx: tx.all(query))]

    async def check(self, tenant: str, corpus_id: str, document: CorpusDocument, *, room: Room) -> None:
        """See `TenantCorpora.check`."""
        _check_path(document.name)

        def work(tx: Tx) -> None:
            find(tx, tenant, corpus_id)
            present = tx.one(sa.select(DOCUMENT).where(_current(corpus_id, document.name)))
            if not _is_same(present, document):
                _check_room(tx, tenant, document, room=room)

        await self._database.read(work)

    async def put(
        self, tenant: str, corpus_id: str, document: CorpusDocument, *, room: Room | None = None
    ) -> TenantCorpus:
        """See `TenantCorpora.put`. `added_at` is the database's."""
        _check_path(document.name)

        def work(tx: Tx) -> TenantCorpus:
            tx.lock(f"corpora {tenant}")  # what all uploads of a tenant take together is counted by one at a time
            corpus = find(tx, tenant, corpus_id, lock=True)
            present = tx.one(sa.select(DOCUMENT).where(_current(corpus_id, document.name)))
            if _is_same(present, document):
                return corpus
            if room is not None:
                _check_room(tx, tenant, document, room=room)
            version = corpus.version + 1
            if present is not None:
                _end(tx, tenant, corpus_id, name=document.name, version=version)
            values = {"corpus": corpus_id, "name": document.name, "since": version, "blob": document.blob}
            about = {"size": document.size, "type": document.type, "added_at": tx.now}
            tx.add(DOCUMENT, {**values, **about, "state": str(DocumentState.QUEUED)})
            return _advance(tx, corpus, version)

        return await self._database.write(work)

    async def document(self, tenant: str, corpus_id: str, name: str) -> CorpusDocument:
        """See `TenantCorpora.document`."""

        def work(tx: Tx) -> CorpusDocument:
            find(tx, tenant, corpus_id)
            row = tx.one(sa.select(DOCUMENT).where(_current(corpus_id, name))) if name.isprintable() else None
            if row is None:
                raise _no_document(name)
            return document_of(row)

        return await self._database.read(work)

    async def remove(self, tenant: str, corpus_id: str, name: str) -> TenantCorpus:
        """See `TenantCorpora.remove`."""

        def work(tx: Tx) -> TenantCorpus:
            corpus = find(tx, tenant, corpus_id, lock=True)
            version = corpus.version + 1
            if not name.isprintable() or not _end(tx, tenant, corpus_id, name=name, version=version):
                raise _no_document(name)
            return _advance(tx, corpus, version)

        return await self._database.write(work)

    async def documents(
        self, tenant: str, corpus_id: str, *, version: int | None = None, after: str = "", limit: int = 1_000
    ) -> Sequence[CorpusDocument]:
        """See `TenantCorpora.documents`."""

        def work(tx: Tx) -> Sequence[CorpusDocument]:
            corpus = find(tx, tenant, corpus_id)
            at = corpus.version if version is None else version
            if not 0 <= at <= corpus.version:
                raise UnknownObject(f"the corpus has no such version: {at}")
            query = (
                sa.select(DOCUMENT)
                .where(within(corpus_id, at), DOCUMENT.c.name > after)
                .order_by(DOCUMENT.c.name)
                .limit(limit)
            )
            return [document_of(row) for row in tx.all(query)]

        return await self._database.read(work)

    async def tally(self, tenant: str, corpora: Sequence[str]) -> Mapping[str, Tally]:
        """See `TenantCorpora.tally`."""
        count, size = sa.func.count().label("documents"), sa.func.sum(DOCUMENT.c.size).label("bytes")
        query = (
            sa.select(DOCUMENT.c.corpus, DOCUMENT.c.state, count, size)
            .join(CORPUS, CORPUS.c.id == DOCUMENT.c.corpus)
            .where(CORPUS.c.tenant == tenant, DOCUMENT.c.corpus.in_(corpora), DOCUMENT.c.until.is_(None))
            .group_by(DOCUMENT.c.corpus, DOCUMENT.c.state)
        )
        counts: dict[str, dict[str, int]] = {corpus: {"bytes": 0} for corpus in corpora}
        for row in await self._database.read(lambda tx: tx.all(query)):
            counts[row.corpus][row.state] = row.documents
            counts[row.corpus]["bytes"] += int(row.bytes)
        return {corpus: Tally(**found) for corpus, found in counts.items()}

    async def delete(self, tenant: str, corpus_id: str) -> None:
        """See `TenantCorpora.delete`."""

        def work(tx: Tx) -> None:
            find(tx, tenant, corpus_id, lock=True)
            tx.change(sa.delete(DOCUMENT).where(DOCUMENT.c.corpus == corpus_id))
            tx.change(sa.delete(CORPUS).where(CORPUS.c.id == corpus_id))
            _leave(tx, tenant)

        await self._database.write(work)


def within(corpus_id: str, version: int) -> sa.ColumnElement[bool]:
    """Select the documents of a version."""
    return sa.and_(
        DOCUMENT.c.corpus == corpus_id,
        DOCUMENT.c.since <= version,
        DOCUMENT.c.until.is_(None) | (DOCUMENT.c.until > version),
    )


def find(tx: Tx, tenant: str, corpus_id: str, *, lock: bool = False) -> TenantCorpus:
    """Return a corpus. Raises `UnknownObject`."""
    query = sa.select(CORPUS).where(CORPUS.c.tenant == tenant, CORPUS.c.id == corpus_id)
    # PostgreSQL takes no text with a zero in it, not even to look for it.
    row = tx.one(query.with_for_update() if lock else query) if corpus_id.isprintable() else None
    if row is None:
        raise UnknownObject(f"no such corpus: {corpus_id[:80]}")
    return _corpus(row)


def document_of(row: sa.Row[Any]) -> CorpusDocument:
    """Return the document of a row."""
    return CorpusDocument(
        name=row.name,
        blob=row.blob,
        size=row.size,
        type=row.type,
        added_at=row.added_at,
        state=DocumentState(row.state),
        text=row.text,
        characters=row.characters,
        code=row.code,
        reason=row.reason,
    )


def _check(name: str) -> None:
    if not name.strip() or len(name) > _MOST_NAME or not name.isprintable():
        raise InputError(f"a name is one line of text of at most {_MOST_NAME} characters: {name[:80]!r}")


def _check_path(name: str) -> None:
    """A document's name may have folders; what an address would lose or turn into another is refused."""
    _check(name)
    if any(part in {"", ".", ".."} for part in name.split("/")):
        raise InputError(f"a document's name has no empty part, `.` or `..` between slashes: {name[:80]!r}")


def _check_room(tx: Tx, tenant: str, document: CorpusDocument, *, room: Room) -> None:
    """Count what all corpora of a tenant hold. Raises `WrongState`."""
    mine = sa.select(CORPUS.c.id).where(CORPUS.c.tenant == tenant)
    query = sa.select(sa.func.count().label("documents"), sa.func.sum(DOCUMENT.c.size).label("bytes"))
    row = tx.one(query.where(DOCUMENT.c.corpus.in_(mine)))
    count, size = (0, 0) if row is None else (row.documents, int(row.bytes or 0))
    if count >= room.documents:
        raise WrongState(f"there are {count} documents, and at most {room.documents} are kept: remove some first")
    if size + document.size > room.bytes:
        raise WrongState(f"documents have {size} bytes, and at most {room.bytes} are kept: remove some first")


def _is_same(present: sa.Row[Any] | None, document: CorpusDocument) -> bool:
    return present is not None and present.blob == document.blob and present.state != DocumentState.FAILED


def _current(corpus_id: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(DOCUMENT.c.corpus == corpus_id, DOCUMENT.c.name == name, DOCUMENT.c.until.is_(None))


def _end(tx: Tx, tenant: str, corpus_id: str, *, name: str, version: int) -> bool:
    """Let a document be part of no version from this one on; return whether there was one."""
    ended = tx.change(sa.update(DOCUMENT).where(_current(corpus_id, name)).values(until=version))
    if ended:
        _leave(tx, tenant)
    return bool(ended)


def _leave(tx: Tx, tenant: str) -> None:
    tx.put(LEFTOVER, {"tenant": tenant, "at": tx.now}, keys=["tenant"])


def _advance(tx: Tx, corpus: TenantCorpus, version: int) -> TenantCorpus:
    tx.change(sa.update(CORPUS).where(CORPUS.c.id == corpus.id).values(version=version, updated_at=tx.now))
    return find(tx, corpus.tenant, corpus.id)


def _no_document(name: str) -> UnknownObject:
    return UnknownObject(f"the corpus has no such document: {name[:80]}")


def _corpus(row: sa.Row[Any]) -> TenantCorpus:
    return TenantCorpus(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
