"""`AsyncCorpora`: the documents that a tenant keeps at a service; `AsyncClient.corpora` is one."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

from leadline.client.decoding import decoded, parsed
from leadline.client.http import PATIENCE, Reply, Sent, ServiceHttp
from leadline.client.shapes import CorpusView, DocumentView, Synced
from leadline.codec import build
from leadline.errors import InputError, MissingPath, ServiceError, UnknownObject

T = TypeVar("T")

LOOK_SECONDS: Final = 0.5
TOGETHER: Final = 4
"""Documents that are sent at a time."""

_PAGE: Final = 200
_PIECE: Final = 1 << 18
_SLOWEST: Final = 64 << 10
"""Bytes a second: an upload at less than that is given up."""


class AsyncCorpora:
    """Corpora of one's own tenant. Every method raises the errors of `leadline.errors`, as `AsyncClient` does."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def create(self, name: str) -> CorpusView:
        """Make an empty corpus. Raises `AlreadyThere`."""
        sent = Sent(method="POST", path="/v1/corpora", json={"name": name}, again=False)
        return decoded(CorpusView, await self._http.ask(sent))

    async def list(self) -> Sequence[CorpusView]:
        """Return all corpora, by name."""
        return await self._all(CorpusView, "/v1/corpora")

    async def get(self, corpus_id: str) -> CorpusView:
        """Look at a corpus. Raises `UnknownObject`."""
        return decoded(CorpusView, await self._http.ask(Sent(method="GET", path=_corpus(corpus_id))))

    async def delete(self, corpus_id: str) -> None:
        """Delete a corpus with all its documents. Raises `UnknownObject`."""
        await self._http.ask(Sent(method="DELETE", path=_corpus(corpus_id), again=False))

    async def documents(self, corpus_id: str) -> Sequence[DocumentView]:
        """Return all documents, by name."""
        return await self._all(DocumentView, f"{_corpus(corpus_id)}/documents")

    async def document(self, corpus_id: str, name: str) -> DocumentView:
        """Look at a document. Raises `UnknownObject`."""
        return decoded(DocumentView, await self._http.ask(Sent(method="GET", path=_document(corpus_id, name))))

    async def remove(self, corpus_id: str, name: str) -> None:
        """Take a document out of a corpus. Raises `UnknownObject`."""
        await self._http.ask(Sent(method="DELETE", path=_document(corpus_id, name), again=False))

    async def upload(self, corpus_id: str, source: Path | bytes, *, name: str | None = None) -> DocumentView:
        """Add a document, or replace the one of its name, which is a file's own unless given.

        A file is sent piece by piece. Where the connection breaks, the service is asked first whether
        it has these bytes already. Raises `MissingPath`, `InputError`, `WrongState` where the tenant
        keeps too much, `TooLarge`.
        """
        if name is None:
            if isinstance(source, bytes):
                raise InputError("bytes have no name of their own: give one")
            name = source.name
        body = await asyncio.to_thread(_measured, source)
        return await self._send(corpus_id, name, source, body=body)

    async def sync(
        self,
        corpus_id: str,
        files: Mapping[str, Path],
        *,
        remove: bool = False,
        progress: Callable[[str], None] | None = None,
    ) -> Synced:
        """Send the files, by the names that they are to have, whose bytes are not there yet.

        With `remove` documents that are not among them are taken out. `progress` is told each name
        that is done with. What the service refuses by itself is in the result; other failures are raised.
        """
        there = {one.name: one for one in await self.documents(corpus_id)}
        slots, told = asyncio.Semaphore(TOGETHER), progress or _silent

        async def one(name: str, path: Path) -> tuple[str, str] | None:
            async with slots:
                body = await asyncio.to_thread(_measured, path)
                known = there.get(name)
                if known is not None and known.sha256 == body.sha256:
                    told(name)
                    return None
                try:
                    await self._send(corpus_id, name, path, body=body)
                except InputError as error:
                    if isinstance(error, UnknownObject):
                        raise
                    return name, str(error)
                finally:
                    told(name)
                return name, ""

        try:
            async with asyncio.TaskGroup() as group:
                tasks = {name: group.create_task(one(name, path)) for name, path in files.items()}
        except BaseExceptionGroup as several:
            raise _first_of(several) from several
        ends = {name: task.result() for name, task in tasks.items()}
        gone = [name for name in there if name not in files] if remove else []
        for name in gone:
            await self.remove(corpus_id, name)
        return Synced(
            sent=tuple(name for name, end in ends.items() if end is not None and not end[1]),
            same=tuple(name for name, end in ends.items() if end is None),
            removed=tuple(gone),
            refused=tuple(end for end in ends.values() if end is not None and end[1]),
        )

    async def wait(self, corpus_id: str, *, progress: Callable[[CorpusView], None] | None = None) -> CorpusView:
        """Return a corpus once all its documents are read, be it that they could not be."""
        while True:
            found = await self.get(corpus_id)
            if progress is not None:
                progress(found)
            if not found.unread:
                return found
            await asyncio.sleep(LOOK_SECONDS)

    async def _send(self, corpus_id: str, name: str, source: Path | bytes, *, body: _Body) -> DocumentView:
        async def there() -> Reply | None:
            """A lost answer does no harm: what has arrived is not sent again."""
            try:
                reply = await self._http.ask(Sent(method="GET", path=_document(corpus_id, name)))
            except UnknownObject:
                return None
            found = decoded(DocumentView, reply)
            return reply if found.sha256 == body.sha256 and found.state != "failed" else None

        digest = base64.b64encode(bytes.fromhex(body.sha256)).decode()
        sent = Sent(
            method="PUT",
            path=_document(corpus_id, name),
            data=partial(_pieces, source),
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Length": str(body.size),
                "Content-Digest": f"sha-256=:{digest}:",
            },
            patience=PATIENCE + body.size / _SLOWEST,
        )
        return decoded(DocumentView, await self._http.ask(sent, instead=there))

    async def _all(self, cls: type[T], path: str) -> Sequence[T]:
        found: list[T] = []
        cursor: str | None = None
        while True:
            params = {"limit": str(_PAGE)} | ({"cursor": cursor} if cursor else {})
            page: Any = parsed(await self._http.ask(Sent(method="GET", path=path, params=params)))
            try:
                found += [build(cls, one) for one in page["items"]]
                cursor = page["next"]
            except (ValueError, KeyError, TypeError) as error:
                raise ServiceError("the service listed documents in no form that this version knows") from error
            if not cursor:
                return found


class _Body(NamedTuple):
    size: int
    sha256: str


def _corpus(corpus_id: str) -> str:
    return f"/v1/corpora/{quote(corpus_id, safe='')}"


def _document(corpus_id: str, name: str) -> str:
    return f"{_corpus(corpus_id)}/documents/{quote(name, safe='/')}"


def _measured(source: Path | bytes) -> _Body:
    """Return size and hash. Raises `MissingPath`."""
    if isinstance(source, bytes):
        return _Body(len(source), hashlib.sha256(source).hexdigest())
    try:
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            return _Body(file.tell(), digest.hexdigest())
    except OSError as error:
        raise MissingPath(f"cannot read {source}: {error.strerror}") from error


async def _pieces(source: Path | bytes) -> AsyncIterator[bytes]:
    if isinstance(source, bytes):
        for start in range(0, len(source), _PIECE):
            yield source[start : start + _PIECE]
        return
    with await asyncio.to_thread(source.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece


def _silent(_name: str) -> None:
    """Tell nobody."""


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
