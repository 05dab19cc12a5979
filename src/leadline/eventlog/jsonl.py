"""`EventSink` as a file of JSON lines, rotated by size; for all processes of one machine."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, Self

from leadline.errors import StoreError, StoreFull, StoreUnavailable
from leadline.ports import Message

ROTATE_BYTES: Final = 128 * 1024 * 1024
KEEP: Final = 16
SECONDS: Final = 10.0

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_BLOCK: Final = 65_536
_TRY_SECONDS: Final = 0.02


class JsonLines:
    """Appends lines to `path`; made by `open`. Lines are on the disk when `deliver` returns.

    Above `rotate_bytes` the file becomes `name-000001.jsonl`, the next `name-000002.jsonl`; of
    these the newest `keep` stay. A line that a crash or a full disk cut off is taken back.
    """

    def __init__(self, path: Path, *, rotate_bytes: int, keep: int, seconds: float) -> None:
        """Take the file's path; see `open`."""
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._keep = keep
        self._seconds = seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="leadline-jsonl")

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, *, rotate_bytes: int = ROTATE_BYTES, keep: int = KEEP, seconds: float = SECONDS
    ) -> AsyncIterator[Self]:
        """Open the log for the length of the context; file and folder are made at the first delivery.

        `seconds` is how long another process's delivery is waited for.
        """
        sink = cls(path, rotate_bytes=rotate_bytes, keep=keep, seconds=seconds)
        try:
            yield sink
        finally:
            await asyncio.get_running_loop().run_in_executor(None, sink._thread.shutdown)

    async def deliver(self, messages: Sequence[Message]) -> None:
        """See `EventSink`. Raises `StoreFull`, `StoreUnavailable`; then nothing of `messages` is in the file."""
        block = b"".join(message.value + b"\n" for message in messages)
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._append, block)
        except OSError as error:
            raise _translated(error, self._path) from error

    def _append(self, block: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked() as handle:
            size = _whole(handle)
            if not size or size + len(block) <= self._rotate_bytes:
                _write(handle, block, size)
                return
            self._rotate()
        self._append(block)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Yield the file that `path` names, open and for this process alone."""
        end = time.monotonic() + self._seconds
        while True:
            handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if _lock(handle) and _is_at(handle, self._path):
                    yield handle
                    return
            finally:
                os.close(handle)
            if time.monotonic() > end:
                raise StoreUnavailable(f"another process holds `{self._path}`")
            time.sleep(_TRY_SECONDS)

    def _rotate(self) -> None:
        """Give the full file its number and delete the oldest."""
        numbered = self._numbered()
        number = max(numbered, default=0) + 1
        self._path.rename(self._path.with_name(f"{self._path.stem}-{number:06}{self._path.suffix}"))
        for old in sorted(numbered)[: max(0, len(numbered) + 1 - self._keep)]:
            numbered[old].unlink(missing_ok=True)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _numbered(self) -> dict[int, Path]:
        pattern = re.compile(re.escape(self._path.stem) + r"-([0-9]{6,})" + re.escape(self._path.suffix))
        found = ((pattern.fullmatch(path.name), path) for path in self._path.parent.iterdir())
        return {int(match[1]): path for match, path in found if match}


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(handle: int, path: Path) -> bool:
    """Tell whether the file was not renamed before it was locked."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _whole(handle: int) -> int:
    """Cut off an unfinished last line; return the file's size."""
    size = end = os.fstat(handle).st_size
    while end:
        start = max(0, end - _BLOCK)
        found = os.pread(handle, end - start, start).rfind(b"\n")
        end = start + found + 1 if found >= 0 else start
        if found >= 0:
            break
    if end != size:
        os.ftruncate(handle, end)
    return end


def _write(handle: int, block: bytes, size: int) -> None:
    """Write all of the block at the file's end and wait for the disk, or leave the file as it was."""
    try:
        view = memoryview(block)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, size)
        raise


def _translated(error: OSError, path: Path) -> StoreError:
    if error.errno in _NO_SPACE:
        return StoreFull(f"no space is left for the event log `{path}`; free some")
    return StoreUnavailable(f"the event log `{path}` cannot be written: {error.strerror or error}")
