"""Pictures in documents: their pixels, and the size at which they are set."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_POINTS: Final = 0.75
"""Points of a pixel: 96 pixels to an inch, as screens have them."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG that we encoded: its bytes, its pixels, and what it shows in words."""

    data: bytes = field(repr=False)
    width: int
    height: int
    told: str

    def fitted(self, width: float, height: float) -> tuple[float, float]:
        """Return the size in points at which it fits into `width` and `height`, never enlarged."""
        scale = min(_POINTS, width / self.width, height / self.height)
        return self.width * scale, self.height * scale


def picture(data: bytes | None, told: str) -> Picture | None:
    """Return the picture of a PNG's bytes, `None` where they are none."""
    if data is None or not data.startswith(_SIGNATURE) or len(data) < 33 or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return Picture(data, width, height, told) if width and height else None
