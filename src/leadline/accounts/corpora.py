"""`TenantCorpora` over the database."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from leadline.accounts import tenants
from leadline.accounts.database import Database, Tx
from leadline.accounts.schema import CORPUS, DOCUMENT
from leadline.errors import AlreadyThere, InputError, UnknownObject
from leadline.ports.holdings import CorpusDocument, TenantCorpus

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
            return _find(tx, tenant, corpus_id)

        return await self._database.write(work)

    async def get(self, tenant: str, corpus_id: str) -> TenantCorpus:
        """See `TenantCorpora.get`."""
        return await self._database.read(lambda tx: _find(tx, tenant, corpus_id))

    async def list(self, tenant: str) -> Sequence[TenantCorpus]:
        """See `TenantCorpora.list`."""
        query = sa.select(CORPUS).where(CORPUS.c.tenant == tenant).order_by(CORPUS.c.name)
        return [_corpus(row) for row in await self._database.read(lambda tx: tx.all(query))]

    async def put(self, tenant: str, corpus_id: str, document: CorpusDocument) -> TenantCorpus:
        """See `TenantCorpora.put`. `added_at` is the database's."""
        _check(document.name)

        def work(tx: Tx) -> TenantCorpus:
            corpus = _find(tx, tenant, corpus_id, lock=True)
            present = tx.one(sa.select(DOCUMENT).where(_current(corpus_id, document.name)))
            if present is not None and (present.blob, present.type) == (document.blob, document.type):
                return corpus
            version = corpus.version + 1
            tx.change(sa.update(DOCUMENT).where(_current(corpus_id, document.name)).values(until=version))
            values = {"corpus": corpus_id, "name": document.name, "since": version, "blob": document.blob}
            tx.add(DOCUMENT, {**values, "size": document.size, "type": document.type, "added_at": tx.now})
            return _advance(tx, corpus, version)

        return await self._database.write(work)

    async def remove(self, tenant: str, corpus_id: str, name: str) -> TenantCorpus:
        """See `TenantCorpora.remove`."""

        def work(tx: Tx) -> TenantCorpus:
            corpus = _find(tx, tenant, corpus_id, lock=True)
            version = corpus.version + 1
            if not tx.change(sa.update(DOCUMENT).where(_current(corpus_id, name)).values(until=version)):
                raise UnknownObject(f"the corpus has no such document: {name[:80]}")
            return _advance(tx, corpus, version)

        return await self._database.write(work)

    async def documents(
        self, tenant: str, corpus_id: str, *, version: int | None = None, after: str = "", limit: int = 1_000
    ) -> Sequence[CorpusDocument]:
        """See `TenantCorpora.documents`."""

        def work(tx: Tx) -> Sequence[CorpusDocument]:
            corpus = _find(tx, tenant, corpus_id)
            at = corpus.version if version is None else version
            if not 0 <= at <= corpus.version:
                raise UnknownObject(f"the corpus has no such version: {at}")
            query = (
                sa.select(DOCUMENT)
                .where(DOCUMENT.c.corpus == corpus_id, DOCUMENT.c.name > after, DOCUMENT.c.since <= at)
                .where(DOCUMENT.c.until.is_(None) | (DOCUMENT.c.until > at))
                .order_by(DOCUMENT.c.name)
                .limit(limit)
            )
            return [_document(row) for row in tx.all(query)]

        return await self._database.read(work)

    async def delete(self, tenant: str, corpus_id: str) -> None:
        """See `TenantCorpora.delete`."""

        def work(tx: Tx) -> None:
            _find(tx, tenant, corpus_id, lock=True)
            tx.change(sa.delete(DOCUMENT).where(DOCUMENT.c.corpus == corpus_id))
            tx.change(sa.delete(CORPUS).where(CORPUS.c.id == corpus_id))

        await self._database.write(work)


def _check(name: str) -> None:
    if not name.strip() or len(name) > _MOST_NAME or not name.isprintable():
        raise InputError(f"a name is one line of text of at most {_MOST_NAME} characters: {name[:80]!r}")


def _current(corpus_id: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(DOCUMENT.c.corpus == corpus_id, DOCUMENT.c.name == name, DOCUMENT.c.until.is_(None))


def _advance(tx: Tx, corpus: TenantCorpus, version: int) -> TenantCorpus:
    tx.change(sa.update(CORPUS).where(CORPUS.c.id == corpus.id).values(version=version, updated_at=tx.now))
    return _find(tx, corpus.tenant, corpus.id)


def _find(tx: Tx, tenant: str, corpus_id: str, *, lock: bool = False) -> TenantCorpus:
    query = sa.select(CORPUS).where(CORPUS.c.tenant == tenant, CORPUS.c.id == corpus_id)
    row = tx.one(query.with_for_update() if lock else query)
    if row is None:
        raise UnknownObject(f"no such corpus: {corpus_id[:80]}")
    return _corpus(row)


def _corpus(row: sa.Row[Any]) -> TenantCorpus:
    return TenantCorpus(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _document(row: sa.Row[Any]) -> CorpusDocument:
    return CorpusDocument(name=row.name, blob=row.blob, size=row.size, type=row.type, added_at=row.added_at)
