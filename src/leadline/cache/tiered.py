"""The one way to a cached answer: memory, store, a stale one while it is loaded anew, the load."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from leadline.cache.keys import Key, namespace
from leadline.cache.level1 import Held, Level1
from leadline.cache.lookup import Lookup
from leadline.cache.types import POLICIES, Cached, Category, Entry, Loaded, Origin, Policy, Stats, Store
from leadline.errors import Forbidden, LeadlineError, ToolStop
from leadline.resilience import Breaker, Owned, SingleFlight

Load = Callable[[], Coroutine[Any, Any, Loaded]]
Renew = Callable[[Entry], Coroutine[Any, Any, Loaded]]
"""Loads anew what was loaded before; it may find that nothing has changed and return the same body."""

MEMORY_BYTES: Final = 64 << 20
MEMORY_SECONDS: Final = 30.0
LEASE_SECONDS: Final = 4.0
"""Seconds after which others may load what a process that died was loading; one that lives renews its lease."""

_JITTER: Final = 0.1
# Of its time, that in which an answer is loaded anew for nobody: a second pass at once finds all it wants.
_YOUNG: Final = 0.1
# What could not be loaded anew is served from memory so long before the next try.
_AFTER_ERROR: Final = 5.0
_FIRST_LOOK: Final = 0.02
_LAST_LOOK: Final = 0.25


class _Work(NamedTuple):
    """How an answer is loaded, and what a person calls it."""

    load: Load
    renew: Renew | None
    label: str


class TieredCache:
    """Memory before a shared store, with one load of a key at a time over all processes.

    Use as an asynchronous context. An error of the store is never the caller's: it is a miss.
    An error of a load is never kept. A caller that is cancelled, the first one too, harms no other.
    `now` gives Unix seconds, which the processes of one store share.
    """

    def __init__(
        self,
        store: Store,
        *,
        random: Random,
        now: Callable[[], float],
        policies: Mapping[Category, Policy] = POLICIES,
        memory_bytes: int = MEMORY_BYTES,
        memory_seconds: float = MEMORY_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        breaker: Breaker | None = None,
    ) -> None:
        self._level1 = Level1(most_bytes=memory_bytes)
        self._lookup = Lookup(
            store,
            level1=self._level1,
            level1_seconds=memory_seconds,
            now=now,
            breaker=breaker or Breaker(threshold=3, cooldown=5.0),
        )
        self._store = store
        self._random = random
        self._policies = policies
        self._lease_seconds = lease_seconds
        self._now = now
        self._counts = self._lookup.counts
        self._hits = 0
        self._flights: SingleFlight[str, Cached] = SingleFlight("cache")
        self._tasks = Owned("cache/refresh")
        self._refreshing: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        await self._flights.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._flights.__aexit__(kind, error, trace)
        await self._tasks.close()

    async def through(
        self, key: Key, load: Load, *, renew: Renew | None = None, label: str = "", before: float = 0.0
    ) -> Cached:
        """Return the answer to `key`; `load` is called where there is none that may be served.

        `renew` is called instead where an older answer is still there. `label` is what a person
        calls the answer, for `sweep`: a query, an address. Raises what `load` raises, unless an
        older answer can stand in. With `before` an answer that gets old within so many seconds is
        loaded anew as well: for warming, so that it never is; where that fails the error is raised,
        and the answer stays.
        """
        if before > 0.0:
            return await self._in_advance(key, _Work(load, renew, label), before)
        held = self._level1.get(key.id)
        known = self._lookup.versions.get(key.namespace)
        now = self._now()
        if held is not None and known is not None and now < held.until:
            if now >= known.until:
                await self._lookup.version(key.namespace)
                held, known = self._level1.get(key.id), self._lookup.versions.get(key.namespace)
            if held is not None and known is not None and held.version == known.number:
                if now < held.soft:
                    self._hits += 1
                    return held.answer
                return self._stale(key, held, _Work(load, renew, label))
        work = _Work(load, renew, label)
        version = await self._lookup.version(key.namespace)
        entry = await self._lookup.get(key, version)
        if entry is not None and self._now() < entry.revalidate:
            return self._from_store(key, entry, work, version=version)
        return await self._flights.run(key.id, partial(self._load, key, work, version=version, older=entry))

    async def peek(self, key: Key) -> Cached | None:
        """Return the answer that is there and fresh, without loading any."""
        version = await self._lookup.version(key.namespace)
        entry = await self._lookup.get(key, version)
        if entry is None or self._now() >= entry.soft:
            return None
        return self._lookup.hold(key, entry, version=version, origin=Origin.STORE)

    async def put(self, key: Key, loaded: Loaded, *, label: str = "") -> None:
        """Store an answer over an older one; other processes forget theirs."""
        version = await self._lookup.version(key.namespace)
        await self._keep(key, loaded, version=version, label=label, tell=True)

    async def forget(self, key: Key) -> None:
        """Forget one answer, in every process."""
        self._level1.drop(key.id)
        version = await self._lookup.version(key.namespace)
        await self._lookup.asked(partial(self._store.drop, [key.text(version)]), 0)

    async def invalidate(self, category: Category, *, tenant: str | None) -> None:
        """Make all answers of a category unreachable, of one tenant or of what is public.

        Raises `StoreError` when the store is away: other processes would go on serving them.
        """
        space = namespace(category, tenant=tenant)
        self._lookup.believe(space, await self._store.bump(space))

    async def sweep(self, pattern: str) -> int:
        """Forget the answers whose label fits, in every process; return how many. Slow, for a person.

        `*` stands for any characters, everything else for itself. Raises `StoreError`.
        """
        keys = await self._store.find(pattern)
        gone = await self._store.drop(keys) if keys else 0
        for text in keys:
            space, _version, digest = text.rsplit(":", 2)
            self._level1.drop(f"{space}:{digest}")
        return gone

    async def settled(self, *, within: float) -> None:
        """Return when nothing is loaded in the background any more, or after `within` seconds."""
        if self._refreshing:
            await asyncio.wait(set(self._refreshing.values()), timeout=within)

    def stats(self) -> Stats:
        """Return the counts since the start."""
        return Stats(memory_hits=self._hits, memory=self._level1.usage(), **self._counts)

    # --- behind memory

    async def _in_advance(self, key: Key, work: _Work, before: float) -> Cached:
        version = await self._lookup.version(key.namespace)
        entry = await self._lookup.get(key, version)
        if entry is not None and self._lasts(entry, before):
            return self._from_store(key, entry, work, version=version)
        return await self._flights.run(key.id, partial(self._load, key, work, version=version, older=entry))

    def _lasts(self, entry: Entry, seconds: float) -> bool:
        """Tell whether an entry stays fresh so long; what was only just loaded counts as if it did."""
        now = self._now()
        young = entry.stored_at + _YOUNG * (entry.soft - entry.stored_at)
        return now < entry.soft and (now + seconds < entry.soft or now < young)

    def _stale(self, key: Key, held: Held, work: _Work) -> Cached:
        self._counts["stale_served"] += 1
        self._refresh_later(key, work)
        return held.answer._replace(stale=True)

    def _from_store(self, key: Key, entry: Entry, work: _Work, *, version: int) -> Cached:
        self._counts["store_hits"] += 1
        if self._now() >= entry.soft:
            self._counts["stale_served"] += 1
            self._refresh_later(key, work)
        return self._lookup.hold(key, entry, version=version, origin=Origin.STORE)

    async def _load(self, key: Key, work: _Work, *, version: int, older: Entry | None) -> Cached:
        """Load once over all processes: who has the lease loads, the others wait for what it stores."""
        pause = _FIRST_LOOK
        while (lease := await self._lease(key.text(version))) is None:
            self._counts["waited"] += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_LOOK)
            newer = await self._newer(key, version, older)
            if newer is not None:
                return newer
        async with lease:
            newer = await self._newer(key, version, older)
            if newer is not None:
                return newer
            return await self._loaded(key, work, version=version, older=older)

    async def _loaded(self, key: Key, work: _Work, *, version: int, older: Entry | None) -> Cached:
        try:
            loaded = await (work.load() if older is None or work.renew is None else work.renew(older))
        except (ToolStop, Forbidden):
            raise  # what may not be had now is not had from yesterday either
        except LeadlineError:
            self._counts["failures"] += 1
            if older is None or not older.soft <= self._now() < older.hard:
                raise
            self._counts["stale_on_error"] += 1
            return self._lookup.hold(key, older, version=version, origin=Origin.STORE, seconds=_AFTER_ERROR)
        self._counts["loads"] += 1
        return await self._keep(key, loaded, version=version, label=work.label)

    async def _newer(self, key: Key, version: int, older: Entry | None) -> Cached | None:
        """Return what another process has stored since."""
        entry = await self._lookup.get(key, version)
        if entry is None or self._now() >= entry.soft or (older is not None and entry.stored_at <= older.stored_at):
            return None
        return self._lookup.hold(key, entry, version=version, origin=Origin.STORE)

    async def _keep(self, key: Key, loaded: Loaded, *, version: int, label: str, tell: bool = False) -> Cached:
        policy, now = self._policies[key.category], self._now()
        stretch = self._random.uniform(1 - _JITTER, 1 + _JITTER)  # what was loaded together ends apart
        times = (policy.negative,) * 3 if loaded.negative else (policy.soft, policy.revalidate, policy.hard)
        soft, revalidate, hard = (now + seconds * stretch for seconds in times)
        entry = Entry(loaded.body, now, soft, revalidate, hard, loaded.negative, loaded.etag)
        if not loaded.keep:
            return Cached(entry.body, Origin.LOAD, now, entry.negative, entry.etag, stale=False)
        await self._lookup.asked(partial(self._store.put, key.text(version), entry, label=label, tell=tell), None)
        return self._lookup.hold(key, entry, version=version, origin=Origin.LOAD)

    # --- in the background

    def _refresh_later(self, key: Key, work: _Work) -> None:
        if key.id not in self._refreshing:
            self._refreshing[key.id] = self._tasks.spawn(self._refresh(key, work), name=key.id)

    async def _refresh(self, key: Key, work: _Work) -> None:
        """Load anew what is being served; where that fails the old answer stays until its end."""
        try:
            version = await self._lookup.version(key.namespace)
            lease = await self._lease(key.text(version))
            if lease is None:  # another process does it: look for its answer at the next call
                await asyncio.sleep(_LAST_LOOK)
                self._level1.drop(key.id)
                return
            async with lease:
                older = await self._lookup.get(key, version)
                if older is None or self._now() >= older.soft:
                    await self._loaded(key, work, version=version, older=older)
                    self._counts["refreshes"] += 1
                else:
                    self._lookup.hold(key, older, version=version, origin=Origin.STORE)
        except LeadlineError:
            self._level1.drop(key.id)  # counted where it was raised
        finally:
            self._refreshing.pop(key.id, None)

    async def _lease(self, text: str) -> _Lease | None:
        """Return the sole right to load, or `None` where another process has it; none is needed without a store."""
        token = f"{self._random.getrandbits(64):016x}"
        lease = _Lease(self._lookup, text, token=token, seconds=self._lease_seconds, tasks=self._tasks)
        return lease if await lease.taken() else None


class _Lease:
    """The right to load a key: renewed while the context is open, given back at its end."""

    def __init__(self, lookup: Lookup, text: str, *, token: str, seconds: float, tasks: Owned) -> None:
        self._lookup = lookup
        self._text = text
        self._token = token
        self._seconds = seconds
        self._tasks = tasks
        self._renewing: asyncio.Task[None] | None = None

    async def taken(self) -> bool:
        """Take it, or take it for longer; without a store everybody may load."""
        ask = partial(self._lookup.store.lease, self._text, self._token, seconds=self._seconds)
        return await self._lookup.asked(ask, True)

    async def __aenter__(self) -> Self:
        self._renewing = self._tasks.spawn(self._renew(), name=f"lease {self._text}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            # A renewal under way must not come to the store behind the release.
            await asyncio.wait({self._renewing})
        await self._lookup.asked(partial(self._lookup.store.release, self._text, self._token), None)

    async def _renew(self) -> None:
        """Keep the lease while the load runs; one that was lost stays so: two loads harm nobody."""
        while True:
            await asyncio.sleep(self._seconds / 3)
            if not await self.taken():
                return
