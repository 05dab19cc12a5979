"""What stands before every outgoing call, as the settings wire it: cache, limits, courtesy, over processes."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.redis import Redis, running_redis

from leadline.errors import (
    FetchRateLimited,
    MissingExtra,
    NotFound,
    ProviderDenied,
    ProviderLimited,
    ProviderUnavailable,
    SettingsError,
    StoreError,
)
from leadline.extract.children import ExtractPool
from leadline.fetch.guard import Guard
from leadline.fetch.proxy import GuardedProxy
from leadline.ports import Query
from leadline.resilience import SystemClock
from leadline.search.web.ddgs import Ddgs
from leadline.settings import Settings, load
from leadline.testing import SmallWeb, WebPage
from leadline.wiring.caching import Space, cache_figures, forget_answers, forget_matching
from leadline.wiring.outgoing import Outgoing
from leadline.wiring.web import Web

PAGES = {"/bridge": WebPage(body=b"<title>Bridge</title><p>The stone bridge was built in 605 by Li Chun.</p>")}
QUERY = Query(text="stone bridge", limit=3)


@dataclass(frozen=True)
class Process:
    """What a process of Leadline asks the web with."""

    web: Web
    outgoing: Outgoing


@pytest.fixture
async def parser() -> AsyncIterator[ExtractPool]:
    async with ExtractPool(workers=1) as pool:
        yield pool


@pytest.fixture
async def site() -> AsyncIterator[SmallWeb]:
    async with SmallWeb(PAGES) as web:
        yield web


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


async def settings_of(environment: Mapping[str, str]) -> Settings:
    return await asyncio.to_thread(lambda: load(environ=environment))


@asynccontextmanager
async def process(site: SmallWeb, parser: ExtractPool, folder: Path, **more: str) -> AsyncIterator[Process]:
    settings = await settings_of({**site.environment, **more})
    async with Outgoing(settings, clock=SystemClock(), folder=folder) as outgoing:
        yield Process(Web(settings, clock=SystemClock(), parser=parser, outgoing=outgoing), outgoing)


def page(site: SmallWeb, path: str = "/bridge") -> str:
    return site.url(path, host="127.0.0.1")


async def ask(one: Process, site: SmallWeb, tenant: str = "acme") -> None:
    """Search and read once each."""
    search, reader = await one.web.search(tenant), await one.web.reader(tenant)
    assert (await search.search(QUERY, deadline=10)).hits[0].uri == page(site)
    assert "605" in (await reader.read(page(site), deadline=10)).text


@pytest.mark.parametrize("where", ["sqlite", pytest.param("redis", marks=pytest.mark.server("redis"))])
async def test_a_second_process_is_answered_from_what_the_first_one_paid_for(
    site: SmallWeb, parser: ExtractPool, tmp_path: Path, where: str, request: pytest.FixtureRequest
) -> None:
    chosen = {"LEADLINE_CACHE": request.getfixturevalue("redis").url} if where == "redis" else {}
    async with process(site, parser, tmp_path, **chosen) as one:
        await ask(one, site)
        sent = len(site.requests)
        await ask(one, site)
        async with process(site, parser, tmp_path, **chosen) as two:
            await ask(two, site)
    assert len(site.requests) == sent
    settings = await settings_of({**chosen, "LEADLINE_DATA_DIR": str(tmp_path)})
    kept = {Space("public", "search"): 1, Space("public", "other"): 1, Space("acme", "page"): 1}
    assert (await cache_figures(settings)).spaces == kept
    assert await forget_matching(settings, "*stone bridge*") == 1
    await forget_answers(settings, category="page")
    assert await forget_matching(settings, "*/robots.txt") == 1
    assert (await cache_figures(settings)).entries == 0
    async with process(site, parser, tmp_path, **chosen) as three:
        await ask(three, site)
    assert len(site.asked("/search")) == len(site.asked("/bridge")) == len(site.asked("/robots.txt")) == 2


async def test_where_private_networks_are_open_no_tenant_gets_anothers_page(
    site: SmallWeb, parser: ExtractPool, tmp_path: Path
) -> None:
    async with process(site, parser, tmp_path) as one:
        await ask(one, site, "acme")
        await ask(one, site, "other")
    assert len(site.asked("/search")) == 1
    assert len(site.asked("/bridge")) == 2


async def test_pages_that_are_read_under_other_rules_are_read_anew(
    site: SmallWeb, parser: ExtractPool, tmp_path: Path
) -> None:
    for rules in ("obey", "ignore"):
        async with process(site, parser, tmp_path, LEADLINE_FETCH__ROBOTS=rules) as one:
            await ask(one, site)
    assert len(site.asked("/bridge")) == 2


async def test_a_page_that_is_not_there_is_asked_for_once(site: SmallWeb, parser: ExtractPool, tmp_path: Path) -> None:
    async with process(site, parser, tmp_path) as one:
        reader = await one.web.reader("acme")
        for _ in range(2):
            with pytest.raises(NotFound):
                await reader.read(page(site, "/gone"), deadline=10)
    assert len(site.asked("/gone")) == 1


async def test_without_a_cache_everything_is_asked_again(site: SmallWeb, parser: ExtractPool, tmp_path: Path) -> None:
    async with process(site, parser, tmp_path, LEADLINE_CACHE="off") as one:
        await ask(one, site)
        await ask(one, site)
        assert await one.outgoing.store() is None
    assert len(site.asked("/bridge")) == 2
    settings = await settings_of({"LEADLINE_CACHE": "off", "LEADLINE_DATA_DIR": str(tmp_path)})
    with pytest.raises(SettingsError, match="off"):
        await cache_figures(settings)


async def test_a_cache_that_cannot_be_opened_costs_no_run(
    site: SmallWeb, parser: ExtractPool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache.db").mkdir()
    with caplog.at_level(logging.WARNING, logger="leadline"):
        async with process(site, parser, tmp_path) as one:
            await ask(one, site)
            with pytest.raises(StoreError):
                await one.outgoing.store()
    assert [record.message for record in caplog.records] == ["cache_unusable"]


@pytest.mark.server("redis")
async def test_limits_hold_over_processes(site: SmallWeb, parser: ExtractPool, tmp_path: Path, redis: Redis) -> None:
    redis.command("FLUSHALL")
    more = {"LEADLINE_LIMITS": redis.url, "LEADLINE_CACHE": "off", "LEADLINE_SEARCH__SEARXNG__QPS": "0.05"}
    async with process(site, parser, tmp_path, **more) as one, process(site, parser, tmp_path, **more) as two:
        await (await one.web.search("acme")).search(QUERY, deadline=10)
        with pytest.raises(ProviderLimited) as refused:
            await (await two.web.search("acme")).search(QUERY, deadline=1)
    assert refused.value.retry_after is not None
    assert 15 < refused.value.retry_after <= 20
    assert len(site.asked("/search")) == 1


@pytest.mark.server("redis")
async def test_a_host_that_asks_to_wait_is_left_alone_by_every_process(
    site: SmallWeb, parser: ExtractPool, tmp_path: Path, redis: Redis
) -> None:
    redis.command("FLUSHALL")
    more = {"LEADLINE_LIMITS": redis.url, "LEADLINE_OUTGOING__HOST_SECONDS": "0.01"}
    site.pages["/busy-page"] = WebPage(status=429, headers={"Retry-After": "60"})
    async with process(site, parser, tmp_path, **more) as one, process(site, parser, tmp_path, **more) as two:
        with pytest.raises(FetchRateLimited):
            await (await one.web.reader("acme")).read(page(site, "/busy-page"), deadline=10)
        with pytest.raises(FetchRateLimited):
            await (await two.web.reader("acme")).read(page(site), deadline=10)
    assert site.asked("/bridge") == []


async def test_a_tenant_has_its_own_share_of_a_service(site: SmallWeb, parser: ExtractPool, tmp_path: Path) -> None:
    more = {"LEADLINE_OUTGOING__TENANT_QPS": "0.05", "LEADLINE_CACHE": "off"}
    async with process(site, parser, tmp_path, **more) as one:
        await (await one.web.search("greedy")).search(QUERY, deadline=10)
        with pytest.raises(ProviderLimited, match="greedy"):
            await (await one.web.search("greedy")).search(QUERY, deadline=1)
        assert (await (await one.web.search("other")).search(QUERY, deadline=10)).hits


async def test_keys_that_are_refused_are_refused_for_all_tenants(
    site: SmallWeb, parser: ExtractPool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site.pages["/search"] = WebPage(status=401)
    async with process(site, parser, tmp_path) as one:
        for tenant in ("acme", "other"):
            with pytest.raises(ProviderDenied), caplog.at_level(logging.WARNING, logger="leadline"):
                await (await one.web.search(tenant)).search(QUERY, deadline=10)
    assert len(site.asked("/search")) == 1
    assert {record.message for record in caplog.records} == {"search_provider_failed"}


# ------------------------------------------------------------------------------------------------- ddgs


async def test_ddgs_needs_its_extra_and_no_other_proxy(
    site: SmallWeb, parser: ExtractPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ddgs = {"LEADLINE_SEARCH__PROVIDERS": "ddgs"}
    async with process(site, parser, tmp_path, **ddgs, LEADLINE_PROXY="http://127.0.0.1:9") as one:
        with pytest.raises(SettingsError, match="proxy"):
            await one.web.search("acme")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    async with process(site, parser, tmp_path, **ddgs) as one:
        with pytest.raises(MissingExtra, match=r"leadline\[ddgs\]"):
            await one.web.search("acme")


@pytest.mark.blocking("the library opens its certificates and sockets in a thread of its own")
async def test_the_library_behind_ddgs_reaches_nothing_but_what_the_guard_lets_through() -> None:
    resolved: list[str] = []

    async def resolve(host: str) -> list[str]:
        resolved.append(host)
        return ["10.0.0.1"]  # as a rebinding resolver would answer

    async with GuardedProxy(Guard(resolve=resolve)) as proxy:
        search = Ddgs(proxy=proxy.url, now=lambda: 0.0, seconds=8)
        with pytest.raises(ProviderUnavailable):
            await search.search(QUERY, deadline=8)
    assert resolved
