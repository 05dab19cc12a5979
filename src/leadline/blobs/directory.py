"""`Blobs` as files: `root/tenant/aa/bb/hash`, compressed, written once and never changed.

A body appears under its name only when it is whole and on the disk, so a crash at any moment
leaves at most a temporary file, which `sweep` removes.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar

import zstandard

from leadline.blobs.streams import compress, measured
from leadline.domain import sha256
from leadline.errors import BlobMissing, StoreError, StoreFull, StoreUnavailable

T = TypeVar("T")

LARGEST = 2 * 1024 * 1024 * 1024
"""Bytes that a body may have unpacked; a file that claims more is damaged."""

READER_CHARS = 8_000_000
"""Characters of texts that a reader keeps at hand."""

_LEVEL = 3
_TEMPORARY = ".new-"
_HASH = re.compile(r"[0-9a-f]{64}")
_PLAIN_TENANT = re.compile(r"[a-z0-9_-]{1,64}")
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


def folder_of(root: Path, tenant: str) -> Path:
    """Return a tenant's folder: its name where every file system can hold it, else its hash."""
    return root / tenant_name(tenant)


def tenant_name(tenant: str) -> str:
    """Return what stands for a tenant in paths and keys."""
    if _PLAIN_TENANT.fullmatch(tenant):
        return tenant
    return "%" + hashlib.sha256(tenant.encode("utf-8", "surrogatepass")).hexdigest()[:40]


class DirectoryBlobs:
    """Bodies in a folder, for all processes of one machine; the folder is made when first needed.

    `threads` bounds the files that are written or read at once. Use it as an asynchronous context
    or `close` it.
    """

    def __init__(self, root: Path, *, threads: int = 8) -> None:
        self._root = root
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="leadline-blobs")
        self._local = threading.local()

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
        """Finish what is being written and end the threads."""
        await asyncio.get_running_loop().run_in_executor(None, self._pool.shutdown)

    async def put(self, tenant: str, data: bytes) -> str:
        """See `Blobs`. Raises `StoreFull`, `StoreUnavailable`; then no part of a file is left."""
        return await self._off_loop(partial(self._put, tenant, data))

    async def put_file(self, tenant: str, file: IO[bytes]) -> str:
        """See `Blobs`. Raises as `put`."""
        return await self._off_loop(partial(self._put_file, tenant, file))

    async def get(self, tenant: str, sha256: str) -> bytes:
        """See `Blobs`. Raises `BlobMissing` also for a file whose bytes do not have the hash."""
        return await self._off_loop(partial(read_blob, folder_of(self._root, tenant), sha256))

    async def has(self, tenant: str, sha256: str) -> bool:
        """See `Blobs`."""
        if not _HASH.fullmatch(sha256):
            return False
        path = _path(folder_of(self._root, tenant), sha256)
        return await self._off_loop(path.is_file)

    async def sweep(self, tenant: str, keep: frozenset[str], *, older_than: float) -> int:
        """See `Blobs`. Storing a body again counts as storing it now; bytes are counted packed."""
        folder = folder_of(self._root, tenant)
        return await self._off_loop(partial(_sweep, folder, keep, older_than=older_than))

    async def names(self, tenant: str) -> AsyncIterator[Sequence[str]]:
        """See `Inventory`. A page is what shares the first two digits."""
        folder = folder_of(self._root, tenant)
        for first in range(256):
            found = await self._off_loop(partial(_names, folder / f"{first:02x}"))
            if found:
                yield found

    def reader(self, tenant: str) -> DirectoryReader:
        """See `Blobs`."""
        return reader_of(str(folder_of(self._root, tenant)))

    async def _off_loop(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except OSError as error:
            raise _translated(error, self._root) from error

    def _put(self, tenant: str, data: bytes) -> str:
        name = sha256(data)

        def fill(file: IO[bytes]) -> None:
            file.write(self._compressor().compress(data))

        self._keep(tenant, name, fill)
        return name

    def _put_file(self, tenant: str, body: IO[bytes]) -> str:
        found = measured(body)

        def fill(file: IO[bytes]) -> None:
            compress(body, file, size=found.size, by=self._compressor())

        self._keep(tenant, found.sha256, fill)
        return found.sha256

    def _keep(self, tenant: str, name: str, fill: Callable[[IO[bytes]], None]) -> None:
        path = _path(folder_of(self._root, tenant), name)
        try:
            # Again means now: a sweep must not take what a new run is about to name.
            os.utime(path)
        except FileNotFoundError:
            self._write(path, fill)
        else:
            # Another writer may have put it there a moment ago.
            _sync_folder(path.parent)

    def _write(self, path: Path, fill: Callable[[IO[bytes]], None]) -> None:
        _make_folder(path.parent)
        handle, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    def _compressor(self) -> zstandard.ZstdCompressor:
        """Return this thread's own; it is not safe for several."""
        found: zstandard.ZstdCompressor | None = getattr(self._local, "compressor", None)
        if found is None:
            found = zstandard.ZstdCompressor(level=_LEVEL)
            self._local.compressor = found
        return found


class Texts:
    """The texts that a reader had last, up to `READER_CHARS` characters."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards `_texts` and `_chars`: readers may share a process
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._chars = 0

    def get(self, name: str) -> str | None:
        """Return a text that is at hand."""
        with self._lock:
            text = self._texts.get(name)
            if text is not None:
                self._texts.move_to_end(name)
            return text

    def keep(self, name: str, text: str) -> None:
        """Keep a text; the ones that were not used for longest go."""
        with self._lock:
            if name in self._texts or len(text) > READER_CHARS:
                return
            self._texts[name] = text
            self._chars += len(text)
            while self._chars > READER_CHARS:
                _, old = self._texts.popitem(last=False)
                self._chars -= len(old)


class DirectoryReader:
    """Reads a tenant's stored texts; picklable, and one a process, which keeps the latest texts."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._texts = Texts()

    def __reduce__(self) -> tuple[Callable[[str], DirectoryReader], tuple[str]]:
        return reader_of, (self._folder,)

    def read(self, sha256: str) -> str:
        """See `TextReader`."""
        text = self._texts.get(sha256)
        if text is not None:
            return text
        try:
            text = read_blob(Path(self._folder), sha256).decode()
        except UnicodeDecodeError as error:
            raise BlobMissing(f"the stored body {sha256} is not a text") from error
        except OSError as error:
            raise _translated(error, Path(self._folder)) from error
        self._texts.keep(sha256, text)
        return text


@lru_cache(maxsize=16)
def reader_of(folder: str) -> DirectoryReader:
    """Return this process's reader of a tenant's folder, with the texts that it keeps."""
    return DirectoryReader(folder)


def read_blob(folder: Path, name: str) -> bytes:
    """Return the body, checked. Raises `BlobMissing`."""
    try:
        packed = _path(folder, name).read_bytes()
    except FileNotFoundError as error:
        raise BlobMissing(f"the stored body {name} is gone") from error
    try:
        size = zstandard.frame_content_size(packed)
        if not 0 <= size <= LARGEST:
            raise BlobMissing(f"the stored body {name} is damaged")
        data = zstandard.ZstdDecompressor().decompress(packed) if size else b""
    except zstandard.ZstdError as error:
        raise BlobMissing(f"the stored body {name} is damaged") from error
    if sha256(data) != name:
        raise BlobMissing(f"the stored body {name} is damaged: its bytes have another hash")
    return data


def _path(folder: Path, name: str) -> Path:
    if not _HASH.fullmatch(name):
        raise BlobMissing(f"no SHA-256: {name[:80]!r}")
    return folder / name[:2] / name[2:4] / name


def _make_folder(folder: Path) -> None:
    """Make the folder and those above it, each durably known to the one above it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(folder: Path, keep: frozenset[str], *, older_than: float) -> int:
    freed = 0
    for entry in _files(folder):
        if entry.name in keep or not (_HASH.fullmatch(entry.name) or entry.name.startswith(_TEMPORARY)):
            continue
        try:
            stat = entry.stat(follow_symlinks=False)
            if stat.st_mtime < older_than:
                Path(entry.path).unlink()
                freed += stat.st_size
        except FileNotFoundError:  # another sweep was faster
            continue
    return freed


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in _files(folder) if _HASH.fullmatch(entry.name)]


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the files two folders below; folders that vanish are empty."""
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except FileNotFoundError:
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        else:
            yield entry


def _translated(error: OSError, root: Path) -> StoreError:
    if error.errno in _NO_SPACE:
        return StoreFull(f"no space is left for `{root}`; free some and try again")
    return StoreUnavailable(f"`{root}` cannot be used: {error.strerror or error}")
