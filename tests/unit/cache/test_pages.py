from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.caches import Shifted, cache_over

from leadline.cache.memory import MemoryStore
from leadline.cache.pages import MOST_BYTES, CachedPages, pack, unpack
from leadline.cache.tiered import TieredCache
from leadline.cache.types import POLICIES, Category
from leadline.domain import Fetched
from leadline.errors import FetchFailed, FetchTimeout, FetchUnavailable, Forbidden, NotFound, ToolFailed
from leadline.ports import PageRead
from leadline.testing import fetched

PAGE = POLICIES[Category.PAGE]
URI = "https://a.example/page"


class Site:
    """A reader of pages that change by hand; it knows how it was asked."""

    def __init__(self) -> None:
        self.text = "The lead line has marks."
        self.raw: bytes | None = b"<p>The lead line has marks."
        self.shared = True
        self.version = "v1"
        self.error: ToolFailed | None = None
        self.seconds = 0.0
        self.marks: list[str] = []

    def reads(self, uri: str) -> bool:
        return uri.startswith("https:")

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        page = await self.page(uri, deadline=deadline)
        assert page is not None
        return page.fetched

    async def page(self, uri: str, *, deadline: float, mark: str = "") -> PageRead | None:
        self.marks.append(mark)
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        if mark and mark == self.version:
            return None
        page = replace(fetched(uri, self.text), raw=self.raw, links=("https://b.example/",))
        return PageRead(fetched=page, mark=self.version, shared=self.shared)


@pytest.fixture
def now() -> Shifted:
    return Shifted()


@pytest.fixture
def store(now: Shifted) -> MemoryStore:
    return MemoryStore(now=now)


@pytest.fixture
async def cache(store: MemoryStore, now: Shifted) -> AsyncIterator[TieredCache]:
    async with cache_over(store, now=now) as tiers:
        yield tiers


@pytest.fixture
def site() -> Site:
    return Site()


def pages(site: Site, cache: TieredCache, *, owner: str | None = None, policy: str = "p") -> CachedPages:
    def canonical(uri: str) -> str:
        return uri.partition("#")[0].partition("?utm")[0]

    return CachedPages(site, cache, policy=policy, canonical=canonical, owner=lambda _: owner)


async def test_a_page_is_read_once_and_comes_back_as_it_was(site: Site, cache: TieredCache) -> None:
    reader = pages(site, cache)
    first = await reader.read(URI, deadline=5)
    assert await reader.read(URI, deadline=5) == first
    assert (first.text, first.raw, first.links) == (site.text, site.raw, ("https://b.example/",))
    assert site.marks == [""]
    assert reader.reads(URI)
    assert not reader.reads("file:///a")


async def test_another_spelling_of_the_address_is_the_same_page_under_its_own_name(
    site: Site, cache: TieredCache
) -> None:
    reader = pages(site, cache)
    first = await reader.read(URI, deadline=5)
    other = await reader.read(f"{URI}#part", deadline=5)
    assert site.marks == [""]
    assert (other.source.uri, other.source.final_uri) == (f"{URI}#part", URI)
    assert other.source.id == first.source.id
    back = await reader.read(URI, deadline=5)
    assert (back.source.uri, back.source.final_uri) == (URI, None)


async def test_a_page_that_did_not_change_is_not_read_again(site: Site, cache: TieredCache, now: Shifted) -> None:
    reader = pages(site, cache)
    first = await reader.read(URI, deadline=5)
    now.ahead += 2 * PAGE.revalidate
    assert await reader.read(URI, deadline=5) == first
    assert site.marks == ["", "v1"]
    assert await reader.read(URI, deadline=5) == first  # it is fresh again
    now.ahead += 2 * PAGE.revalidate
    site.version, site.text = "v2", "The marks were changed."
    assert (await reader.read(URI, deadline=5)).text == site.text
    assert site.marks == ["", "v1", "v1"]


async def test_a_page_that_is_not_there_is_remembered_for_a_moment(
    site: Site, cache: TieredCache, now: Shifted
) -> None:
    reader = pages(site, cache)
    site.error = NotFound("there is no such page: gone")
    for _ in range(2):
        with pytest.raises(NotFound, match="no such page: gone"):
            await reader.read(URI, deadline=5)
    assert len(site.marks) == 1
    now.ahead += 2 * PAGE.negative
    site.error = None
    assert (await reader.read(URI, deadline=5)).text == site.text
    assert site.marks == ["", ""]


async def test_failures_are_not_kept_and_an_old_page_stands_in(site: Site, cache: TieredCache, now: Shifted) -> None:
    reader = pages(site, cache)
    site.error = FetchUnavailable("down")
    for _ in range(2):
        with pytest.raises(FetchFailed):
            await reader.read(URI, deadline=5)
    assert len(site.marks) == 2
    site.error = None
    first = await reader.read(URI, deadline=5)
    now.ahead += 2 * PAGE.revalidate
    site.error = FetchUnavailable("down")
    assert await reader.read(URI, deadline=5) == first


async def test_what_is_forbidden_now_is_not_served_from_yesterday(site: Site, cache: TieredCache, now: Shifted) -> None:
    reader = pages(site, cache)
    await reader.read(URI, deadline=5)
    now.ahead += 2 * PAGE.revalidate
    site.error = Forbidden("robots.txt asks not to")
    with pytest.raises(Forbidden):
        await reader.read(URI, deadline=5)


async def test_a_page_that_is_not_to_be_shared_is_kept_for_its_owner_alone(
    site: Site, cache: TieredCache, store: MemoryStore
) -> None:
    site.shared = False
    for _ in range(2):
        await pages(site, cache).read(URI, deadline=5)
    assert len(site.marks) == 2
    assert (await store.usage()).entries == 0
    for _ in range(2):
        await pages(site, cache, owner="acme").read(URI, deadline=5)
    assert len(site.marks) == 3
    await pages(site, cache, owner="other").read(URI, deadline=5)
    assert len(site.marks) == 4


async def test_pages_that_were_read_under_other_rules_are_other_pages(site: Site, cache: TieredCache) -> None:
    await pages(site, cache).read(URI, deadline=5)
    await pages(site, cache, policy="robots are ignored").read(URI, deadline=5)
    assert len(site.marks) == 2


async def test_a_page_beyond_all_measure_is_not_kept(site: Site, cache: TieredCache, store: MemoryStore) -> None:
    site.raw = bytes(MOST_BYTES)
    assert (await pages(site, cache).read(URI, deadline=5)).raw == site.raw
    assert (await store.usage()).entries == 0


async def test_who_has_little_time_does_not_wait_for_who_has_more(site: Site, cache: TieredCache) -> None:
    site.seconds = 0.3
    reader = pages(site, cache)
    async with asyncio.TaskGroup() as reading:
        patient = reading.create_task(reader.read(URI, deadline=5))
        await asyncio.sleep(0)
        with pytest.raises(FetchTimeout):
            await reader.read(URI, deadline=0.02)
    assert patient.result().text == site.text
    assert len(site.marks) == 1


@given(
    text=st.text(max_size=200),
    raw=st.none() | st.binary(max_size=50),
    links=st.lists(st.text("ab/:é桥", max_size=20), max_size=3),
)
def test_every_page_survives_the_way_through_bytes(text: str, raw: bytes | None, links: list[str]) -> None:
    page = replace(fetched(URI, "x"), text=text, raw=raw, links=tuple(links))
    assert unpack(pack(page)) == page
