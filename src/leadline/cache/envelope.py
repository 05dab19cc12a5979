"""An entry as bytes: a fixed head, the etag, the body; never anything that runs when it is read."""

from __future__ import annotations

import struct
from typing import Final

import zstandard

from leadline.cache.types import Entry

COMPRESS_ABOVE: Final = 1_024
MOST_BYTES: Final = 64 << 20
"""A body that claims to be larger than this unpacked is refused."""

_MAGIC: Final = b"LC\x01"
_HEAD: Final = struct.Struct("<3sB4dH")
_COMPRESSED: Final = 1
_NEGATIVE: Final = 2
_LEVEL: Final = 1


def pack(entry: Entry) -> bytes:
    """Return the bytes of an entry; a body above 1 KiB is compressed where that makes it smaller."""
    body, flags = entry.body, _NEGATIVE if entry.negative else 0
    if len(body) > COMPRESS_ABOVE:
        packed = zstandard.ZstdCompressor(level=_LEVEL).compress(body)
        if len(packed) < len(body):
            body, flags = packed, flags | _COMPRESSED
    etag = entry.etag.encode("utf-8", "replace")[:0xFFFF]
    head = _HEAD.pack(_MAGIC, flags, entry.stored_at, entry.soft, entry.revalidate, entry.hard, len(etag))
    return b"".join((head, etag, body))


class Unpacker:
    """Reads entries; it keeps its decompressor, whose making costs more than its work. For one thread."""

    def __init__(self) -> None:
        self._decompressor = zstandard.ZstdDecompressor()

    def __call__(self, data: bytes) -> Entry | None:
        """Return the entry, or `None` for bytes of another version, damaged or too large."""
        if len(data) < _HEAD.size:
            return None
        magic, flags, stored_at, soft, revalidate, hard, length = _HEAD.unpack_from(data)
        if magic != _MAGIC:
            return None
        begin = _HEAD.size + length
        body = data[begin:]
        if flags & _COMPRESSED:
            try:
                if zstandard.frame_content_size(body) > MOST_BYTES:
                    return None
                body = self._decompressor.decompress(body, max_output_size=MOST_BYTES)
            except zstandard.ZstdError:
                return None
        etag = data[_HEAD.size : begin].decode("utf-8", "replace") if length else ""
        return Entry(body, stored_at, soft, revalidate, hard, bool(flags & _NEGATIVE), etag)
