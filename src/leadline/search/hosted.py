"""One version of a tenant's corpus as a provider of search and a reader of documents."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol

from leadline.domain import Fetched
from leadline.errors import BlobMissing, NotFound, ToolFailed
from leadline.ports import Blobs, Found, Query
from leadline.search import corpus_query
from leadline.search.corpus_schema import ReadPool
from leadline.search.hosted_build import canonical


class Hosted(Protocol):
    """What a run has of a corpus: `ports.Search`, `ports.Reader` and `ports.Documents` in one."""

    @property
    def name(self) -> str:
        """The provider's name, as hits carry it."""
        ...

    async def search(self, query: Query, *, deadline: float) -> Found:
        """See `ports.Search`."""
        ...

    async def named(self, name: str, *, limit: int, deadline: float) -> Sequence[str]:
        """See `ports.Documents`."""
        ...

    async def names(self, *, limit: int, deadline: float) -> Sequence[str]:
        """See `ports.Documents`."""
        ...

    def reads(self, uri: str) -> bool:
        """See `ports.Reader`."""
        ...

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        """See `ports.Reader`."""
        ...


class HostedCorpus:
    """A version of a corpus over its index file, which never changes; the bytes of documents are blobs."""

    def __init__(self, index: Path, *, corpus: str, tenant: str, blobs: Blobs) -> None:
        self._corpus = corpus
        self._tenant = tenant
        self._blobs = blobs
        self._readers = ReadPool(index)

    async def close(self) -> None:
        """Close the index; what is being read ends first."""
        await self._readers.close()

    @property
    def name(self) -> str:
        """The provider's name, as hits carry it."""
        return corpus_query.PROVIDER

    async def search(self, query: Query, *, deadline: float) -> Found:
        """Return documents, each once, by the passage that matches best; see `ports.Search`."""
        return await self._readers.run(partial(corpus_query.search, query=query), deadline=deadline)

    async def named(self, name: str, *, limit: int, deadline: float) -> Sequence[str]:
        """Return the addresses of the documents called `name`; see `ports.Documents`."""
        known = canonical(self._corpus, name)
        if known is not None:
            return (known,)
        return await self._readers.run(partial(corpus_query.named, name=name, limit=limit), deadline=deadline)

    async def names(self, *, limit: int, deadline: float) -> Sequence[str]:
        """Return what the first documents are called; see `ports.Documents`."""
        return await self._readers.run(partial(corpus_query.names, limit=limit), deadline=deadline)

    def reads(self, uri: str) -> bool:
        """Return whether `uri` is an address of this corpus, be there a document or not."""
        return canonical(self._corpus, uri) is not None

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        """Return a document's stored text, with its bytes. Raises `NotFound`, `ToolFailed`."""
        known = canonical(self._corpus, uri)
        if known is None:
            raise NotFound(f"no document has this address: {uri}")
        reply = await self._readers.run(partial(corpus_query.read, uri=known), deadline=deadline)
        raw = None
        with suppress(BlobMissing):
            raw = await self._blobs.get(self._tenant, reply.source.raw_sha256)
        return Fetched(source=reply.source, text=reply.text, raw=raw)


class AbsentCorpus:
    """Stands where a corpus was, or is not there yet: what a run recorded of it stands, nothing new is found.

    `why` is what searching and reading fail with.
    """

    def __init__(self, corpus: str, why: str) -> None:
        self._corpus = corpus
        self._why = why

    @property
    def name(self) -> str:
        """The provider's name, as hits carry it."""
        return corpus_query.PROVIDER

    async def search(self, query: Query, *, deadline: float) -> Found:
        """Raise `ToolFailed`."""
        del query, deadline
        raise ToolFailed(self._why)

    async def named(self, name: str, *, limit: int, deadline: float) -> Sequence[str]:
        """Raise `ToolFailed`."""
        del name, limit, deadline
        raise ToolFailed(self._why)

    async def names(self, *, limit: int, deadline: float) -> Sequence[str]:
        """Raise `ToolFailed`."""
        del limit, deadline
        raise ToolFailed(self._why)

    def reads(self, uri: str) -> bool:
        """Return whether `uri` is an address of this corpus."""
        return canonical(self._corpus, uri) is not None

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        """Raise `NotFound`."""
        del uri, deadline
        raise NotFound(self._why)
