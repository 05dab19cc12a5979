"""Counts a run's memory and files where no control group does: the sum over all its processes.

The proportional set size shares pages fairly among processes; a process that hides it from us
(by `prctl`, as a plain user may) is counted by its resident size, which is more.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")
_PSS: Final = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_MOST_ENTRIES: Final = 20_000
_MOST_DEPTH: Final = 64
HUGE: Final = 1 << 62


class Use(NamedTuple):
    """Bytes in memory, and processes."""

    memory: int
    processes: int


def measure(pid: int) -> Use:
    """Return what `pid` and all below it use; blocks for some milliseconds."""
    pids = _family(pid)
    return Use(sum(map(_memory, pids)), len(pids))


def folder_size(folder: Path) -> int:
    """Return the bytes that a folder takes, `HUGE` where it cannot be told: too many entries, too deep, hidden."""
    total = entries = 0
    waiting = [(folder, 0)]
    while waiting:
        path, depth = waiting.pop()
        try:
            listing = list(os.scandir(path))
        except FileNotFoundError:
            continue
        except OSError:
            return HUGE
        entries += len(listing)
        if entries > _MOST_ENTRIES or depth > _MOST_DEPTH:
            return HUGE
        waiting += [(Path(entry.path), depth + 1) for entry in listing if entry.is_dir(follow_symlinks=False)]
        for entry in listing:
            with contextlib.suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


def _family(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for child, parent in _parents().items():
        children.setdefault(parent, []).append(child)
    found = [pid]
    for member in found:
        found.extend(children.get(member, ()))
    return found


def _parents() -> Mapping[int, int]:
    parents: dict[int, int] = {}
    for folder in _processes():
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The command stands in parentheses and may hold anything, also parentheses.
            fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            parents[int(folder.name)] = int(fields[1])
    return parents


def _processes() -> Iterator[Path]:
    return (folder for folder in _PROC.iterdir() if folder.name.isdigit())


def _memory(pid: int) -> int:
    with contextlib.suppress(OSError):
        match = _PSS.search((_PROC / str(pid) / "smaps_rollup").read_bytes())
        if match is not None:
            return int(match[1]) << 10
    return resident(pid)


def resident(pid: int) -> int:
    """Return what one process has in memory, pages shared with others included; 0 for none."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((_PROC / str(pid) / "statm").read_bytes().split()[1]) * _PAGE
    return 0


def tasks_of(user: int) -> int:
    """Return how many threads a user has: what `RLIMIT_NPROC` counts."""
    count = 0
    for folder in _processes():
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == user:
                count += len(list((folder / "task").iterdir()))
    return count
