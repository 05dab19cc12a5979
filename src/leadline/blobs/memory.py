"""`Blobs` in memory: for tests and for replay, and the readable specification of the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import IO

from leadline.blobs.streams import whole
from leadline.domain import sha256 as hash_of
from leadline.errors import BlobMissing


class MemoryBlobs:
    """Bodies in a dictionary a tenant; gone with the object."""

    def __init__(self) -> None:
        self._bodies: dict[str, dict[str, tuple[float, bytes]]] = {}

    async def put(self, tenant: str, data: bytes) -> str:
        """See `Blobs`."""
        name = hash_of(data)
        stored_at = time.time()  # noqa: TID251 plays the part of a file's time
        self._bodies.setdefault(tenant, {})[name] = (stored_at, data)
        return name

    async def put_file(self, tenant: str, file: IO[bytes]) -> str:
        """See `Blobs`; it is memory that holds it in the end."""
        return await self.put(tenant, await asyncio.to_thread(whole, file))

    async def get(self, tenant: str, sha256: str) -> bytes:
        """See `Blobs`."""
        try:
            return self._bodies[tenant][sha256][1]
        except KeyError as error:
            raise BlobMissing(f"the stored body {sha256} is gone") from error

    async def has(self, tenant: str, sha256: str) -> bool:
        """See `Blobs`."""
        return sha256 in self._bodies.get(tenant, {})

    async def sweep(self, tenant: str, keep: frozenset[str], *, older_than: float) -> int:
        """See `Blobs`."""
        bodies = self._bodies.get(tenant, {})
        old = [n for n, (at, _) in bodies.items() if n not in keep and at < older_than]
        return sum(len(bodies.pop(name)[1]) for name in old)

    async def names(self, tenant: str) -> AsyncIterator[Sequence[str]]:
        """See `Inventory`."""
        yield list(self._bodies.get(tenant, {}))

    def reader(self, tenant: str) -> MemoryReader:
        """See `Blobs`. A copy: bodies stored later are not in it."""
        return MemoryReader({n: data for n, (_, data) in self._bodies.get(tenant, {}).items()})


class MemoryReader:
    """Reads stored texts out of a dictionary; picklable with all of it."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        self._bodies = bodies

    def read(self, sha256: str) -> str:
        """See `TextReader`."""
        try:
            return self._bodies[sha256].decode()
        except (KeyError, UnicodeDecodeError) as error:
            raise BlobMissing(f"no stored text {sha256}") from error
