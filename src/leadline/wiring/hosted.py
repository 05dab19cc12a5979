"""Corpora that tenants keep at a service, opened at the version that a run names; read where nobody else does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from leadline.errors import SettingsError, UnknownObject
from leadline.extract import sniff
from leadline.extract.children import ExtractPool
from leadline.ports import Blobs, Clock
from leadline.ports.access import LOCAL
from leadline.ports.corpora import CorpusDocument, DocumentState
from leadline.search.hosted import AbsentCorpus, Hosted, HostedCorpus
from leadline.search.hosted_build import build
from leadline.search.hosted_files import IndexFiles
from leadline.search.hosted_reading import Reading
from leadline.settings import Settings
from leadline.wiring.accounts import FILE, Accounts, open_accounts
from leadline.wiring.owners import new_owner

SIGN: Final = "@"
"""What stands between a corpus's id and its version where a run names it; ids of local indexes have none."""

GONE: Final = "the corpus was deleted"
UNREAD: Final = "the run was stopped before all documents of the corpus were read"

_LOOK_SECONDS: Final = 0.5
_UNUSED_SECONDS: Final = 3_600.0
_PAGE: Final = 1_000
_UNREAD: Final = frozenset({DocumentState.QUEUED, DocumentState.READING})


def media_type(name: str, head: bytes) -> str:
    """Return what a document is by its first bytes, its name deciding where these leave a choice."""
    return sniff.media_type(name, head, None) or "application/octet-stream"


@dataclass(slots=True)
class _Open:
    corpus: HostedCorpus
    stack: AsyncExitStack
    users: int = 0


class HostedCorpora:
    """Corpora of tenants. What keeps them is opened when first needed, on `stack`."""

    def __init__(
        self,
        settings: Settings,
        *,
        folder: Path,
        blobs: Blobs,
        parser: ExtractPool,
        clock: Clock,
        stack: AsyncExitStack,
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._blobs = blobs
        self._parser = parser
        self._clock = clock
        self._stack = stack
        self._files = IndexFiles(folder / "hosted", most_bytes=settings.corpora.index_bytes)
        self._owner = new_owner()
        self._accounts: Accounts | None = None
        self._opening = asyncio.Lock()  # one opening of the accounts
        self._open: dict[str, _Open] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """Tell who reads in this process that there is a document."""
        self._bell.set()

    async def rung(self, seconds: float) -> None:
        """Return when there may be a document to read, or after so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            return
        self._bell.clear()

    async def accounts(self) -> Accounts:
        """Return what keeps the corpora. Raises `MissingExtra`, `StoreError`."""
        async with self._opening:
            if self._accounts is None:
                self._accounts = await self._stack.enter_async_context(open_accounts(self._settings))
            return self._accounts

    async def read_one(self) -> bool:
        """Read a document that waits for it; false where there is none. Raises `StoreError`."""
        return await (await self._reading()).one()

    async def blobs(self, tenant: str) -> frozenset[str]:
        """Return the hashes of all bodies that a tenant's corpora name; none where nobody ever kept any here."""
        return await (await self.accounts()).leftovers.blobs(tenant) if await self._kept() else frozenset()

    async def tenants(self) -> tuple[str, ...]:
        """Return whose runs may be here: who asks on this machine, and every tenant that the accounts know.

        Raises `StoreError`.
        """
        try:
            known = await (await self.accounts()).tenants.list() if await self._kept() else ()
        except SettingsError:  # a store of runs alone
            known = ()
        return tuple(dict.fromkeys((LOCAL, *(tenant.id for tenant in known))))

    async def _kept(self) -> bool:
        """Return whether anybody ever kept accounts here."""
        if self._settings.store.startswith("postgresql"):
            return True
        return await asyncio.to_thread((self._folder / FILE).exists)

    @asynccontextmanager
    async def using(self, tenant: str, name: str, *, stopped: Callable[[], Awaitable[bool]]) -> AsyncIterator[Hosted]:
        """Yield the version of a corpus that `name` (`id@version`) means, all its documents read.

        What is not read yet is read here, or waited for where others read it, unless `stopped` says
        that nobody wants it any more. A corpus that was deleted finds nothing and says so. Raises
        `StoreError`.
        """
        corpus, _, number = name.partition(SIGN)
        version = int(number)
        why = await self._why_not(tenant, corpus, version, stopped=stopped)
        if why is not None:
            yield AbsentCorpus(corpus, why)
            return
        held = await self._held(tenant, corpus, version)
        try:
            yield held.corpus
        finally:
            held.users -= 1
            if not held.users:
                del self._open[name]
                await held.stack.aclose()

    async def tidy(self, newest: Mapping[str, int]) -> int:
        """Delete indexes of this machine that nobody needs; `newest` has the version of every corpus there is.

        Return the bytes freed.
        """
        since = self._clock.now() - _UNUSED_SECONDS
        return await asyncio.to_thread(partial(self._files.forget, newest, unused_since=since))

    async def newest(self, tenant: str) -> dict[str, int]:
        """Return the version of each corpus of a tenant."""
        corpora = (await self.accounts()).corpora
        found: dict[str, int] = {}
        after = ""
        while page := await corpora.list(tenant, after=after, limit=_PAGE):
            found |= {corpus.id: corpus.version for corpus in page}
            after = page[-1].name
        return found

    async def _why_not(
        self, tenant: str, corpus: str, version: int, *, stopped: Callable[[], Awaitable[bool]]
    ) -> str | None:
        """Return `None` once all documents are read, else why they cannot be searched."""
        corpora = (await self.accounts()).corpora
        try:
            await corpora.get(tenant, corpus)
            if await asyncio.to_thread(self._files.path(corpus, version).exists):
                return None
            while any(one.state in _UNREAD for one in await self._documents(tenant, corpus, version)):
                if not await self._read(corpus, version, stopped=stopped):
                    return UNREAD
        except UnknownObject:
            return GONE
        return None

    async def _read(self, corpus: str, version: int, *, stopped: Callable[[], Awaitable[bool]]) -> bool:
        """Read what nobody reads yet, or wait a moment where there is nothing; false where it is not wanted any more.

        All of it, before anybody asks again what is left: each answer has as many rows as documents.
        """
        reading, count = await self._reading(), 0
        while not await stopped():
            if not await reading.one(version=(corpus, version)):
                if not count:
                    await self._clock.sleep(_LOOK_SECONDS)
                return True
            count += 1
        return False

    async def _held(self, tenant: str, corpus: str, version: int) -> _Open:
        """Return the open corpus, counted as used; of many that want it one opens it."""
        name = f"{corpus}{SIGN}{version}"
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            found = self._open.get(name)
            if found is None:
                found = await self._opened(tenant, corpus, version)
                self._open[name] = found
            found.users += 1
            return found

    async def _opened(self, tenant: str, corpus: str, version: int) -> _Open:
        async def made(place: Path, base: Path | None) -> None:
            documents = await self._documents(tenant, corpus, version)
            load = partial((await self._reading()).load, tenant)
            await build(place, corpus, documents, load=load, base=base)

        async with AsyncExitStack() as stack:
            index = await stack.enter_async_context(self._files.using(corpus, version, build=made))
            found = HostedCorpus(index, corpus=corpus, tenant=tenant, blobs=self._blobs)
            stack.push_async_callback(found.close)
            return _Open(found, stack.pop_all())

    async def _documents(self, tenant: str, corpus: str, version: int) -> Sequence[CorpusDocument]:
        corpora = (await self.accounts()).corpora
        found: list[CorpusDocument] = []
        after = ""
        while page := await corpora.documents(tenant, corpus, version=version, after=after, limit=_PAGE):
            found += page
            after = page[-1].name
        return found

    async def _reading(self) -> Reading:
        return Reading(
            (await self.accounts()).readings,
            blobs=self._blobs,
            parser=self._parser,
            owner=self._owner,
            lease=self._settings.tasks.lease_seconds,
        )
