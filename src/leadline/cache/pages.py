"""Pages of the web that are kept as they were read, by canonical address, and asked whether they changed.

What is chosen from a page for a goal is not kept here: it is made anew from the page, within
milliseconds. What a model makes of a page belongs to `Category.PASSAGES`.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from leadline import codec
from leadline.cache.keys import Key, key
from leadline.cache.tiered import TieredCache
from leadline.cache.types import Cached, Category, Entry, Loaded, Told
from leadline.domain import Fetched, Source
from leadline.errors import FetchTimeout, NotFound
from leadline.ports import PageRead, Pages

VERSION: Final = 1
"""Raised when the form of a kept page changes."""

MOST_BYTES: Final = 16 << 20
"""A page that is larger, text and bytes together, is not kept."""

_HEAD: Final = struct.Struct("<4I")
_MOST_TOLD: Final = 200


class CachedPages:
    """`Reader` over a reader of pages, through the cache.

    `policy` is all that decides what is read and how: whose pages are allowed, which headers are
    sent, by which extractor. `canonical` returns what all addresses of one page share. `owner`
    names the tenant for whose pages others may not be served, `None` for a public page. `told`
    hears where each page came from. `before` is for warming, see `TieredCache.through`.
    """

    def __init__(
        self,
        pages: Pages,
        cache: TieredCache,
        *,
        policy: str,
        canonical: Callable[[str], str],
        owner: Callable[[str], str | None],
        told: Told | None = None,
        before: float = 0.0,
    ) -> None:
        self._pages = pages
        self._cache = cache
        self._policy = policy
        self._canonical = canonical
        self._owner = owner
        self._told = told
        self._before = before

    def reads(self, uri: str) -> bool:
        """See `ports.Reader`."""
        return self._pages.reads(uri)

    def key(self, uri: str) -> Key:
        """Return what the page at `uri` is kept under."""
        request = {"uri": self._canonical(uri), "policy": self._policy, "version": VERSION}
        return key(Category.PAGE, request, tenant=self._owner(uri))

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        """See `ports.Reader`. A page that does not exist is remembered for a moment, a failure never."""
        asked = self.key(uri)
        owned = self._owner(uri) is not None

        async def load() -> Loaded:
            return await self._loaded(uri, deadline=deadline, owned=owned)

        async def renew(older: Entry) -> Loaded:
            return await self._loaded(uri, deadline=deadline, owned=owned, older=older)

        try:
            async with asyncio.timeout(deadline):
                cached = await self._cache.through(asked, load, renew=renew, label=uri, before=self._before)
        except TimeoutError as error:
            raise FetchTimeout(f"{uri[:_MOST_TOLD]} took longer than {deadline:.3g} s") from error
        return self._read(uri, cached)

    def _read(self, uri: str, cached: Cached) -> Fetched:
        if self._told is not None:
            self._told(Category.PAGE, cached)
        if cached.negative:
            raise NotFound(cached.body.decode("utf-8", "replace"))
        return _asked_for(unpack(cached.body), uri)

    async def _loaded(self, uri: str, *, deadline: float, owned: bool, older: Entry | None = None) -> Loaded:
        mark = older.etag if older is not None and not older.negative else ""
        try:
            read = await self._pages.page(uri, deadline=deadline, mark=mark)
        except NotFound as error:
            return Loaded(str(error).encode("utf-8", "replace"), negative=True)
        if read is None:
            return Loaded(older.body if older is not None else b"", etag=mark)
        return _kept(read, owned=owned)


def pack(fetched: Fetched) -> bytes:
    """Return a page as bytes."""
    source, links = codec.encode(fetched.source), codec.encode(list(fetched.links))
    text = fetched.text.encode("utf-8", "surrogatepass")
    has_raw = fetched.raw is not None
    head = _HEAD.pack(len(source), len(links), len(text), has_raw)
    return b"".join((head, source, links, text, fetched.raw or b""))


def unpack(body: bytes) -> Fetched:
    """Return the page that `pack` was given."""
    *lengths, has_raw = _HEAD.unpack_from(body)
    parts = []
    begin = _HEAD.size
    for length in lengths:
        parts.append(body[begin : begin + length])
        begin += length
    source, links, text = parts
    return Fetched(
        source=codec.decode(Source, source),
        text=text.decode("utf-8", "surrogatepass"),
        raw=body[begin:] if has_raw else None,
        links=tuple(codec.decode(list[str], links)),
    )


def _kept(read: PageRead, *, owned: bool) -> Loaded:
    """Return a page on its way into the cache, or past it where it is too large or nobody else's business."""
    small = len(read.fetched.text) + len(read.fetched.raw or b"") <= MOST_BYTES
    return Loaded(pack(read.fetched), etag=read.mark, keep=small and (read.shared or owned))


def _asked_for(fetched: Fetched, uri: str) -> Fetched:
    """Return the page as the answer to `uri`, which may be another spelling of the address that was read."""
    source = fetched.source
    if source.uri == uri:
        return fetched
    final = source.final_uri or source.uri
    return replace(fetched, source=replace(source, uri=uri, final_uri=None if final == uri else final))
