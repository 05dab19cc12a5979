from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.support.caches import Shifted, cache_over

from leadline.cache.memory import MemoryStore
from leadline.cache.summaries import CachedSummarizer
from leadline.cache.tiered import TieredCache
from leadline.domain import Usage
from leadline.errors import ModelUnavailable, ToolFailed
from leadline.ports import NoSummary, Said

COST = Usage(model_calls=1, prompt_tokens=1_000, completion_tokens=50, cost_usd=0.01)


class Model:
    """A summariser that counts, takes its time and fails by hand."""

    name = "small"

    def __init__(self) -> None:
        self.calls = 0
        self.seconds = 0.0
        self.error: Exception | None = None

    async def summarise(self, content: str, goal: str, *, language: str, deadline: float) -> Said:
        self.calls += 1
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return Said(summary=f"{goal} ({language})", evidence=(content[:9],), usage=COST)


@pytest.fixture
async def cache() -> AsyncIterator[TieredCache]:
    now = Shifted()
    async with cache_over(MemoryStore(now=now), now=now) as tiers:
        yield tiers


async def test_who_caused_the_call_pays_for_it_and_nobody_else(cache: TieredCache) -> None:
    model = Model()
    model.seconds = 0.05
    kept = CachedSummarizer(model, cache, tenant="acme")
    async with asyncio.TaskGroup() as asking:
        tasks = [asking.create_task(kept.summarise("the page", "depth", language="en", deadline=5)) for _ in range(5)]
    later = await kept.summarise("the page", "depth", language="en", deadline=5)
    said = [task.result() for task in tasks] + [later]
    assert {(one.summary, one.evidence) for one in said} == {("depth (en)", ("the page",))}
    assert sum((one.usage for one in said), Usage()) == COST
    assert model.calls == 1


async def test_page_goal_language_and_tenant_are_told_apart(cache: TieredCache) -> None:
    model = Model()
    one, two = CachedSummarizer(model, cache, tenant="acme"), CachedSummarizer(model, cache, tenant="other")
    for kept, content, goal, language in (
        (one, "page", "depth", "en"),
        (one, "page 2", "depth", "en"),
        (one, "page", "width", "en"),
        (one, "page", "depth", "zh"),
        (two, "page", "depth", "en"),
    ):
        await kept.summarise(content, goal, language=language, deadline=5)
    assert model.calls == 5


async def test_failures_keep_their_type_and_are_not_kept(cache: TieredCache) -> None:
    model = Model()
    kept = CachedSummarizer(model, cache, tenant="acme")
    model.error = ModelUnavailable("down")
    with pytest.raises(ModelUnavailable):
        await kept.summarise("page", "depth", language="en", deadline=5)
    model.error = None
    model.seconds = 0.3
    with pytest.raises(ToolFailed, match="within"):
        await kept.summarise("page", "depth", language="en", deadline=0.02)
    model.seconds = 0.0
    assert (await kept.summarise("page", "depth", language="en", deadline=5)).usage == COST


async def test_who_caused_a_call_that_failed_pays_for_it_and_nobody_else(cache: TieredCache) -> None:
    model = Model()
    model.seconds = 0.05
    model.error = NoSummary("nothing in it", reason="model_broken", usage=COST)
    kept = CachedSummarizer(model, cache, tenant="acme")
    asked = [kept.summarise("the page", "depth", language="en", deadline=5) for _ in range(5)]
    failed = await asyncio.gather(*asked, return_exceptions=True)
    told = [error for error in failed if isinstance(error, NoSummary)]
    assert [error.reason for error in told] == ["model_broken"] * 5
    assert sum((error.usage for error in told), Usage()) == COST
    assert model.calls == 1


async def test_a_summariser_has_the_time_to_say_that_it_was_late(cache: TieredCache) -> None:
    given: list[float] = []

    class Late(Model):
        async def summarise(self, content: str, goal: str, *, language: str, deadline: float) -> Said:
            given.append(deadline)
            raise NoSummary("late", reason="model_timeout", usage=COST)

    with pytest.raises(NoSummary) as caught:
        await CachedSummarizer(Late(), cache, tenant="acme").summarise("page", "depth", language="en", deadline=40)
    assert 36 < given[0] < 40  # the cache ends it only after it has ended itself
    assert (caught.value.reason, caught.value.usage) == ("model_timeout", COST)
