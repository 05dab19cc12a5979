"""`Blobs` as objects of an S3 bucket: `prefix/tenant/hash`, compressed where that pays, written once.

An object appears under its key only when it is whole. A body's bytes are its name, so who writes it
twice writes the same; the condition (`If-None-Match`) merely saves the second upload where two come
at once. Large bodies go up in parts; parts of an upload that was cut off are the bucket's lifecycle
rule's to delete.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple, Self, TypeVar
from urllib.parse import quote

import zstandard

from leadline.blobs.s3_place import HASH, Bucket, translating, unpacked
from leadline.blobs.s3_reader import Copies, S3Reader, check_size, reader_of
from leadline.blobs.streams import compress, measured, whole
from leadline.domain import sha256 as hash_of
from leadline.errors import BlobMissing, StoreFull

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import S3Store

T = TypeVar("T")

COPY_BYTES: Final = 2 * 1024 * 1024 * 1024

PART: Final = 8 * 1024 * 1024
"""Bytes above which an object goes up in parts, and of each part."""

PARTS_AT_ONCE: Final = 4

RENEW_SECONDS: Final = 1_800.0
"""Age above which a body that is stored again is written again: a sweep goes by the age."""

LONGEST_LINK: Final = 3_600.0
"""Seconds that a link lasts at most; a sweep takes no body that was put for one so recently."""

LINKS: Final = "links"

_LEVEL: Final = 3
_COMPRESS_ABOVE: Final = 512
_THREADS: Final = 4
_PAGE: Final = 500


class _Packed(NamedTuple):
    name: str
    stored: bytes


class S3Blobs:
    """Bodies in a bucket, for any number of machines; made by `open`."""

    def __init__(self, bucket: Bucket, store: S3Store, *, copies: Path, copy_bytes: int) -> None:
        """Take the bucket and its client; see `open`."""
        self._bucket = bucket
        self._store = store
        self._folder = copies
        self._copies = Copies(copies, copy_bytes)
        self._reader: Callable[[str], S3Reader] = partial(reader_of, bucket, copies, copy_bytes)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="leadline-s3")

    @classmethod
    @asynccontextmanager
    async def open(cls, bucket: Bucket, *, copies: Path, copy_bytes: int = COPY_BYTES) -> AsyncIterator[Self]:
        """Open the bucket for the length of the context, and look whether it answers.

        `copies` is a folder of this machine for up to `copy_bytes` of bodies that were used here.
        Raises `MissingExtra`, `StoreUnavailable`, `StoreError` for what is no bucket's address.
        """
        store = await asyncio.to_thread(bucket.open)
        blobs = cls(bucket, store, copies=copies, copy_bytes=copy_bytes)
        try:
            with translating(bucket):
                await anext(aiter(store.list(bucket.prefix or None, chunk_size=1)), None)
            yield blobs
        finally:
            await asyncio.get_running_loop().run_in_executor(None, blobs._pool.shutdown)

    async def put(self, tenant: str, data: bytes) -> str:
        """See `Blobs`. Raises `StoreFull`, `StoreUnavailable`."""
        packed = await self._off_loop(partial(_packed, data))
        key = self._bucket.key(tenant, packed.name)
        age = await self._age(key)
        if age is None:
            await self._upload(key, packed.stored, new=True)
        elif age > RENEW_SECONDS:
            await self._upload(key, packed.stored, new=False)
        await self._off_loop(partial(self._copies.keep, tenant, packed.name, packed.stored))
        return packed.name

    async def put_file(self, tenant: str, file: IO[bytes]) -> str:
        """See `Blobs`. This machine keeps no copy of it. Raises as `put`."""
        found = await self._off_loop(partial(measured, file))
        if found.size <= PART:
            return await self.put(tenant, await self._off_loop(partial(whole, file)))
        key = self._bucket.key(tenant, found.sha256)
        age = await self._age(key)
        if age is None or age > RENEW_SECONDS:
            await self._upload_file(key, file, found.size)
        return found.sha256

    async def get(self, tenant: str, sha256: str) -> bytes:
        """See `Blobs`. Raises `BlobMissing` also for an object whose bytes do not have the hash; `StoreUnavailable`."""
        key = self._bucket.key(tenant, sha256)
        with translating(self._bucket, sha256):
            answer = await self._store.get_async(key)
            check_size(answer.meta["size"], sha256)
            stored = bytes(await answer.bytes_async())
        return await self._off_loop(partial(unpacked, stored, sha256))

    async def has(self, tenant: str, sha256: str) -> bool:
        """See `Blobs`. Raises `StoreUnavailable`."""
        return bool(HASH.fullmatch(sha256)) and await self._age(self._bucket.key(tenant, sha256)) is not None

    async def sweep(self, tenant: str, keep: frozenset[str], *, older_than: float) -> int:
        """See `Blobs`. Bytes are counted as stored. What was put for links goes by its age alone."""
        doomed: list[ObjectMeta] = []
        with translating(self._bucket):
            async for page in self._store.list(f"{self._bucket.folder(tenant)}/", chunk_size=_PAGE):
                doomed += [found for found in page if _is_old(found, keep, older_than)]
            for start in range(0, len(doomed), _PAGE):
                await self._store.delete_async([found["path"] for found in doomed[start : start + _PAGE]])
        await self._off_loop(partial(self._forget, tenant, [_last(found) for found in doomed]))
        return sum(found["size"] for found in doomed)

    async def names(self, tenant: str) -> AsyncIterator[Sequence[str]]:
        """See `Inventory`. Raises `StoreUnavailable`. What lies there for links is no body of its own."""
        with translating(self._bucket):
            async for page in self._store.list(f"{self._bucket.folder(tenant)}/", chunk_size=_PAGE):
                found = [_last(one) for one in page if f"/{LINKS}/" not in one["path"]]
                yield [name for name in found if HASH.fullmatch(name)]

    async def link(self, tenant: str, file: IO[bytes], *, name: str, seconds: float) -> str:
        """See `Links`. `seconds` are cut to `LONGEST_LINK`; the file lies there as it is, until a sweep takes it."""
        found = await self._off_loop(partial(measured, file))
        await self._off_loop(partial(file.seek, 0))
        key = f"{self._bucket.folder(tenant)}/{LINKS}/{found.sha256}"
        attributes = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        }
        with translating(self._bucket):
            await self._store.put_async(
                key,
                file,
                attributes=attributes,
                chunk_size=PART,
                max_concurrency=PARTS_AT_ONCE,
                use_multipart=found.size > PART,
            )
            from obstore import sign_async  # noqa: PLC0415 an extra

            return await sign_async(self._store, "GET", key, timedelta(seconds=min(seconds, LONGEST_LINK)))

    def reader(self, tenant: str) -> S3Reader:
        """See `Blobs`. Texts that are not on this machine yet are fetched from the bucket."""
        return self._reader(tenant)

    async def _age(self, key: str) -> float | None:
        """Return for how many seconds an object has been there, `None` where it is not."""
        try:
            with translating(self._bucket, key):
                found = await self._store.head_async(key)
        except BlobMissing:
            return None
        return time.time() - found["last_modified"].timestamp()  # noqa: TID251 beside the server's own clock

    async def _upload(self, key: str, stored: bytes, *, new: bool) -> None:
        from obstore.exceptions import AlreadyExistsError, PreconditionError  # noqa: PLC0415 an extra

        with translating(self._bucket):
            if len(stored) > PART:
                await self._upload_parts(key, stored)
                return
            with suppress(AlreadyExistsError, PreconditionError):  # another writer was faster, with the same bytes
                await self._store.put_async(key, stored, use_multipart=False, mode="create" if new else "overwrite")

    async def _upload_file(self, key: str, file: IO[bytes], size: int) -> None:
        """Send a large body from the disk, compressed where that saves an eighth."""
        small = await self._off_loop(self._scratch)
        try:
            packed = await self._off_loop(partial(_shrunk, file, small, size))
            chosen = small if packed < size * 7 // 8 else file
            await self._off_loop(partial(chosen.seek, 0))
            with translating(self._bucket):
                await self._upload_parts(key, chosen)
        finally:
            await self._off_loop(small.close)

    def _scratch(self) -> IO[bytes]:
        """Return a file without a name beside the copies: the folder for what is temporary may be memory."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return tempfile.TemporaryFile(dir=self._folder)
        except OSError as error:
            raise StoreFull(f"nothing can be written in `{self._folder}`: {error.strerror}") from error

    async def _upload_parts(self, key: str, stored: bytes | IO[bytes]) -> None:
        try:
            await self._store.put_async(key, stored, use_multipart=True, chunk_size=PART, max_concurrency=PARTS_AT_ONCE)
        except FileNotFoundError:
            # Whose end was told twice, since the first answer was lost, is no upload any more: it is an object.
            if await self._age(key) is None:
                raise

    def _forget(self, tenant: str, names: list[str]) -> None:
        for name in names:
            self._copies.forget(tenant, name)

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _shrunk(file: IO[bytes], into: IO[bytes], size: int) -> int:
    try:
        return compress(file, into, size=size, by=zstandard.ZstdCompressor(level=_LEVEL))
    except OSError as error:
        raise StoreFull(f"a large body cannot be compressed on the way to the bucket: {error.strerror}") from error


def _is_old(found: ObjectMeta, keep: frozenset[str], older_than: float) -> bool:
    """Tell whether an object is one of ours that is to go; the body of a link goes by its age alone."""
    kept = _last(found) in keep and f"/{LINKS}/" not in found["path"]
    return not kept and bool(HASH.fullmatch(_last(found))) and found["last_modified"].timestamp() < older_than


def _last(found: ObjectMeta) -> str:
    return found["path"].rpartition("/")[2]


def _packed(data: bytes) -> _Packed:
    """Return a body's name, and its bytes as they are stored: compressed where that saves an eighth."""
    name = hash_of(data)
    if len(data) > _COMPRESS_ABOVE:
        small = zstandard.ZstdCompressor(level=_LEVEL).compress(data)
        if len(small) < len(data) * 7 // 8:
            return _Packed(name, small)
    return _Packed(name, data)
