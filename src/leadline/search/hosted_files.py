"""The folder of index files of hosted corpora: one a version, shared by all processes of a machine.

Who uses a file holds a lock on the file `.use` beside it; what nobody uses may be deleted by
anybody, the longest unused first, and is built anew when it is wanted again. Locks end with their
holders, however they die.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from leadline.search.corpus_schema import locked, translated

_NAME: Final = re.compile(r"(?P<corpus>[A-Za-z0-9_-]{1,80})@(?P<version>\d{1,18})\.db")
_USE: Final = ".use"
# The mark goes last: from then on another process may build here.
_BESIDE: Final = ("", ".new", ".new-wal", ".new-shm", ".new-journal", ".lock", _USE)


class IndexFile(NamedTuple):
    """An index that is there, or half of one that is built or was left by a process that died over it.

    `used` is when somebody opened it last, in Unix seconds; `size` counts what lies beside it as well.
    """

    path: Path
    corpus: str
    version: int
    size: int
    used: float


class IndexFiles:
    """Index files in a folder, of all of them at most `most_bytes` beside those in use."""

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def path(self, corpus: str, version: int) -> Path:
        """Return the place of an index."""
        return self._folder / f"{corpus}@{version}.db"

    @asynccontextmanager
    async def using(
        self, corpus: str, version: int, *, build: Callable[[Path, Path | None], Awaitable[None]]
    ) -> AsyncIterator[Path]:
        """Keep an index from being deleted while the context is open; where it is missing, `build` makes it.

        `build` is given the place and the newest index of another version, and runs in one process at
        a time. Raises `StoreError` and what it raises.
        """
        place = self.path(corpus, version)
        descriptor = await asyncio.to_thread(_share, place)
        try:
            if not await asyncio.to_thread(place.exists):
                await self._made(place, corpus, version, build=build)
            yield place
        finally:
            os.close(descriptor)

    async def _made(
        self, place: Path, corpus: str, version: int, *, build: Callable[[Path, Path | None], Awaitable[None]]
    ) -> None:
        async with locked(place):
            if not await asyncio.to_thread(place.exists):  # else another process was quicker
                await build(place, await asyncio.to_thread(self._nearest, corpus, version))
        await asyncio.to_thread(self.bound)

    def bound(self) -> int:
        """Delete what has been unused for longest until the rest is small enough; return the bytes freed."""
        there = sorted(self.there(), key=lambda one: one.used)
        excess = sum(one.size for one in there) - self._most_bytes
        freed = 0
        for one in there:
            if freed >= excess:
                break
            freed += _delete(one)
        return freed

    def forget(self, newest: Mapping[str, int], *, unused_since: float) -> int:
        """Delete indexes of corpora that are not in `newest`, and older versions that nobody opened since then.

        Return the bytes freed.
        """
        freed = 0
        for one in self.there():
            current = newest.get(one.corpus)
            if current is None or (one.version < current and one.used < unused_since):
                freed += _delete(one)
        return freed

    def there(self) -> list[IndexFile]:
        """Return the indexes that are there, whole or not."""
        found = []
        for use in self._entries():
            path = use.with_name(use.name.removesuffix(_USE))
            named = _NAME.fullmatch(path.name)
            if named is None or path == use:
                continue
            with suppress(FileNotFoundError):
                used = use.stat().st_mtime
                found.append(IndexFile(path, named["corpus"], int(named["version"]), _size(path), used))
        return found

    def _entries(self) -> Iterator[Path]:
        with suppress(FileNotFoundError):
            yield from self._folder.iterdir()

    def _nearest(self, corpus: str, version: int) -> Path | None:
        others = [one for one in self.there() if one.corpus == corpus and one.version != version]
        others = [one for one in others if one.path.exists()]
        return min(others, key=lambda one: abs(one.version - version)).path if others else None


def _size(place: Path) -> int:
    size = 0
    for suffix in _BESIDE:
        with suppress(FileNotFoundError):
            size += place.with_name(place.name + suffix).stat().st_size
    return size


def _share(place: Path) -> int:
    """Return the descriptor of a lock that others share, and note that it is used now."""
    use = place.with_name(place.name + _USE)
    with translated(place):
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            descriptor = os.open(use, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_SH)  # held exclusively only while files are unlinked
            if os.fstat(descriptor).st_nlink:
                os.utime(descriptor)
                return descriptor
            os.close(descriptor)  # it was deleted between the two


def _delete(one: IndexFile) -> int:
    """Delete an index with what lies beside it, unless it is in use; return the bytes freed."""
    use = one.path.with_name(one.path.name + _USE)
    try:
        descriptor = os.open(use, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for suffix in _BESIDE:
            one.path.with_name(one.path.name + suffix).unlink(missing_ok=True)
    except BlockingIOError:
        return 0
    finally:
        os.close(descriptor)
    return one.size
