"""Warming as the command does it: from the history of whoever has runs here, and before answers get old."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from leadline.api.warming import Allowance, warm_cache
from leadline.domain import Json, Options, Question
from leadline.events import Entry, Event, ToolAnswered, ToolAsked
from leadline.ports import NewRun
from leadline.settings import Settings, load
from leadline.testing import SmallWeb, WebPage
from leadline.wiring import platform
from leadline.wiring.accounts import open_accounts
from leadline.wiring.caching import Space, cache_figures

PAGES = {"/bridge": WebPage(body=b"<title>Bridge</title><p>The stone bridge was built in 605 by Li Chun.</p>")}


@pytest.fixture
async def site() -> AsyncIterator[SmallWeb]:
    async with SmallWeb(PAGES) as web:
        yield web


async def settings_of(site: SmallWeb, folder: Path, **more: str) -> Settings:
    environment = {**site.environment, "LEADLINE_DATA_DIR": str(folder), "LEADLINE_SECRETS__KEY": "A" * 43, **more}
    return await asyncio.to_thread(lambda: load(environ=environment))


async def ran(settings: Settings, tenant: str, query: str, page: str) -> None:
    """Put a run into the store that searched the web and read a page."""
    async with platform(settings) as running:
        new = NewRun(
            id=f"run-{tenant}",
            tenant=tenant,
            question=Question(text=query, language="en"),
            options=Options(web=True),
            seed=1,
        )
        run = await running.store.create(new, owner="test")
        found: Json = {"results": [{"query": query, "hits": [], "ignored": [], "failures": []}]}
        read: Json = {"pages": [{"url": page, "source_id": "s1"}]}
        events: list[Event] = [
            ToolAsked(call="1", tool="search", arguments={"query": query}, request=""),
            ToolAnswered(call="1", tool="search", value=found),
            ToolAsked(call="2", tool="visit", arguments={"url": page}, request=""),
            ToolAnswered(call="2", tool="visit", value=read),
        ]
        now = running.clock.now()
        await running.store.append(run.id, run.fence, [Entry(at=now, branch="", event=event) for event in events])


async def test_every_tenants_history_is_warmed_for_that_tenant_alone(site: SmallWeb, tmp_path: Path) -> None:
    settings = await settings_of(site, tmp_path)
    page = site.url("/bridge", host="127.0.0.1")
    async with open_accounts(settings) as accounts:
        for tenant in ("acme", "payer", "gone"):
            await accounts.tenants.create(tenant, name=tenant)
        await accounts.tenants.disable("gone", disabled=True)
        await accounts.vault.put("payer", "search.serper", "its-own-key")
    for tenant in ("local", "acme", "payer", "gone"):
        await ran(settings, tenant, f"stone bridge of {tenant}", page)
    done = await warm_cache(settings, history=3_600.0)
    assert (done.loaded, done.failed, done.skipped) == (4, 0, 0)  # a query and a page of two tenants
    asked = " ".join(request.target for request in site.asked("/search"))
    assert [tenant in asked for tenant in ("local", "acme", "payer", "gone")] == [True, True, False, False]
    spaces = (await cache_figures(settings)).spaces
    assert {space.owner for space in spaces if space.category == "page"} == {"local", "acme"}
    assert spaces[Space("public", "search")] == 2


async def test_what_gets_old_before_the_next_pass_is_loaded_anew(site: SmallWeb, tmp_path: Path) -> None:
    settings = await settings_of(site, tmp_path, LEADLINE_CACHING__SEARCH_SECONDS="900")
    listed = tmp_path / "list.txt"
    listed.write_text("stone bridge\n", encoding="utf-8")
    passes = [await warm_cache(settings, file=listed, before=before) for before in (300.0, 300.0)]
    assert [(done.loaded, done.fresh) for done in passes] == [(1, 0), (0, 1)]
    quick = await settings_of(site, tmp_path / "quick", LEADLINE_CACHING__SEARCH_SECONDS="0.5")
    await warm_cache(quick, file=listed)
    await asyncio.sleep(0.1)  # a tenth of its life and more, and not all of it
    done = await warm_cache(quick, file=listed, before=300.0, allowance=Allowance(loads=1))
    assert done.loaded == 1
