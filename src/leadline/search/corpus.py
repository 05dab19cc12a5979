"""The local corpus: files and folders as a provider of search and a reader of documents."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from leadline.domain import Fetched, sha256
from leadline.errors import MissingExtra, MissingPath, NotFound
from leadline.extract.types import Limits
from leadline.ports import Clock, Embedder, Found, Query
from leadline.resilience import Deadline
from leadline.search import corpus_query
from leadline.search.addresses import AddressKind, addresses, corpus_id, id_of, real
from leadline.search.corpus_index import stored_roots
from leadline.search.corpus_refresh import Refresh
from leadline.search.corpus_schema import ReadPool, connect, ensure, translated
from leadline.search.corpus_types import EmbedLimits, IndexProgress, IndexReport, Parser, Passage

if TYPE_CHECKING:
    from leadline.search.corpus_nearest import VectorIndex

__all__ = ["Corpus", "EmbedLimits", "IndexProgress", "IndexReport", "Passage", "corpus_id"]

_MOST_PASSAGES: Final = 500
# Of a search's time, what vectors may take; words need far less than the rest.
_VECTOR_SHARE: Final = 0.6
_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)


class Corpus:
    """Documents of one set of files and folders, found by words and read by address.

    Several processes may hold the same corpus; one at a time refreshes it, all may read
    meanwhile. Use as `async with await Corpus.open(...) as corpus`.
    """

    def __init__(
        self,
        index: Path,
        *,
        id: str,
        roots: Sequence[str],
        parser: Parser,
        clock: Clock,
        uris: AddressKind,
        limits: Limits,
        vectors: VectorIndex | None = None,
    ) -> None:
        self.id = id
        self._index = index
        self._roots = tuple(roots)
        self._addresses = addresses(uris, id, self._roots)
        self._parser = parser
        self._clock = clock
        self._limits = limits
        self._readers = ReadPool(index)
        self._vectors = vectors

    @classmethod
    async def open(
        cls,
        folder: Path,
        roots: Iterable[str | Path] = (),
        *,
        parser: Parser,
        clock: Clock,
        id: str | None = None,
        uris: AddressKind = "file",
        limits: Limits | None = None,
        embedder: Embedder | None = None,
        embed_limits: EmbedLimits | None = None,
    ) -> Self:
        """Open the corpus of `roots`, whose index is the file `{id}.db` in `folder`.

        Nothing is scanned: `refresh` does that. `id` is `corpus_id(roots)` unless given; with an
        `id` alone the roots are those that it was last refreshed with. `parser` extracts text, an
        `ExtractPool` as a rule; `limits` are the ones it keeps. `uris` decides whether documents
        are addressed by `file:` URI or by `document:{id}/{name}`. With an `embedder`, passages are
        also found by vectors, which a refresh makes within `embed_limits`. Raises `MissingPath`
        where there are no roots, `StoreError` where no index can be made, `MissingExtra` where
        there is an `embedder` and numpy is not installed.
        """
        places = await asyncio.to_thread(_real_all, tuple(roots))
        if not places and id is None:
            raise MissingPath("no file or folder was named")
        id = id or id_of(places)
        if not _ID.fullmatch(id):
            raise MissingPath(f"no id of a corpus: {id!r}")
        index = folder / f"{id}.db"
        places = places or await asyncio.to_thread(_last_roots, index)
        if not places:
            raise MissingPath(f"no corpus has this id: {id}")
        vectors = None
        if embedder is not None:
            vector_index = await asyncio.to_thread(_vector_index)
            vectors = vector_index(index, embedder=embedder, limits=embed_limits or EmbedLimits(), clock=clock)
        await ensure(index)
        return cls(
            index,
            id=id,
            roots=places,
            parser=parser,
            clock=clock,
            uris=uris,
            limits=limits or Limits(),
            vectors=vectors,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the index; what is being read ends first."""
        await self._readers.close()
        if self._vectors is not None:
            await self._vectors.close()

    @property
    def name(self) -> str:
        """The provider's name, as hits carry it."""
        return corpus_query.PROVIDER

    async def refresh(self, *, progress: Callable[[IndexProgress], None] | None = None) -> IndexReport:
        """Bring the index up to date with the disk, after any other process that does so now.

        `progress` is called on the event loop, once a document at most. Documents that cannot be
        read or parsed are in the report, never an error. Raises `MissingPath` when a root is
        gone, `StoreFull` and `StoreUnavailable` when the index cannot be written; what was
        committed before stands. Embedding comes last, for as long as its limits allow; that it
        fails is a warning in the report.
        """
        refresh = Refresh(
            self._index,
            self._roots,
            addresses=self._addresses,
            parser=self._parser,
            clock=self._clock,
            limits=self._limits,
            progress=progress,
        )
        report = await refresh.run()
        if self._vectors is None:
            return report
        begun = monotonic()
        changed = bool(report.added or report.changed or report.removed)
        filled = await self._vectors.fill(progress, changed=changed)
        return replace(
            report,
            embedded=filled.embedded,
            pending=filled.pending,
            warnings=filled.warnings,
            seconds=report.seconds + monotonic() - begun,
        )

    async def search(self, query: Query, *, deadline: float) -> Found:
        """Return documents, each once, by the passage that matches best; see `ports.Search`."""
        if self._vectors is None:
            return await self._readers.run(partial(corpus_query.search, query=query), deadline=deadline)
        limit = Deadline(deadline)
        near = await self._vectors.near(query.text, deadline=deadline * _VECTOR_SHARE)
        wanted = partial(corpus_query.search, query=query, near=near or ())
        found = await self._readers.run(wanted, deadline=limit.left())
        return found if near is not None else replace(found, ignored=(*found.ignored, "vectors"))

    async def passages(
        self, text: str, *, limit: int, deadline: float, phrases: Sequence[str] = ()
    ) -> Sequence[Passage]:
        """Return the passages of about 1,000 characters that match `text` best.

        Words are joined by "or" and ranked by BM25; each of `phrases` must occur. Without
        phrases, what vectors find is fused with it. Raises `ToolFailed`.
        """
        limiting = Deadline(deadline)
        near = None
        if self._vectors is not None and not phrases:
            near = await self._vectors.near(text, deadline=deadline * _VECTOR_SHARE)
        wanted = partial(
            corpus_query.passages,
            text=text,
            limit=min(max(limit, 1), _MOST_PASSAGES),
            phrases=phrases,
            near=near or (),
        )
        return await self._readers.run(wanted, deadline=limiting.left())

    async def named(self, name: str, *, limit: int, deadline: float) -> Sequence[str]:
        """Return the addresses of the documents called `name`; see `ports.Documents`."""
        known = self._addresses.known(name)
        if known is not None:
            return (known,)
        return await self._readers.run(partial(corpus_query.named, name=name, limit=limit), deadline=deadline)

    async def names(self, *, limit: int, deadline: float) -> Sequence[str]:
        """Return what the first documents are called; see `ports.Documents`."""
        return await self._readers.run(partial(corpus_query.names, limit=limit), deadline=deadline)

    def reads(self, uri: str) -> bool:
        """Return whether `uri` lies under this corpus's roots, be there a document or not."""
        return self._addresses.known(uri) is not None

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        """Return a document's stored text; with its bytes, where they still are what was indexed.

        Raises `NotFound` for what is not in the index, whatever may lie on disk.
        """
        known = self._addresses.known(uri)
        if known is None:
            raise NotFound(f"no local document has this address: {uri}")
        reply = await self._readers.run(partial(corpus_query.read, uri=known), deadline=deadline)
        raw = await asyncio.to_thread(_raw, reply, self._limits.bytes)
        return Fetched(source=reply.source, text=reply.text, raw=raw)


def _vector_index() -> type[VectorIndex]:
    try:
        from leadline.search.corpus_nearest import VectorIndex  # noqa: PLC0415 numpy, an extra
    except ModuleNotFoundError as error:
        raise MissingExtra("vectors need numpy; install it with: pip install 'leadline[vectors]'") from error
    return VectorIndex


def _real_all(roots: Sequence[str | Path]) -> list[str]:
    return list(dict.fromkeys(real(root) for root in roots))


def _last_roots(index: Path) -> list[str]:
    if not index.exists():
        return []
    with translated(index), closing(connect(index)) as connection:
        return stored_roots(connection)


def _raw(reply: corpus_query.Reply, most: int) -> bytes | None:
    """Return the bytes of the file, `None` where it is gone or another by now."""
    with suppress(OSError):
        with Path(os.fsdecode(reply.path)).open("rb") as stream:
            raw = stream.read(most + 1)
        if sha256(raw) == reply.source.raw_sha256:
            return raw
    return None
