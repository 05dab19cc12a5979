"""Makes a PNG of our own out of a stranger's: pixels in, pixels out, nothing else.

The image data is decompressed in full under a bound that the header fixes, checked line by line,
and compressed anew; the palette and its transparency are kept by their checked length. Text,
profiles, times, animation, bytes after the end and bytes hidden in the compressed stream are gone.
(ISO/IEC 15948:2004.)
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
MOST_SIDE: Final = 8_192
MOST_PIXELS: Final = 1 << 25
_MOST_RAW: Final = 1 << 27
_CHANNELS: Final = ((0, 1), (2, 3), (3, 1), (4, 2), (6, 4))
_DEPTHS: Final = ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16)))
# The passes of an interlaced image: first column and row, steps between columns and rows (clause 8.2).
_PASSES: Final = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_MOST_FILTER: Final = 4
_LEVEL: Final = 6


class NotPng(ValueError):
    """The bytes are no PNG that could be encoded anew."""


class _Head(NamedTuple):
    width: int
    height: int
    depth: int
    color: int
    interlaced: bool


def encoded_anew(data: bytes) -> bytes:
    """Return an own encoding of the image. Raises `NotPng`. CPU work: about 50 ms a megapixel."""
    head: _Head | None = None
    palette = transparency = b""
    packed: list[bytes] = []
    for kind, body in _chunks(data):
        if head is None:
            if kind != b"IHDR":
                raise NotPng("it does not begin with a header")
            head = _read_head(body)
        elif kind == b"PLTE" and not packed:
            palette = body
        elif kind == b"tRNS" and not packed:
            transparency = body
        elif kind == b"IDAT":
            packed.append(body)
        elif kind == b"IEND":
            break
    if head is None or not packed:
        raise NotPng("it holds no image")
    raw = _unpack(b"".join(packed), _raw_size(head))
    _check_lines(raw, head)
    return _assemble(head, _checked_palette(head, palette, transparency), raw)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not data.startswith(SIGNATURE):
        raise NotPng("it has no signature")
    at = len(SIGNATURE)
    while at < len(data):
        if at + 12 > len(data):
            raise NotPng("it ends within a chunk")
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 12 + length
        if end > len(data):
            raise NotPng("it ends within a chunk")
        body = data[at + 4 : end - 4]
        if zlib.crc32(body) != struct.unpack_from(">I", data, end - 4)[0]:
            raise NotPng("a checksum is wrong")
        yield body[:4], body[4:]
        at = end


def _read_head(body: bytes) -> _Head:
    if len(body) != 13:
        raise NotPng("its header has a wrong length")
    width, height, depth, color, compression, filtering, interlace = struct.unpack(">IIBBBBB", body)
    if not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE and width * height <= MOST_PIXELS):
        raise NotPng(f"{width} x {height} pixels are too many or none")
    if depth not in dict(_DEPTHS).get(color, ()) or compression or filtering or interlace > 1:
        raise NotPng("its header is not of the standard")
    return _Head(width, height, depth, color, bool(interlace))


def _lines(head: _Head) -> Iterator[tuple[int, int]]:
    """Yield for each pass the number of lines and the bytes of one, its filter's byte included."""
    bits = head.depth * dict(_CHANNELS)[head.color]
    if not head.interlaced:
        yield head.height, 1 + (head.width * bits + 7) // 8
        return
    for left, top, across, down in _PASSES:
        columns = (head.width - left + across - 1) // across
        rows = (head.height - top + down - 1) // down
        if columns > 0 and rows > 0:
            yield rows, 1 + (columns * bits + 7) // 8


def _raw_size(head: _Head) -> int:
    size = sum(rows * length for rows, length in _lines(head))
    if size > _MOST_RAW:
        raise NotPng("it unpacks to too many bytes")
    return size


def _unpack(packed: bytes, size: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(packed, size + 1)
    except zlib.error as error:
        raise NotPng("its image data is damaged") from error
    if len(raw) != size:
        raise NotPng("its image data has not the length that its header says")
    return raw


def _check_lines(raw: bytes, head: _Head) -> None:
    at = 0
    for rows, length in _lines(head):
        if max(raw[at : at + rows * length : length]) > _MOST_FILTER:
            raise NotPng("a line has an unknown filter")
        at += rows * length


def _checked_palette(head: _Head, palette: bytes, transparency: bytes) -> list[tuple[bytes, bytes]]:
    kept: list[tuple[bytes, bytes]] = []
    entries = len(palette) // 3
    if head.color == 3:
        if not palette or len(palette) % 3 or entries > 1 << head.depth:
            raise NotPng("its palette is missing or has a wrong length")
        kept.append((b"PLTE", palette))
    most = {0: 2, 2: 6, 3: entries}.get(head.color, 0)
    right = len(transparency) <= most if head.color == 3 else len(transparency) == most
    if transparency and right:
        kept.append((b"tRNS", transparency))
    return kept


def _assemble(head: _Head, palette: list[tuple[bytes, bytes]], raw: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", head.width, head.height, head.depth, head.color, 0, 0, int(head.interlaced))
    chunks = [(b"IHDR", header), *palette, (b"IDAT", zlib.compress(raw, _LEVEL)), (b"IEND", b"")]
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
