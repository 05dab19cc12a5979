"""The parts' log files: bounded, and their last lines.

A part writes to its file itself, so that it goes on where the supervisor was killed. A file that
has grown is copied and emptied in place: what is written between the two is lost, a line or two.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LARGEST: Final = 16 << 20
"""Bytes above which a log is turned over."""

KEPT: Final = 4
"""Older logs that are kept."""

_BLOCK: Final = 1 << 16


def opened(path: Path) -> int:
    """Return a descriptor that appends to a log which only its owner may read."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def turn_over(path: Path, *, largest: int = LARGEST, kept: int = KEPT) -> bool:
    """Put a log that has grown beside itself as `.1`, older ones behind it, and return whether it was."""
    if not path.exists() or path.stat().st_size <= largest:
        return False
    for number in range(kept, 1, -1):
        older = path.with_name(f"{path.name}.{number - 1}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number}"))
    shutil.copy2(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
    return True


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log, decoded as well as they can be."""
    if count < 1 or not path.exists():
        return []
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        tail = b""
        while end > 0 and tail.count(b"\n") <= count:
            step = min(_BLOCK, end)
            end -= step
            file.seek(end)
            tail = file.read(step) + tail
    return tail.decode("utf-8", errors="replace").removesuffix("\n").split("\n")[-count:] if tail else []


class Followed:
    """Reads what is appended to a log, from where it ended, or from its beginning after it was emptied."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = path.stat().st_size if path.exists() else 0
        self._rest = b""

    def new_lines(self) -> Iterator[str]:
        """Yield the whole lines since the last look."""
        size = self._path.stat().st_size if self._path.exists() else 0
        if size < self._at:
            self._at = 0
        if size == self._at:
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = self._rest + file.read()
            self._at = file.tell()
        *lines, self._rest = data.split(b"\n")
        yield from (line.decode("utf-8", errors="replace") for line in lines)
