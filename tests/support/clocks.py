"""Clocks of model clients in tests."""

from __future__ import annotations

from typing import Final

from leadline.model.attempt import Clocks

PATIENT: Final = Clocks(connect=50.0, first_token=50.0, gap=50.0, total=50.0)
"""For servers that answer: a machine that stops for seconds makes none of them late."""

QUICK: Final = Clocks(connect=5.0, first_token=1.2, gap=1.2, total=20.0)
"""Where a server hangs for good: as long as a busy machine needs for one that is well, and no longer."""
