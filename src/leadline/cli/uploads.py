"""Files of this machine as documents of a service: which there are, by what names, sent where they are missing."""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from leadline.cli.engine import Indexing
from leadline.client import AsyncClient, CorpusView, Synced
from leadline.errors import AlreadyThere, InputError
from leadline.extract.walk import walk

_MOST_NAME = 255


class Files(NamedTuple):
    """Files by the names that they get, and how many were passed over, by reason."""

    by_name: Mapping[str, Path]
    skipped: Mapping[str, int]


class NotRead(NamedTuple):
    """A document that gives no text."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sending:
    """How far it is; see `cli.engine.Indexing`."""

    found: int
    done: int
    name: str
    what: str = "documents"


@dataclass(frozen=True, kw_only=True, slots=True)
class Uploaded:
    """What a corpus holds now; see `cli.engine.Indexed`."""

    added: int
    removed: int
    unchanged: int
    documents: int
    seconds: float
    skipped: Mapping[str, int] = field(default_factory=dict)
    failed: tuple[NotRead, ...] = ()
    changed: int = 0
    embedded: int = 0
    pending: int = 0
    warnings: tuple[str, ...] = ()


def files_under(paths: Sequence[Path]) -> Files:
    """Return the files to send: those of a folder by their path in it, behind its name where several are given.

    Raises `MissingPath`; `InputError` where two would have the same name.
    """
    walked = walk(paths)
    several = len({file.root for file in walked.files}) > 1
    found: dict[str, Path] = {}
    for file in walked.files:
        is_root = file.path == file.root
        name = file.root.name if is_root else f"{file.root.name}/{file.relative}" if several else file.relative
        if name in found:
            raise InputError(
                f"two files would be called `{name}`: {found[name]} and {file.path}; give one of them alone"
            )
        found[name] = file.path
    return Files(found, {str(entry.reason): entry.count for entry in walked.skipped})


def corpus_of(paths: Sequence[Path]) -> str:
    """Return what the corpus of these files and folders of this machine is called at a service; it tells no path."""
    real = sorted(os.path.realpath(path.expanduser()) for path in paths)
    mark = hashlib.blake2b("\0".join([platform.node(), *real]).encode(errors="replace"), digest_size=5).hexdigest()
    names = ", ".join(Path(path).name or "files" for path in real)
    return f"{names[: _MOST_NAME - 20]} ({mark})"


async def corpus_named(client: AsyncClient, name: str) -> CorpusView:
    """Return the corpus of this name, made where it is missing."""
    try:
        return await client.corpora.create(name)
    except AlreadyThere:
        return next(one for one in await client.corpora.list() if one.name == name)


async def bring(
    client: AsyncClient,
    corpus_id: str,
    files: Files,
    *,
    remove: bool,
    progress: Callable[[Indexing], None] | None = None,
) -> Uploaded:
    """Send what is missing, wait until all of it is read, and say what came of it.

    With `remove`, documents that are not among the files are taken out.
    """
    begun, done = monotonic(), 0
    told = progress or _silent

    def sent(name: str) -> None:
        nonlocal done
        done += 1
        told(Sending(found=len(files.by_name), done=done, name=name))

    def read(view: CorpusView) -> None:
        told(Sending(found=view.documents, done=view.ready + view.failed, name="", what="documents"))

    synced = await client.corpora.sync(corpus_id, files.by_name, remove=remove, progress=sent)
    view = await client.corpora.wait(corpus_id, progress=read)
    return Uploaded(
        added=len(synced.sent),
        removed=len(synced.removed),
        unchanged=len(synced.same),
        documents=view.ready,
        seconds=monotonic() - begun,
        skipped=files.skipped,
        failed=await _not_read(client, view, synced),
    )


async def bring_docs(
    client: AsyncClient, docs: Sequence[Path], *, progress: Callable[[Indexing], None] | None = None
) -> tuple[str, Uploaded]:
    """Bring the corpus that stands for `docs` up to date and return its id."""
    files = await asyncio.to_thread(files_under, docs)
    corpus = await corpus_named(client, corpus_of(docs))
    return corpus.id, await bring(client, corpus.id, files, remove=True, progress=progress)


async def _not_read(client: AsyncClient, view: CorpusView, synced: Synced) -> tuple[NotRead, ...]:
    refused = tuple(NotRead(name, reason) for name, reason in synced.refused)
    if not view.failed:
        return refused
    listed = await client.corpora.documents(view.id)
    return refused + tuple(NotRead(one.name, one.reason or "") for one in listed if one.state == "failed")


def _silent(_progress: Indexing) -> None:
    """Tell nobody."""
