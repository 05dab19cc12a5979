"""Stored texts of a bucket for `Cpu` work: read once from the bucket, then from copies on this machine's disk."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leadline.blobs.directory import LARGEST, Texts, tenant_name
from leadline.blobs.s3_place import Bucket, checked, translating, unpacked
from leadline.errors import BlobMissing

if TYPE_CHECKING:
    from obstore.store import S3Store

COPY_SECONDS: Final = 86_400.0
"""Seconds after which a copy is read anew: a body that was deleted lives no longer anywhere."""

_PRUNE_TO: Final = 0.8
_PRUNE_EVERY: Final = 0.1
"""Shares of the allowed bytes: what pruning leaves, and how much is written between two of them."""

_TEMPORARY: Final = ".new-"


class Copies:
    """Bodies as they are stored, in `folder/tenant/aa/hash`, for all processes of this machine.

    At most about `most` bytes; the least recently used go first. A cache: what cannot be kept is
    not, what is damaged is read from the bucket again.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._written = most  # since the last pruning; the first write prunes
        self._lock = threading.Lock()  # guards `_written`

    def read(self, tenant: str, name: str) -> bytes | None:
        """Return the body, checked against its hash, or `None`."""
        path = self._path(tenant, name)
        try:
            stat = path.stat()
            if time.time() - stat.st_mtime > COPY_SECONDS:  # noqa: TID251 the age of a file
                return None
            body = unpacked(path.read_bytes(), name)
            os.utime(path, (time.time(), stat.st_mtime))  # noqa: TID251 as above
        except (OSError, BlobMissing):
            return None
        return body

    def keep(self, tenant: str, name: str, stored: bytes) -> None:
        """Keep a body as it is stored, if there is room for it."""
        if len(stored) > self._most // 4:
            return
        path = self._path(tenant, name)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(stored)
                Path(temporary).replace(path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError:  # a full disk is the bucket's reader's last worry
            self._written = self._most
            return
        if self._is_due(len(stored)):
            self._prune()

    def forget(self, tenant: str, name: str) -> None:
        """Delete a copy."""
        self._path(tenant, name).unlink(missing_ok=True)

    def _path(self, tenant: str, name: str) -> Path:
        return self._folder / tenant_name(tenant) / checked(name)[:2] / name

    def _is_due(self, size: int) -> bool:
        with self._lock:
            self._written += size
            if self._written < self._most * _PRUNE_EVERY:
                return False
            self._written = 0
            return True

    def _prune(self) -> None:
        """Delete the copies that were used longest ago, down to less than is allowed."""
        found: list[tuple[float, int, Path]] = []
        for path in self._folder.glob("*/*/*"):
            try:
                stat = path.stat()
            except OSError:  # another process was faster
                continue
            found.append((stat.st_atime, stat.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._most * _PRUNE_TO:
                return
            path.unlink(missing_ok=True)
            total -= size


class S3Reader:
    """Reads a tenant's stored texts; picklable, and one a process, which keeps the latest texts.

    It travels with the bucket's keys: only to processes of our own.
    """

    def __init__(self, bucket: Bucket, folder: Path, most: int, tenant: str) -> None:  # noqa: PLR0917 as `reader_of` remembers it
        self._place = (bucket, folder, most, tenant)
        self._bucket = bucket
        self._tenant = tenant
        self._copies = Copies(folder, most)
        self._texts = Texts()

    def __reduce__(self) -> tuple[Callable[..., S3Reader], tuple[Bucket, Path, int, str]]:
        return reader_of, self._place

    def read(self, sha256: str) -> str:
        """See `TextReader`. Raises `StoreUnavailable` where the bucket cannot be reached."""
        text = self._texts.get(sha256)
        if text is not None:
            return text
        checked(sha256)
        body = self._copies.read(self._tenant, sha256)
        if body is None:
            stored = self._fetched(sha256)
            body = unpacked(stored, sha256)
            self._copies.keep(self._tenant, sha256, stored)
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise BlobMissing(f"the stored body {sha256} is not a text") from error
        self._texts.keep(sha256, text)
        return text

    def _fetched(self, name: str) -> bytes:
        store = _client(self._bucket)
        with translating(self._bucket, name):
            answer = store.get(self._bucket.key(self._tenant, name))
            check_size(answer.meta["size"], name)
            return bytes(answer.bytes())


def check_size(size: int, name: str) -> None:
    """Raise `BlobMissing` for an object that is larger than any body."""
    if size > LARGEST:
        raise BlobMissing(f"the stored body {name} is damaged: it has {size} bytes")


@lru_cache(maxsize=16)
def reader_of(bucket: Bucket, folder: Path, most: int, tenant: str) -> S3Reader:  # noqa: PLR0917 what an S3Reader is made of
    """Return this process's reader of a tenant's bodies, with the texts that it keeps."""
    return S3Reader(bucket, folder, most, tenant)


@lru_cache(maxsize=4)
def _client(bucket: Bucket) -> S3Store:
    """Return this process's client, with its connections."""
    return bucket.open()
