"""Images encoded anew: the same pixels, nothing else."""

from __future__ import annotations

import struct
import zlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.sandbox.png import MOST_SIDE, SIGNATURE, NotPng, encoded_anew


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int = 2,
    height: int = 2,
    *,
    color: int = 2,
    depth: int = 8,
    raw: bytes | None = None,
    extra: bytes = b"",
    interlace: int = 0,
) -> bytes:
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    line = 1 + (width * channels * depth + 7) // 8
    raw = bytes(line * height) if raw is None else raw
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    return SIGNATURE + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def pixels(data: bytes) -> bytes:
    at, packed = 8, b""
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += 12 + length
    return zlib.decompress(packed)


@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from([(0, 1), (0, 8), (0, 16), (2, 8), (2, 16), (4, 8), (6, 8), (6, 16)]),
    st.randoms(use_true_random=False),
)
def test_pixels_stay(width: int, height: int, kind: tuple[int, int], random: Random) -> None:
    color, depth = kind
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[color]
    line = (width * channels * depth + 7) // 8
    raw = b"".join(bytes([random.randrange(5)]) + random.randbytes(line) for _ in range(height))
    again = encoded_anew(png(width, height, color=color, depth=depth, raw=raw))
    assert pixels(again) == raw
    assert encoded_anew(again) == again


def test_palette_and_transparency_stay_and_all_else_goes() -> None:
    kept = chunk(b"PLTE", bytes(12)) + chunk(b"tRNS", b"\x80")
    extra = chunk(b"tEXt", b"Comment\0secret") + chunk(b"iCCP", b"secret") + kept + chunk(b"eXIf", b"secret")
    again = encoded_anew(png(color=3, extra=extra) + b"secret")
    assert b"secret" not in again
    assert kept in again


def test_bytes_behind_the_compressed_pixels_go() -> None:
    data = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    data += chunk(b"IDAT", zlib.compress(b"\0\0") + b"secret") + chunk(b"IEND", b"")
    assert b"secret" not in encoded_anew(data)


def test_an_interlaced_image_is_measured_by_its_passes() -> None:
    # 5 x 5 pixels of one byte: passes of 1x1, 1x1, 2x1, 1x2 (two lines of one), 3x1, 2x3, 5x2.
    sizes = [(1, 1), (1, 1), (1, 2), (2, 1), (1, 3), (3, 2), (2, 5)]
    raw = b"".join((b"\0" + bytes(columns)) * rows for rows, columns in sizes)
    assert pixels(encoded_anew(png(5, 5, color=0, raw=raw, interlace=1))) == raw


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        SIGNATURE,
        png()[:-8],
        png()[:40],
        png()[:-1] + b"x",
        png().replace(b"IHDR", b"IHDX"),
        png(raw=b"\0"),
        png(raw=bytes(1 << 20)),
        png(raw=b"\x05" + bytes(13)),
        png(0, 2),
        png(MOST_SIDE + 1, 1),
        png(8000, 8000, raw=b""),
        png(color=3),
        png(color=2, depth=1),
        SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)) + chunk(b"IEND", b""),
    ],
)
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(NotPng):
        encoded_anew(data)


@given(st.binary(max_size=200))
def test_rubbish_is_refused_and_nothing_else(tail: bytes) -> None:
    with pytest.raises(NotPng):
        encoded_anew(SIGNATURE + tail)


def test_a_bomb_costs_no_memory() -> None:
    bomb = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    bomb += chunk(b"IDAT", zlib.compress(bytes(1 << 26))) + chunk(b"IEND", b"")
    with pytest.raises(NotPng, match="length"):
        encoded_anew(bomb)
