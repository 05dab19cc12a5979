"""Uploads: streamed to disk under a cap, then stored as bodies by hash, then part of the corpus."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import re
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import IO, Any, Final

from leadline.errors import InputError, StoreFull, TooLarge
from leadline.ports.corpora import CorpusDocument, Room
from leadline.service.door import Limited
from leadline.settings import Settings
from leadline.wiring import Platform, data_folder
from leadline.wiring.accounts import Accounts
from leadline.wiring.hosted import media_type

MOST_ARRIVING: Final = 4
"""Uploads that a tenant may send at a time, for each one that may be stored: what arrives takes room on the disk."""

_PIECE: Final = 1 << 20
_HEAD: Final = 1 << 16
_DIGEST: Final = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]{44}):")
_FOLDER: Final = "uploads"


@dataclass(frozen=True, slots=True)
class Taken:
    """An upload that has arrived whole."""

    file: IO[bytes]
    size: int
    sha256: str


class Uploads:
    """Takes documents in, by way of the disk; at most as many are stored at a time as the settings allow."""

    def __init__(self, *, settings: Settings, platform: Platform, accounts: Accounts) -> None:
        self._settings = settings
        self._platform = platform
        self._corpora = accounts.corpora
        self._arriving: Counter[str] = Counter()
        self._storing = asyncio.Semaphore(settings.corpora.uploads)
        self._room = Room(documents=settings.corpora.documents, bytes=settings.corpora.bytes)

    async def put(
        self,
        tenant: str,
        corpus_id: str,
        name: str,
        *,
        pieces: AsyncGenerator[bytes],
        announced: int,
        digest: str | None,
    ) -> CorpusDocument:
        """Make what `pieces` bring a document of a corpus.

        `announced` is the size that the sender names, 0 where it names none; `digest` a
        `Content-Digest` (RFC 9530). Raises `UnknownObject`, `TooLarge`, `InputError`, `WrongState`
        where the tenant keeps too much, `Limited` where it sends too much at a time, `StoreFull`.
        """
        await self._corpora.get(tenant, corpus_id)
        if announced > self._settings.extract.max_bytes:
            raise self._too_large()
        wanted = None if digest is None else _hash_in(digest)
        async with self._place(tenant), self._arrived(pieces) as taken:
            if wanted is not None and taken.sha256 != wanted:
                raise InputError("the bytes that came are not those of `Content-Digest`: send them again")
            await self._kept(tenant, corpus_id, name, taken=taken)
        self._platform.hosted.ring()
        return await self._corpora.document(tenant, corpus_id, name)

    def arriving(self, tenant: str) -> int:
        """Return how many uploads of a tenant are under way."""
        return self._arriving[tenant]

    @asynccontextmanager
    async def _place(self, tenant: str) -> AsyncIterator[None]:
        """Hold one of the places of a tenant. Raises `Limited` where there is none."""
        if self._arriving[tenant] >= MOST_ARRIVING * self._settings.corpora.uploads:
            told = "too many documents are sent at a time: wait for the answers to some"
            raise Limited(told, status=429, code="uploads", retry_after=1.0)
        self._arriving[tenant] += 1
        try:
            yield
        finally:
            self._arriving[tenant] -= 1
            self._arriving += Counter()  # who has none is forgotten

    async def _kept(self, tenant: str, corpus_id: str, name: str, *, taken: Taken) -> None:
        async with self._storing:
            head = await asyncio.to_thread(_head, taken.file)
            document = CorpusDocument(
                name=name,
                blob=taken.sha256,
                size=taken.size,
                type=media_type(name, head),
                added_at=0.0,
            )
            await self._corpora.check(tenant, corpus_id, document, room=self._room)
            await self._platform.blobs.put_file(tenant, taken.file)
        await self._corpora.put(tenant, corpus_id, document, room=self._room)

    @asynccontextmanager
    async def _arrived(self, pieces: AsyncGenerator[bytes]) -> AsyncIterator[Taken]:
        """Yield an upload in a file of its own, which is gone afterwards."""
        file = await asyncio.to_thread(_opened, self._settings)
        try:
            yield await self._written(file, pieces)
        finally:
            await asyncio.to_thread(file.close)

    async def _written(self, file: IO[bytes], pieces: AsyncGenerator[bytes]) -> Taken:
        digest, size = hashlib.sha256(), 0
        async with aclosing(self._gathered(pieces)) as larger:
            async for piece in larger:
                size += len(piece)
                if size > self._settings.extract.max_bytes:
                    raise self._too_large()
                await asyncio.to_thread(_write, file, piece, digest.update)
        if not size:
            raise InputError("the document is empty")
        return Taken(file, size, digest.hexdigest())

    async def _gathered(self, pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """Yield what comes in pieces worth a visit to a thread. Raises `InputError` where nothing comes for long."""
        waiting: list[bytes] = []
        size = 0
        patience = self._settings.service.slow_seconds
        while True:
            try:
                async with asyncio.timeout(patience):
                    piece = await anext(pieces, None)
            except TimeoutError as error:
                raise InputError(f"nothing came for {patience:g} s: send it again") from error
            if piece is None:
                break
            waiting.append(piece)
            size += len(piece)
            if size >= _PIECE:
                yield b"".join(waiting)
                waiting, size = [], 0
        if waiting:
            yield b"".join(waiting)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"a document may have {self._settings.extract.max_bytes} bytes")


def _hash_in(digest: str) -> str:
    """Return the SHA-256 that a `Content-Digest` names, in hex. Raises `InputError`."""
    found = _DIGEST.search(digest)
    try:
        raw = base64.b64decode(found[1], validate=True) if found else b""
    except binascii.Error:
        raw = b""
    if len(raw) != hashlib.sha256().digest_size:
        raise InputError("`Content-Digest` names no `sha-256=:...:`")
    return raw.hex()


def _opened(settings: Settings) -> IO[bytes]:
    folder = data_folder(settings) / _FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder)
    except OSError as error:
        raise StoreFull(f"no upload can be taken in `{folder}`: {error.strerror}") from error


def _write(file: IO[bytes], piece: bytes, hashed: Callable[[bytes], Any]) -> None:
    hashed(piece)
    try:
        file.write(piece)
    except OSError as error:
        raise StoreFull(f"no upload can be taken: {error.strerror}") from error


def _head(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read(_HEAD)
