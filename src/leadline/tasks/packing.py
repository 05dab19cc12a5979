"""Events to stored bytes and back: JSON, compressed where that saves space."""

from __future__ import annotations

import orjson
import zstandard

from leadline.codec import encode
from leadline.events import Event, event_from

COMPRESS_ABOVE = 512
"""Bytes of JSON above which compressing pays."""

MAX_BODY = 64 * 1024 * 1024
"""Bytes of JSON above which an event is refused: large values belong into the blob store."""

_LEVEL = 1


class Packer:
    """Packs and unpacks event bodies; for one thread, since the compressor is not safe for more."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=False)
        self._decompressor = zstandard.ZstdDecompressor()

    def pack(self, event: Event) -> tuple[bool, bytes]:
        """Return whether the body is compressed, and the body.

        Raises `TypeError` for what JSON cannot hold, `ValueError` for more than `MAX_BODY`.
        """
        body = encode(event)
        if len(body) <= COMPRESS_ABOVE:
            return False, body
        if len(body) > MAX_BODY:
            raise ValueError(f"a {event.type} of {len(body)} bytes is too large for the journal")
        packed = self._compressor.compress(body)
        return (True, packed) if len(packed) < len(body) else (False, body)

    def unpack(self, type_name: str, body: bytes, *, compressed: bool) -> Event:
        """Return the event. Raises `ValueError` for a body that is damaged or of another shape."""
        if compressed:
            try:
                body = self._decompressor.decompress(body)
            except zstandard.ZstdError as error:
                raise ValueError(f"a stored {type_name} is damaged: {error}") from error
        return event_from(type_name, orjson.loads(body))

    def opened(self, body: bytes, *, compressed: bool) -> bytes | None:
        """Return a stored body as JSON that is not parsed, `None` for one that is damaged."""
        if not compressed:
            return body
        try:
            return self._decompressor.decompress(body)
        except zstandard.ZstdError:
            return None


def folded(text: str) -> str:
    """Return text as it is searched: without case, without what a database's text cannot hold."""
    return text.casefold().replace("\0", " ").encode("utf-8", "replace").decode()
