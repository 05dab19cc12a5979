"""Time that a test may demand: what a busy machine kept from everybody does not count."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRESSURE = tuple(Path("/proc/pressure", name) for name in ("cpu", "io"))


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail where the block takes longer than `seconds` of a machine on which nothing waits for a processor or a disk.

    The kernel counts for how long something waited (pressure stall information, "some") and for how long
    another guest had the processor (steal): that is taken off, so a check is sharp on a quiet machine and no
    lottery on a busy one.
    """
    began, before = time.monotonic(), waited()
    yield
    took, kept = time.monotonic() - began, waited() - before
    assert took - kept < seconds, f"took {took:.2f} s, {kept:.2f} s of it on a machine that was busy"


def waited() -> float:
    """Return the seconds since the start for which something on this machine had to wait."""
    with Path("/proc/stat").open(encoding="ascii") as stat:
        stolen = int(stat.readline().split()[8]) / os.sysconf("SC_CLK_TCK")
    return stolen + sum(_stalled(path) for path in PRESSURE if path.exists())


def _stalled(path: Path) -> float:
    some = path.read_text(encoding="ascii").splitlines()[0]
    return int(some.rpartition("total=")[2]) / 1e6
