from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.support.caches import Shifted, cache_over

from leadline.cache.memory import MemoryStore
from leadline.cache.searches import CachedCopies, CachedSearch, CachedWorks
from leadline.cache.tiered import TieredCache
from leadline.cache.types import POLICIES, Cached, Category, Origin
from leadline.domain import Hit
from leadline.errors import ProviderDenied, ProviderUnavailable, ToolFailed
from leadline.ports import Found, Query
from leadline.wire.papers import Listed, Paper

QUERY = Query(text="lead line", limit=5)
HIT = Hit(uri="https://a.example/", title="A", snippet="s", provider="serper", rank=1, published="2024-01-02")
PAPER = Paper(title="On soundings at sea", uri="https://doi.org/10.1/x", authors=("A. Pilot",), doi="10.1/x", year=1901)


class Provider:
    """A search that knows what it was asked."""

    def __init__(self, *hits: Hit, name: str = "serper") -> None:
        self.hits = hits
        self.name = name
        self.error: ToolFailed | None = None
        self.asked: list[Query] = []
        self.seconds = 0.0
        self.usd = 0.0

    async def search(self, query: Query, *, deadline: float) -> Found:
        self.asked.append(query)
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return Found(hits=self.hits, ignored=("year",), usd=self.usd)


@pytest.fixture
def now() -> Shifted:
    return Shifted()


@pytest.fixture
async def cache(now: Shifted) -> AsyncIterator[TieredCache]:
    async with cache_over(MemoryStore(now=now), now=now) as tiers:
        yield tiers


async def test_an_answer_comes_back_as_it_was_and_is_paid_for_once(cache: TieredCache) -> None:
    provider, origins = Provider(HIT), list[Origin]()
    search = CachedSearch(provider, cache, told=lambda _, cached: origins.append(cached.origin))
    first = await search.search(QUERY, deadline=5)
    second = await search.search(replace(QUERY, text="  lead   line "), deadline=5)
    assert first == second == Found(hits=(HIT,), ignored=("year",))
    assert len(provider.asked) == 1
    assert origins == [Origin.LOAD, Origin.MEMORY]
    assert search.name == "serper"


async def test_who_causes_a_load_pays_and_nobody_else(cache: TieredCache) -> None:
    provider = Provider(HIT)
    provider.usd, provider.seconds = 0.25, 0.01
    search = CachedSearch(provider, cache)
    both = await asyncio.gather(search.search(QUERY, deadline=5), search.search(QUERY, deadline=5))
    assert sorted(found.usd for found in both) == [0.0, 0.25]
    assert (await search.search(QUERY, deadline=5)).usd == 0.0
    assert len(provider.asked) == 1


async def test_before_its_end_an_answer_is_loaded_anew_where_that_is_wished(cache: TieredCache, now: Shifted) -> None:
    provider = Provider(HIT)
    await CachedSearch(provider, cache).search(QUERY, deadline=5)
    now.ahead += POLICIES[Category.SEARCH].soft / 2
    await CachedSearch(provider, cache).search(QUERY, deadline=5)
    await CachedSearch(provider, cache, before=60).search(QUERY, deadline=5)
    assert len(provider.asked) == 1
    await CachedSearch(provider, cache, before=POLICIES[Category.SEARCH].soft).search(QUERY, deadline=5)
    assert len(provider.asked) == 2


@pytest.mark.parametrize(
    "other",
    [
        replace(QUERY, text="lead lines"),
        replace(QUERY, limit=6),
        replace(QUERY, language="zh"),
        replace(QUERY, sites=("a.example",)),
        replace(QUERY, exclude=("a.example",)),
        replace(QUERY, since="2024-01-01"),
        replace(QUERY, year=2024),
    ],
)
async def test_every_field_of_a_query_changes_its_key(cache: TieredCache, other: Query) -> None:
    provider = Provider(HIT)
    search = CachedSearch(provider, cache)
    await search.search(QUERY, deadline=5)
    await search.search(other, deadline=5)
    assert provider.asked == [QUERY, other]


async def test_services_and_tenants_do_not_answer_for_each_other(cache: TieredCache) -> None:
    providers = [Provider(HIT), Provider(HIT, name="brave"), Provider(HIT), Provider(HIT)]
    searches = [
        CachedSearch(providers[0], cache),
        CachedSearch(providers[1], cache),
        CachedSearch(providers[2], cache, address="http://other.example"),
        CachedSearch(providers[3], cache, tenant="acme"),
    ]
    for search in searches:
        await search.search(QUERY, deadline=5)
    assert [len(provider.asked) for provider in providers] == [1, 1, 1, 1]


async def test_nothing_found_is_believed_for_a_moment_and_a_failure_never(cache: TieredCache, now: Shifted) -> None:
    provider = Provider()
    search = CachedSearch(provider, cache)
    assert (await search.search(QUERY, deadline=5)).hits == ()
    assert (await search.search(QUERY, deadline=5)).hits == ()
    assert len(provider.asked) == 1
    now.ahead += 2 * POLICIES[Category.SEARCH].negative
    provider.error = ProviderUnavailable("down")
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            await search.search(QUERY, deadline=5)
    assert len(provider.asked) == 3


async def test_an_old_answer_stands_in_for_a_provider_that_fails(cache: TieredCache, now: Shifted) -> None:
    provider, told = Provider(HIT), list[Cached]()
    search = CachedSearch(provider, cache, told=lambda _, cached: told.append(cached))
    await search.search(QUERY, deadline=5)
    now.ahead += 2 * POLICIES[Category.SEARCH].revalidate
    provider.error = ProviderDenied("the key expired")
    assert (await search.search(QUERY, deadline=5)).hits == (HIT,)
    assert told[-1].stale
    now.ahead += 2 * POLICIES[Category.SEARCH].hard
    with pytest.raises(ProviderDenied):
        await search.search(QUERY, deadline=5)


async def test_two_hundred_at_once_are_one_request(cache: TieredCache) -> None:
    provider = Provider(HIT)
    provider.seconds = 0.05
    search = CachedSearch(provider, cache)
    async with asyncio.TaskGroup() as asking:
        tasks = [asking.create_task(search.search(QUERY, deadline=5)) for _ in range(200)]
    assert {task.result() for task in tasks} == {Found(hits=(HIT,), ignored=("year",))}
    assert len(provider.asked) == 1


async def test_who_has_little_time_does_not_wait_for_who_has_more(cache: TieredCache) -> None:
    provider = Provider(HIT)
    provider.seconds = 0.3
    search = CachedSearch(provider, cache)
    async with asyncio.TaskGroup() as asking:
        patient = asking.create_task(search.search(QUERY, deadline=5))
        await asyncio.sleep(0)
        with pytest.raises(ProviderUnavailable, match="within"):
            await search.search(QUERY, deadline=0.02)
    assert patient.result().hits == (HIT,)


class Shelf:
    """A scholarly service, and a finder of copies."""

    name = "openalex"

    def __init__(self, *papers: Paper) -> None:
        self.found = papers
        self.asked = 0

    def ignored(self, query: Query) -> frozenset[str]:
        return frozenset({"sites"} if query.sites else ())

    async def papers(self, query: Query, *, deadline: float) -> Listed:
        self.asked += 1
        return Listed(papers=self.found, usd=0.25)

    async def pdf(self, doi: str, *, deadline: float) -> str | None:
        self.asked += 1
        return f"https://open.example/{doi}.pdf" if self.found else None


@pytest.mark.parametrize("papers", [(PAPER,), ()])
async def test_works_and_copies_are_kept(cache: TieredCache, papers: tuple[Paper, ...]) -> None:
    shelf = Shelf(*papers)
    works, copies = CachedWorks(shelf, cache), CachedCopies(shelf, cache)
    for usd in (0.25, 0.0):  # who causes a load pays
        assert await works.papers(QUERY, deadline=5) == Listed(papers=papers, usd=usd)
        assert await copies.pdf("10.1/x", deadline=5) == ("https://open.example/10.1/x.pdf" if papers else None)
    assert shelf.asked == 2
    assert works.name == "openalex"
    assert works.ignored(replace(QUERY, sites=("a.example",))) == {"sites"}
