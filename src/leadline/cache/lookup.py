"""What stands between the tiers: the breaker before the store, the versions, the news."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, NamedTuple, TypeVar

from leadline.cache.keys import Key, id_of
from leadline.cache.level1 import Level1
from leadline.cache.types import Cached, Entry, News, Origin, Store
from leadline.errors import StoreError
from leadline.resilience import Breaker

T = TypeVar("T")

_ASKING: Final = 1.0


class Known(NamedTuple):
    """A namespace's version, believed until then."""

    number: int
    until: float


class Lookup:
    """The store as one that never fails: what it does not answer is a miss, and counted."""

    def __init__(
        self, store: Store, *, level1: Level1, level1_seconds: float, now: Callable[[], float], breaker: Breaker
    ) -> None:
        self.store = store
        self.level1 = level1
        self.counts: Counter[str] = Counter()
        self.versions: dict[str, Known] = {}
        self._level1_seconds = level1_seconds
        self._now = now
        self._breaker = breaker
        store.listen(self._hear)

    async def asked(self, question: Callable[[], Awaitable[T]], otherwise: T) -> T:
        """Return the store's answer, or `otherwise` while it is away."""
        if not self._breaker.allow():
            self.counts["away"] += 1
            return otherwise
        try:
            answer = await question()
        except StoreError:
            self._breaker.failed()
            self.counts["away"] += 1
            return otherwise
        except BaseException:
            self._breaker.abandoned()
            raise
        self._breaker.succeeded()
        return answer

    async def version(self, namespace: str) -> int:
        """Return the namespace's version, asked for anew when it is due."""
        known = self.versions.get(namespace)
        now = self._now()
        if known is not None and now < known.until:
            return known.number
        last = 0 if known is None else known.number
        if known is not None:
            self.versions[namespace] = Known(last, now + _ASKING)  # who comes meanwhile need not ask as well
        await self.asked(self.store.look, None)
        number = await self.asked(partial(self.store.version, namespace), last)
        self.believe(namespace, number)
        return number

    def believe(self, namespace: str, number: int) -> None:
        """Take a version for the present one."""
        self.versions[namespace] = Known(number, self._now() + self.store.recheck)

    async def get(self, key: Key, version: int) -> Entry | None:
        """Return the store's entry; as `asked`, written out because every first hit goes through here."""
        if not self._breaker.allow():
            self.counts["away"] += 1
            return None
        try:
            entry = await self.store.get(key.text(version))
        except StoreError:
            self._breaker.failed()
            self.counts["away"] += 1
            return None
        except BaseException:
            self._breaker.abandoned()
            raise
        self._breaker.succeeded()
        return entry

    def hold(self, key: Key, entry: Entry, *, version: int, origin: Origin, seconds: float | None = None) -> Cached:
        """Keep an answer in memory for what is left of its time; return it."""
        now = self._now()
        answer = Cached(entry.body, Origin.MEMORY, entry.stored_at, entry.negative, entry.etag, now >= entry.soft)
        until = min(entry.hard, now + (self._level1_seconds if seconds is None else seconds))
        soft = until if seconds is not None else entry.soft
        self.level1.put(key.id, answer, version=version, soft=soft, until=until)
        return answer._replace(origin=origin)

    def _hear(self, news: News) -> None:
        if news.everything:
            self.level1.clear()
            self.versions.clear()
        for text in news.keys:
            if text.count(":") >= 2:
                self.level1.drop(id_of(text))
        if news.namespace is not None:
            self.believe(news.namespace, news.version)
