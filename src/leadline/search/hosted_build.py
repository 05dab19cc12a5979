"""The index file of one version of a hosted corpus, made of texts that were read before.

It is built beside its place and moved there when it is whole, and never changes afterwards. What an
index of another version has in common with it is taken over.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote, unquote_to_bytes

from leadline.extract.types import Extracted
from leadline.ports.corpora import CorpusDocument, DocumentState
from leadline.search.addresses import SAFE
from leadline.search.corpus_index import Known, Seen, Stamp, Writer
from leadline.search.corpus_schema import connect, translated
from leadline.search.corpus_store import WriterThread


class Unreadable(NamedTuple):
    """Why a document gives no text: an error's code, and words for a person."""

    code: str
    reason: str


Load: TypeAlias = Callable[[CorpusDocument], Awaitable[Extracted | Unreadable]]
"""Returns the text of a document whose text was read, or why there is none any more."""

_COMMIT_CHARS: Final = 8_000_000
_COMMIT_FILES: Final = 256
_SUFFIXES: Final = ("", "-wal", "-shm", "-journal")


class Loaded(NamedTuple):
    """A document and what there is of it."""

    document: CorpusDocument
    text: Extracted | Unreadable


def address(corpus: str, name: str) -> str:
    """Return the address of a document: `document:{corpus}/{name}`."""
    return prefix(corpus) + quote(name, safe=SAFE)


def prefix(corpus: str) -> str:
    """Return what the addresses of a corpus begin with."""
    return f"document:{corpus}/"


def canonical(corpus: str, uri: str) -> str | None:
    """Return an address of this corpus as the index has it, `None` for any other address."""
    begin = prefix(corpus)
    return begin + quote(unquote_to_bytes(uri[len(begin) :]), safe=SAFE) if uri.startswith(begin) else None


async def build(
    place: Path, corpus: str, documents: Sequence[CorpusDocument], *, load: Load, base: Path | None = None
) -> None:
    """Make the index of `documents` at `place`, from `base` (an index of the same corpus) where there is one.

    The caller lets nobody else do so meanwhile. Raises `StoreError`, and what `load` raises.
    """
    unfinished = place.with_name(f"{place.name}.new")
    await asyncio.to_thread(_begin, unfinished, base)
    thread = WriterThread(unfinished)
    try:
        known = await thread.start(lambda writer: writer.known())
        wanted = {address(corpus, one.name): one for one in documents}
        await thread.start(partial(_drop, uris=[uri for uri in known if uri not in wanted]))
        fresh = [one for uri, one in wanted.items() if _differs(known, uri, one)]
        await _fill(thread, corpus, fresh, load=load)
        if fresh:
            await thread.start(lambda writer: writer.merge())
    finally:
        await thread.close()
    await asyncio.to_thread(_finish, unfinished, place)


def _differs(known: Mapping[str, Known], uri: str, document: CorpusDocument) -> bool:
    row = known.get(uri)
    if row is None or row.raw_sha256 != document.blob:
        return True
    return (row.text_id is None) != (document.state is DocumentState.FAILED)


async def _fill(thread: WriterThread, corpus: str, fresh: Sequence[CorpusDocument], *, load: Load) -> None:
    batch: list[Loaded] = []
    chars = 0
    for document in fresh:
        text = await _of(document, load)
        batch.append(Loaded(document, text))
        chars += len(text.text) if isinstance(text, Extracted) else 0
        if chars >= _COMMIT_CHARS or len(batch) >= _COMMIT_FILES:
            await thread.start(partial(_put, batch=batch, corpus=corpus))
            batch, chars = [], 0
    if batch:
        await thread.start(partial(_put, batch=batch, corpus=corpus))


async def _of(document: CorpusDocument, load: Load) -> Extracted | Unreadable:
    if document.state is not DocumentState.FAILED:
        return await load(document)
    return Unreadable(document.code or "", document.reason)


def _put(writer: Writer, *, batch: Sequence[Loaded], corpus: str) -> None:
    with writer.transaction():
        for document, text in batch:
            seen = _seen(corpus, document)
            if isinstance(text, Unreadable):
                writer.put_failure(seen, parsers="", code=text.code, reason=text.reason)
                continue
            stored = writer.text_of(seen.raw_sha256, seen.suffix)
            added = datetime.fromtimestamp(document.added_at, UTC).isoformat(timespec="seconds")
            text_id = writer.put_text(seen, text, fetched_at=added) if stored is None else stored[0]
            writer.put_file(seen, text_id)


def _drop(writer: Writer, *, uris: Sequence[str]) -> None:
    with writer.transaction():
        for uri in uris:
            writer.remove_file(uri)


def _seen(corpus: str, document: CorpusDocument) -> Seen:
    return Seen(
        uri=address(corpus, document.name),
        path=document.name.encode(),
        name=document.name,
        stamp=Stamp(document.size, 0, 0, 0),
        checked=0,
        raw_sha256=document.blob,
        suffix=PurePosixPath(document.name).suffix.lower(),
    )


def _begin(unfinished: Path, base: Path | None) -> None:
    """Remove what a process that died left, and take over what there is of another version."""
    with translated(unfinished):
        unfinished.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for suffix in _SUFFIXES:
            unfinished.with_name(unfinished.name + suffix).unlink(missing_ok=True)
        if base is None:
            return
        try:
            shutil.copyfile(base, unfinished)
            unfinished.chmod(0o600)
        except FileNotFoundError:  # another process tidied up a moment ago
            unfinished.unlink(missing_ok=True)


def _finish(unfinished: Path, place: Path) -> None:
    """Make one whole file of it and move it to its place."""
    with translated(unfinished):
        with closing(connect(unfinished)) as connection:
            mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
            if mode != ("delete",):
                raise sqlite3.OperationalError(f"the journal mode stays {mode}")
        descriptor = os.open(unfinished, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        unfinished.replace(place)
