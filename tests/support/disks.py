"""A small disk of a test's own, which it may fill; mounting one is root's alone."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_BLOCK = 4_096


class SmallDisk:
    """A file system in memory, of a size."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Take all the space that is left."""
        with self._filler.open("ab", buffering=0) as file, suppress_full():
            while True:
                file.write(b"\0" * _BLOCK)

    def free(self) -> None:
        """Give it back."""
        self._filler.unlink()


@contextmanager
def suppress_full() -> Iterator[None]:
    """Let "no space left" pass, and nothing else."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


@contextmanager
def small_disk(folder: Path, *, kilobytes: int) -> Iterator[SmallDisk]:
    """Yield a disk mounted on `folder`, which is made; skip the test where nothing may be mounted."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "leadline-test", str(folder)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs `mount` for a small disk that can be filled")
    if done.returncode:
        pytest.skip(f"needs the right to mount a small disk that can be filled: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        with suppress(FileNotFoundError):
            folder.joinpath("filler").unlink()
        subprocess.run(["umount", "-l", str(folder)], check=True)
