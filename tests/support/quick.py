"""Time that a test may demand: what a busy machine kept from it does not count."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PRESSURE = tuple(Path("/proc/pressure", name) for name in ("cpu", "io"))


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail where the block takes longer than `seconds` of a machine on which nothing waits for a processor or a disk.

    The kernel counts for how long something waited (pressure stall information, "some") and for how long
    another guest had the processor (steal): that is taken off, so a check is sharp on a quiet machine and no
    lottery on a busy one. Work that keeps all processors busy itself is taken off as well: for that, see `shared`.
    """
    began, before = time.monotonic(), waited()
    yield
    took, kept = time.monotonic() - began, waited() - before
    assert took - kept < seconds, f"took {took:.2f} s, {kept:.2f} s of it on a machine that was busy"


def waited() -> float:
    """Return the seconds since the start for which something on this machine had to wait."""
    return _processors()[7] + sum(_stalled(path) for path in PRESSURE if path.exists())


@dataclass
class Share:
    """What of a machine a block had: `took` seconds, of which `fair` are those that it would have had all of it.

    `offered` are the seconds of processors that this process and its children used or left idle. What they use
    themselves is theirs: no work of their own, however wild, excuses them. What other programs and other guests
    of the hardware used was kept from them.
    """

    took: float = 0.0
    offered: float = 0.0
    fair: float = 0.0


@contextmanager
def shared() -> Iterator[Share]:
    """Measure what the block has of the machine, as the kernel tells it; the share is known when it is over."""
    found = Share()
    began, before, idle, own = time.monotonic(), sum(_processors()), _idle(), _own()
    try:
        yield found
    finally:
        found.took = time.monotonic() - began
        whole = sum(_processors()) - before
        found.offered = min(whole, _idle() - idle + _own() - own)
        found.fair = found.took * found.offered / whole if whole > 0 else found.took


def _processors() -> list[float]:
    """Return the seconds since the start of user, nice, system, idle, iowait, irq, softirq and steal (proc(5))."""
    with Path("/proc/stat").open(encoding="ascii") as stat:
        return [int(word) / os.sysconf("SC_CLK_TCK") for word in stat.readline().split()[1:9]]


def _idle() -> float:
    return sum(_processors()[3:5])


def _own() -> float:
    """Return the seconds of processors of this process and all below it, those that have ended among them."""
    me, total = psutil.Process(), 0.0
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.Error):
            spent = process.cpu_times()
            total += spent.user + spent.system + spent.children_user + spent.children_system
    return total


def _stalled(path: Path) -> float:
    some = path.read_text(encoding="ascii").splitlines()[0]
    return int(some.rpartition("total=")[2]) / 1e6
