"""Vectors as they are kept and compared: one byte a number, by brute force.

A vector is normalised and quantised to 8 bits with a scale of its own, a quarter of its size at a
loss of about 0.001 in a cosine. Comparing a question with all of them is exact and needs no
structure to be built: 20,000 of 768 numbers take a few milliseconds on one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_SCALE: Final = np.dtype("<f4")
# Rows widened to floats at a time: what fits a core's cache.
_ROWS: Final = 512
# A cosine below which nothing is near, whatever the model.
_LEAST: Final = 0.05
# What quantising may take from equal cosines.
_SLACK: Final = 1e-3


class Neighbour(NamedTuple):
    """A row of a matrix and its cosine with the question, larger is nearer."""

    row: int
    cosine: float


def packed_size(dimensions: int) -> int:
    """Return the bytes of a packed vector."""
    return _SCALE.itemsize + dimensions


def pack_vectors(vectors: Sequence[Sequence[float]]) -> list[bytes]:
    """Return vectors of one length, normalised, each as its scale and its numbers in 8 bits."""
    rows = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units = rows / np.where(lengths > 0, lengths, 1.0)
    scales = np.abs(units).max(axis=1, keepdims=True) / 127
    numbers = np.rint(units / np.where(scales > 0, scales, 1.0)).astype(np.int8)
    return [scale.tobytes() + row.tobytes() for scale, row in zip(scales[:, 0].astype(_SCALE), numbers, strict=True)]


class Matrix:
    """Packed vectors of one length, to be compared with a question."""

    def __init__(self, packed: Sequence[bytes], dimensions: int) -> None:
        form = np.dtype([("scale", _SCALE), ("numbers", np.int8, (dimensions,))])
        table = np.frombuffer(b"".join(packed), dtype=form)
        self.dimensions = dimensions
        self._numbers: NDArray[np.int8] = np.ascontiguousarray(table["numbers"])
        self._scales: NDArray[np.float32] = table["scale"].astype(np.float32)

    def __len__(self) -> int:
        return len(self._scales)

    def nearest(self, question: Sequence[float], limit: int) -> list[Neighbour]:
        """Return up to `limit` rows, nearest first; ties in order of rows.

        Something is nearest to any question, be there an answer or not: rows no nearer than the
        mean of all, or nearly at a right angle to the question, are left out.
        """
        asked = np.asarray(question, dtype=np.float64)
        length = float(np.linalg.norm(asked))
        if not len(self) or not length:
            return []
        cosines = self._cosines((asked / length).astype(np.float32))
        floor = max(_LEAST, float(cosines.mean()) - _SLACK)
        (rows,) = np.nonzero(cosines >= floor)
        if len(rows) > limit:
            rows = rows[np.argpartition(-cosines[rows], limit)[:limit]]
        order = np.lexsort((rows, -cosines[rows]))
        return [Neighbour(int(row), float(cosines[row])) for row in rows[order]]

    def _cosines(self, question: NDArray[np.float32]) -> NDArray[np.float32]:
        found = np.empty(len(self), dtype=np.float32)
        wide = np.empty((min(_ROWS, len(self)), self.dimensions), dtype=np.float32)
        for first in range(0, len(self), _ROWS):
            block = self._numbers[first : first + _ROWS]
            rows = wide[: len(block)]
            rows[...] = block
            np.dot(rows, question, out=found[first : first + _ROWS])
        return found * self._scales
