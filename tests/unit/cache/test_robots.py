from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.support.caches import Shifted, cache_over

from leadline.cache.memory import MemoryStore
from leadline.cache.robots import CachedRobots
from leadline.cache.tiered import TieredCache
from leadline.cache.types import POLICIES, Category, Origin
from leadline.errors import FetchUnavailable, Forbidden, NotFound, ToolFailed
from leadline.fetch.robots import Robots
from leadline.fetch.urls import Target, parse

FILE = b"User-agent: *\nDisallow: /private\n"
PAGE = parse("https://a.example/private/x")


class Host:
    """A host that knows how often it was asked."""

    def __init__(self, answer: bytes | ToolFailed) -> None:
        self.answer = answer
        self.asked = 0

    async def load(self, target: Target) -> bytes:
        self.asked += 1
        if isinstance(self.answer, ToolFailed):
            raise self.answer
        return self.answer


@pytest.fixture
def now() -> Shifted:
    return Shifted()


@pytest.fixture
async def cache(now: Shifted) -> AsyncIterator[TieredCache]:
    async with cache_over(MemoryStore(now=now), now=now) as tiers:
        yield tiers


async def allowed(cache: TieredCache, host: Host) -> bool:
    """Ask as a process does that has just begun."""
    async with Robots(host.load, agent="Other", kept=CachedRobots(cache)) as robots:
        return (await robots.ask(PAGE)).allowed


async def test_a_file_is_fetched_once_for_all_processes_and_again_after_an_hour(
    cache: TieredCache, now: Shifted
) -> None:
    host = Host(FILE)
    for _ in range(3):
        assert not await allowed(cache, host)
    assert host.asked == 1
    host.answer = b""
    now.ahead += 2.5 * POLICIES[Category.OTHER].soft
    assert await allowed(cache, host)
    assert host.asked == 2


async def test_that_there_is_none_is_known_as_long(cache: TieredCache, now: Shifted) -> None:
    host = Host(NotFound("none"))
    assert await allowed(cache, host)
    now.ahead += POLICIES[Category.OTHER].soft / 2
    assert await allowed(cache, host)
    assert host.asked == 1


async def test_no_failure_is_kept(cache: TieredCache) -> None:
    host = Host(FetchUnavailable("broken", status=500))
    assert not await allowed(cache, host)
    host.answer = FILE.replace(b"/private", b"/other")
    assert await allowed(cache, host)
    host = Host(Forbidden("private"))
    async with Robots(host.load, agent="Other", kept=CachedRobots(cache)) as robots:
        with pytest.raises(Forbidden):
            await robots.ask(parse("https://b.example/"))


async def test_where_a_file_comes_from_is_told(cache: TieredCache) -> None:
    told: list[tuple[Category, Origin]] = []
    kept = CachedRobots(cache, told=lambda category, cached: told.append((category, cached.origin)))
    host = Host(FILE)
    for _ in range(2):
        assert await kept.through("https://a.example", lambda: host.load(PAGE)) == FILE
    assert told == [(Category.OTHER, Origin.LOAD), (Category.OTHER, Origin.MEMORY)]
