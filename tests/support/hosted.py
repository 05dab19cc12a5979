"""Hosted corpora without a service: documents of a name and bytes each, their blobs in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from leadline.blobs.memory import MemoryBlobs
from leadline.domain import sha256
from leadline.errors import ExtractError
from leadline.extract.registry import extract
from leadline.extract.types import Extracted
from leadline.ports.corpora import CorpusDocument, DocumentState
from leadline.search.hosted import HostedCorpus
from leadline.search.hosted_build import Unreadable, build

TENANT = "acme"


def documents_of(texts: Mapping[str, bytes]) -> list[CorpusDocument]:
    """Return documents that were read."""
    return [
        CorpusDocument(
            name=name, blob=sha256(raw), size=len(raw), type="", added_at=1_700_000_000.0, state=DocumentState.READY
        )
        for name, raw in texts.items()
    ]


async def built(
    place: Path, corpus: str, documents: Sequence[CorpusDocument], texts: Mapping[str, bytes], base: Path | None = None
) -> list[str]:
    """Build an index and return the names of documents whose texts were asked for."""
    loaded: list[str] = []

    async def load(document: CorpusDocument) -> Extracted | Unreadable:
        loaded.append(document.name)
        try:
            return extract(texts[document.name], name=document.name)
        except ExtractError as error:
            return Unreadable(error.code, str(error))

    await build(place, corpus, documents, load=load, base=base)
    return loaded


@asynccontextmanager
async def hosted(folder: Path, corpus: str, texts: Mapping[str, bytes]) -> AsyncIterator[HostedCorpus]:
    """Yield a corpus of these documents, whose bytes are there."""
    blobs = MemoryBlobs()
    for raw in texts.values():
        await blobs.put(TENANT, raw)
    place = folder / f"{corpus}@1.db"
    await built(place, corpus, documents_of(texts), texts)
    opened = HostedCorpus(place, corpus=corpus, tenant=TENANT, blobs=blobs)
    try:
        yield opened
    finally:
        await opened.close()
