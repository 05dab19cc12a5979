"""Money is counted in whole millionths of a US dollar: sums are exact, and never less than was spent."""

from __future__ import annotations

import math
from typing import Final

_MICROS: Final = 1_000_000


def micros(usd: float) -> int:
    """Return millionths, rounded up but for what is only the inexactness of a float."""
    return math.ceil(round(usd * _MICROS, 3))


def usd(micros: int) -> float:
    """Return US dollars."""
    return micros / _MICROS
