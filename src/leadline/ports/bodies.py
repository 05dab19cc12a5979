"""Bodies by hash."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import IO, Protocol


class TextReader(Protocol):
    """Reads stored texts by hash; synchronous and picklable, for use inside `Cpu` work."""

    def read(self, sha256: str) -> str:
        """Return the text whose UTF-8 bytes have this hash. Raises `BlobMissing`."""
        ...


class Links(Protocol):
    """Files that anybody may fetch for a while; beside `Blobs` where the store itself answers HTTP."""

    async def link(self, tenant: str, file: IO[bytes], *, name: str, seconds: float) -> str:
        """Put a file there, and return an address where it is fetched as `name` for at most `seconds`.

        The address is a secret: whoever knows it may read. Raises `StoreFull`, `StoreUnavailable`.
        """
        ...


class Blobs(Protocol):
    """Bodies by the SHA-256 of their bytes, apart for each tenant, durable when `put` returns."""

    async def put(self, tenant: str, data: bytes) -> str:
        """Store `data` and return its hash; storing the same again costs a look. Raises `StoreFull`."""
        ...

    async def put_file(self, tenant: str, file: IO[bytes]) -> str:
        """Store all that `file` holds, as `put` does, without holding it in memory; nobody may change it meanwhile.

        The file stays open, at any place. Raises `StoreFull`.
        """
        ...

    async def get(self, tenant: str, sha256: str) -> bytes:
        """Return the bytes, checked against their hash. Raises `BlobMissing`."""
        ...

    async def has(self, tenant: str, sha256: str) -> bool:
        """Return whether the body is there."""
        ...

    async def sweep(self, tenant: str, keep: frozenset[str], *, older_than: float) -> int:
        """Delete bodies not in `keep` that were stored before `older_than` (Unix time); return the bytes freed."""
        ...

    def reader(self, tenant: str) -> TextReader:
        """Return a reader of stored texts for `Cpu` work."""
        ...


class Inventory(Protocol):
    """What lies in a store of bodies; every store of `Blobs` is one."""

    def names(self, tenant: str) -> AsyncIterator[Sequence[str]]:
        """Yield the hashes of a tenant's bodies, in pages and in no order; what comes meanwhile may be missing."""
        ...


class Bodies(Blobs, Inventory, Protocol):
    """A store of bodies that can be gone through: what a backup copies."""
