"""Folders of the host that a stranger works in: made, and removed whatever was done to them."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def make(user: int | None, *, below: Path | None = None) -> Path:
    """Return a fresh folder that only `user`, or we where it is `None`, may enter."""
    folder = Path(tempfile.mkdtemp(prefix="leadline-sandbox-", dir=below))
    if user is not None:
        os.chown(folder, user, user)
    return folder


def remove(folder: Path) -> None:
    """Remove it with all that is in it, however deep, whatever its modes; follows no link.

    Folders below are first moved up beside each other, so that no path grows long and no call
    nests. Nobody else may be at work in it.
    """
    top = os.open(folder, _OPEN)
    try:
        names = (f".{number}" for number in itertools.count() if not _exists(f".{number}", top))
        waiting = list(_emptied(top, top, names))
        while waiting:
            name = waiting.pop()
            handle = os.open(name, _OPEN, dir_fd=top)
            try:
                waiting += _emptied(handle, top, names)
            finally:
                os.close(handle)
            os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    folder.rmdir()


def _emptied(handle: int, top: int, names: Iterator[str]) -> Iterator[str]:
    """Delete the files of a folder and move its folders to the top; yield their new names."""
    with os.scandir(handle) as listing:
        entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in listing]
    for name, is_folder in entries:
        if not is_folder:
            os.unlink(name, dir_fd=handle)
            continue
        # A folder that one may not write cannot be moved: its way up would change.
        os.chmod(name, 0o700, dir_fd=handle)
        moved = next(names)
        os.rename(name, moved, src_dir_fd=handle, dst_dir_fd=top)
        yield moved


def _exists(name: str, top: int) -> bool:
    try:
        os.lstat(name, dir_fd=top)
    except FileNotFoundError:
        return False
    return True
