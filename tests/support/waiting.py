"""Waiting for what another process does."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from typing import Final

SECONDS: Final = 60.0

PATIENT: Final = 20.0
"""Seconds for a client of a server that is up: none falls back because a crowded machine stops one of the two."""


def until(true: Callable[[], bool]) -> None:
    """Wait until it is so. What a server does not answer yet is not so."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            if true():
                return
        except (OSError, subprocess.CalledProcessError):
            pass
        time.sleep(0.05)
    raise AssertionError(f"it did not come about within {SECONDS:.0f} s (load {os.getloadavg()[0]:.1f})")
