"""Bodies that come as files: hashed and compressed a piece at a time."""

from __future__ import annotations

import hashlib
from typing import IO, Final, NamedTuple

import zstandard

_PIECE: Final = 1 << 20


class Measured(NamedTuple):
    """What a file holds: the SHA-256 of its bytes in hex, and how many they are."""

    sha256: str
    size: int


def measured(file: IO[bytes]) -> Measured:
    """Read a file from its beginning. Raises `OSError`."""
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while piece := file.read(_PIECE):
        digest.update(piece)
        size += len(piece)
    return Measured(digest.hexdigest(), size)


def whole(file: IO[bytes]) -> bytes:
    """Return all that a file holds. Raises `OSError`."""
    file.seek(0)
    return file.read()


def compress(file: IO[bytes], into: IO[bytes], *, size: int, by: zstandard.ZstdCompressor) -> int:
    """Write a file of `size` bytes compressed, and return how many bytes that took. Raises `OSError`."""
    file.seek(0)
    return by.copy_stream(file, into, size=size)[1]
