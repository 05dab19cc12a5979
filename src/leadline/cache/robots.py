"""robots.txt files, kept for all processes that read a host's pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from leadline.cache.keys import key
from leadline.cache.tiered import TieredCache
from leadline.cache.types import Category, Loaded, Told
from leadline.errors import NotFound

VERSION: Final = 1
"""Raised when what is kept of a file changes."""


class CachedRobots:
    """`fetch.robots.Kept` over the cache: the files by their origin, which are public.

    A host without one is kept as one whose file says nothing: RFC 9309 section 2.3.1.3 allows the
    same to both. Where a file cannot be had any more the last one holds for up to a day (section 2.4).
    """

    def __init__(self, cache: TieredCache, *, told: Told | None = None) -> None:
        self._cache = cache
        self._told = told

    async def through(self, origin: str, load: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return the file of `https://host` and the like. Raises what `load` raises, but `NotFound`."""

        async def loaded() -> Loaded:
            try:
                return Loaded(await load())
            except NotFound:
                return Loaded(b"")

        asked = key(Category.OTHER, {"what": "robots.txt", "origin": origin, "version": VERSION}, tenant=None)
        cached = await self._cache.through(asked, loaded, label=f"{origin}/robots.txt")
        if self._told is not None:
            self._told(Category.OTHER, cached)
        return cached.body
