from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
from tests.support.caches import Shifted, cache_over

from leadline.cache.keys import key
from leadline.cache.memory import MemoryStore
from leadline.cache.tiered import TieredCache
from leadline.cache.types import POLICIES, Cached, Category, Loaded, Origin
from leadline.cache.warm import LEADER, Wanted, score, warm
from leadline.errors import ProviderDenied, ToolFailed

NOW = 1_767_225_600.0
DAY = 86_400.0


class Shop:
    """A provider behind the cache; it knows what was bought."""

    def __init__(self) -> None:
        self.now = Shifted()
        self.store = MemoryStore(now=self.now)
        self.cache: TieredCache = cache_over(self.store, now=self.now)
        self.bought: list[str] = []
        self.errors: dict[str, Exception] = {}
        self.seconds = 0.0

    async def ask(self, query: str, *, tenant: str | None = None, before: float = 0.0) -> Cached:
        async def load() -> Loaded:
            self.bought.append(query)
            await asyncio.sleep(self.seconds)
            if query in self.errors:
                raise self.errors[query]
            return Loaded(query.encode())

        asked = key(Category.SEARCH, {"q": query}, tenant=tenant)
        return await self.cache.through(asked, load, label=query, before=before)

    async def load(self, query: str, *, tenant: str | None = None, before: float = 0.0) -> Origin:
        return (await self.ask(query, tenant=tenant, before=before)).origin

    def wanted(self, query: str, *ages: float, usd: float = 0.0) -> Wanted:
        return Wanted(label=query, asked=tuple(NOW - age for age in ages), usd=usd, load=partial(self.load, query))


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    async with shop.cache:
        yield shop


def test_often_lately_and_dear_come_first() -> None:
    async def load() -> Origin:
        raise AssertionError

    def worth(*ages: float, usd: float = 0.0) -> float:
        return score(Wanted(label="", asked=tuple(NOW - age for age in ages), load=load, usd=usd), now=NOW)

    assert worth(0, 0) > worth(0)
    assert worth(0) > worth(3 * DAY)
    assert worth(0, usd=0.01) > worth(0, usd=0.001)
    assert worth(2 * DAY) == pytest.approx(0.5)


async def test_what_was_warmed_is_a_hit(shop: Shop) -> None:
    items = [shop.wanted("a", 0, 0), shop.wanted("b", 0)]
    done = await warm(items, leases=shop.store, token="t", now=lambda: NOW, seconds=5, at_once=1)
    assert (done.loaded, done.fresh, done.failed, done.skipped) == (2, 0, 0, 0)
    assert shop.bought == ["a", "b"]
    assert (await shop.ask("a")).origin is Origin.MEMORY
    again = await warm(items, leases=shop.store, token="t", now=lambda: NOW, seconds=5)
    assert (again.loaded, again.fresh) == (0, 2)
    assert shop.bought == ["a", "b"]


@pytest.mark.parametrize("minutes", [4, 7, 10])
async def test_what_is_warmed_regularly_never_goes_cold(shop: Shop, minutes: int) -> None:
    """A pass each so many minutes over several lives of an answer; somebody asks in every minute between."""
    every = 60.0 * minutes
    item = Wanted(label="a", asked=(NOW,), load=partial(shop.load, "a", before=every))
    began, loads = shop.now.ahead, 0
    while shop.now.ahead < began + 4 * POLICIES[Category.SEARCH].soft:
        done = await warm([item], leases=shop.store, token="t", now=lambda: NOW, seconds=5)
        loads += done.loaded
        for _ in range(minutes):
            shop.now.ahead += 59.9
            answer = await shop.ask("a")
            assert (answer.stale, answer.origin is Origin.LOAD) == (False, False)
    assert len(shop.bought) == loads  # nobody but the passes loaded
    assert loads <= 1 + 4 * POLICIES[Category.SEARCH].soft / every


async def test_without_looking_ahead_it_does(shop: Shop) -> None:
    await warm([shop.wanted("a", 0)], leases=shop.store, token="t", now=lambda: NOW, seconds=5)
    shop.now.ahead += 0.85 * POLICIES[Category.SEARCH].soft
    done = await warm([shop.wanted("a", 0)], leases=shop.store, token="t", now=lambda: NOW, seconds=5)
    assert (done.loaded, done.fresh) == (0, 1)
    shop.now.ahead += 0.3 * POLICIES[Category.SEARCH].soft
    assert (await shop.ask("a")).stale


async def test_a_key_refused_while_answers_are_fresh_is_told(shop: Shop) -> None:
    item = Wanted(label="a", asked=(NOW,), load=partial(shop.load, "a", before=600))
    await warm([item], leases=shop.store, token="t", now=lambda: NOW, seconds=5)
    shop.now.ahead += 0.6 * POLICIES[Category.SEARCH].soft
    shop.errors = {"a": ProviderDenied("no")}
    done = await warm([item, shop.wanted("b", 0)], leases=shop.store, token="t", now=lambda: NOW, seconds=5, at_once=1)
    assert (done.failed, done.skipped) == (1, 1)
    assert (await shop.ask("a")).stale is False


async def test_one_tenants_answers_warm_no_other(shop: Shop) -> None:
    item = Wanted(label="a", asked=(NOW,), load=partial(shop.load, "a", tenant="one"))
    await warm([item], leases=shop.store, token="t", now=lambda: NOW, seconds=5)
    assert (await shop.ask("a", tenant="two")).origin is Origin.LOAD


async def test_the_budget_is_kept_and_the_dearest_first(shop: Shop) -> None:
    items = [shop.wanted("dear", 0, usd=0.6), shop.wanted("too dear", 0, usd=0.5), shop.wanted("cheap", 0, usd=0.3)]
    done = await warm(items, leases=shop.store, token="t", now=lambda: NOW, seconds=5, usd=1.0, at_once=3)
    assert sorted(shop.bought) == ["cheap", "dear"]
    assert done.usd == pytest.approx(0.9)
    assert done.skipped == 1


async def test_errors_are_counted_and_never_kept(shop: Shop) -> None:
    shop.errors = {"a": ToolFailed("down")}
    items = [shop.wanted("a", 0, 0), shop.wanted("b", 0)]
    done = await warm(items, leases=shop.store, token="t", now=lambda: NOW, seconds=5, at_once=1)
    assert (done.failed, done.loaded) == (1, 1)
    shop.errors.clear()
    assert (await shop.ask("a")).origin is Origin.LOAD


async def test_a_refused_key_ends_the_pass(shop: Shop) -> None:
    shop.errors = {"a": ProviderDenied("no")}
    items = [shop.wanted("a", 0, 0), shop.wanted("b", 0), shop.wanted("c", 0)]
    done = await warm(items, leases=shop.store, token="t", now=lambda: NOW, seconds=5, at_once=1)
    assert (done.failed, done.skipped) == (1, 2)


async def test_one_process_leads(shop: Shop) -> None:
    assert await shop.store.lease(LEADER, "other", seconds=5)
    done = await warm([shop.wanted("a", 0)], leases=shop.store, token="t", now=lambda: NOW, seconds=5)
    assert (done.led, done.skipped, shop.bought) == (False, 1, [])


async def test_time_is_kept(shop: Shop) -> None:
    shop.seconds = 0.2
    items = [shop.wanted(str(n), 0) for n in range(20)]
    done = await warm(items, leases=shop.store, token="t", now=lambda: NOW, seconds=0.3, at_once=2)
    assert 1 <= done.loaded <= 4
    assert done.skipped == 20 - done.loaded
    assert await shop.store.lease(LEADER, "next", seconds=5)


async def test_no_more_is_loaded_than_allowed_however_many_work(shop: Shop) -> None:
    shop.seconds = 0.02
    items = [shop.wanted(f"q{number}", 0) for number in range(10)]
    done = await warm(items, leases=shop.store, token="t", now=lambda: NOW, seconds=5, most=3, at_once=8)
    assert (done.loaded, done.skipped, len(shop.bought)) == (3, 7, 3)
    again = await warm(items, leases=shop.store, token="t", now=lambda: NOW, seconds=5, most=7, at_once=8)
    assert (again.loaded, again.fresh, again.skipped) == (7, 3, 0)
