"""A store in memory: for tests and for who wants no file; the readable form of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from leadline.cache.patterns import fits, short
from leadline.cache.types import Entry, Heard, News, StoreUsage


class MemoryStore:
    """Entries of this process; several caches over one store stand for several processes."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        self._now = now
        self._entries: dict[str, tuple[Entry, str]] = {}
        self._versions: dict[str, int] = {}
        self._leases: dict[str, tuple[str, float]] = {}
        self._listeners: list[Heard] = []

    @property
    def recheck(self) -> float:
        """See `Versions.recheck`."""
        return 5.0

    async def get(self, key: str) -> Entry | None:
        """See `Entries.get`."""
        entry, _ = self._entries.get(key, (None, ""))
        if entry is not None and entry.hard <= self._now():
            del self._entries[key]
            return None
        return entry

    async def put(self, key: str, entry: Entry, *, label: str, tell: bool = False) -> None:
        """See `Entries.put`."""
        self._entries[key] = (entry, short(label))
        if tell:
            self._tell(News(keys=(key,)))

    async def drop(self, keys: Sequence[str]) -> int:
        """See `Entries.drop`."""
        known = [key for key in keys if self._entries.pop(key, None) is not None]
        self._tell(News(keys=tuple(keys)))
        return len(known)

    async def find(self, pattern: str) -> Sequence[str]:
        """See `Entries.find`."""
        fit = fits(pattern)
        return [key for key, (_, label) in self._entries.items() if fit(label)]

    async def usage(self) -> StoreUsage:
        """See `Entries.usage`."""
        bodies = [entry.body for entry, _ in self._entries.values()]
        return StoreUsage(entries=len(bodies), bytes=sum(map(len, bodies)))

    async def version(self, namespace: str) -> int:
        """See `Versions.version`."""
        return self._versions.get(namespace, 1)

    async def bump(self, namespace: str) -> int:
        """See `Versions.bump`."""
        version = self._versions[namespace] = self._versions.get(namespace, 1) + 1
        self._tell(News(namespace=namespace, version=version))
        return version

    async def look(self) -> None:
        """See `Versions.look`: news are told at once here."""

    def listen(self, heard: Heard) -> None:
        """See `Versions.listen`."""
        self._listeners.append(heard)

    async def lease(self, key: str, token: str, *, seconds: float) -> bool:
        """See `Leases.lease`."""
        now = self._now()
        holder, until = self._leases.get(key, ("", 0.0))
        if until > now and holder != token:
            return False
        self._leases[key] = (token, now + seconds)
        return True

    async def release(self, key: str, token: str) -> None:
        """See `Leases.release`."""
        if self._leases.get(key, ("", 0.0))[0] == token:
            del self._leases[key]

    def _tell(self, news: News) -> None:
        for heard in self._listeners:
            heard(news)
