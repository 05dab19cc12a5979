"""Several services of the web at once, as the settings say: what they find together, cost, and keep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from leadline import Leadline
from leadline.domain import Usage
from leadline.errors import ToolFailed
from leadline.events import Record, ToolAnswered
from leadline.extract.children import ExtractPool
from leadline.ports import Query, Search
from leadline.resilience import SystemClock
from leadline.settings import Settings, load
from leadline.testing import HostileWeb, WebPage
from leadline.wiring.outgoing import Outgoing
from leadline.wiring.warming import Warming, Wish
from leadline.wiring.web import Web

QUERY = Query(text="stone bridge", limit=5)
QUESTION = "When was the lighthouse at Skerryvore first lit?"
LIT = WebPage(
    body=b"<title>Skerryvore</title><main>"
    + 3 * b"<p>The lighthouse at Skerryvore was first lit in 1844. It stands on a reef.</p>"
    + b"</main>"
)
SEARXNG, BRAVE, SERPER = "/search", "/res/v1/web/search", "/serper/search"


def found(*names: str, form: str) -> WebPage:
    """Return pages by their hosts' names, as a service answers."""
    urls = [name if "://" in name else f"https://{name}.example/" for name in names]
    rows: list[dict[str, Any]] = [{"url": url, "link": url, "title": "T", "content": "c"} for url in urls]
    body = {
        "searxng": {"results": rows},
        "brave": {"type": "search", "web": {"results": rows}},
        "serper": {"organic": rows},
    }
    return WebPage(body=orjson.dumps(body[form]), content_type="application/json")


@pytest.fixture
async def site() -> AsyncIterator[HostileWeb]:
    pages = {
        SEARXNG: found("a", "both", form="searxng"),
        BRAVE: found("c", "both", form="brave"),
        SERPER: found("e", form="serper"),
    }
    async with HostileWeb(pages) as web:
        yield web


async def settings(site: HostileWeb, **more: str) -> Settings:
    here = f"http://127.0.0.1:{site.port}"
    flags = {
        "search.providers": "searxng,brave,serper",
        "search.fuse": "2",
        "search.searxng.base_url": here,
        "search.brave.base_url": here,
        "search.serper.base_url": f"{here}/serper",
        "fetch.allow_private": "127.0.0.1/32",
        **{f"search.{name}.api_keys": f"key-{name}" for name in ("brave", "serper")},
        **{f"search.{name}.qps": "1000" for name in ("searxng", "brave", "serper")},
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    return await asyncio.to_thread(lambda: load(flags=flags, environ={}))


@asynccontextmanager
async def web(chosen: Settings, folder: Path) -> AsyncIterator[tuple[Web, Outgoing]]:
    async with ExtractPool(workers=1) as parser, Outgoing(chosen, clock=SystemClock(), folder=folder) as outgoing:
        yield Web(chosen, clock=SystemClock(), parser=parser, outgoing=outgoing), outgoing


async def names(search: Search) -> list[str]:
    return [hit.uri.split("/")[2].partition(".")[0] for hit in (await search.search(QUERY, deadline=10)).hits]


def asked(site: HostileWeb) -> dict[str, int]:
    return {path: len(site.asked(path)) for path in (SEARXNG, BRAVE, SERPER)}


async def test_unless_more_are_asked_for_the_first_that_answers_counts(site: HostileWeb, tmp_path: Path) -> None:
    async with web(await settings(site, search__fuse="1"), tmp_path) as (one, _):
        assert await names(await one.search("acme")) == ["a", "both"]
    assert asked(site) == {SEARXNG: 1, BRAVE: 0, SERPER: 0}


@pytest.mark.parametrize(
    ("weights", "expected"),
    [({}, ["both", "a", "c"]), ({"search__brave__weight": "2.5"}, ["both", "c", "a"])],
)
async def test_several_are_asked_at_once_and_joined_by_their_weights(
    site: HostileWeb, tmp_path: Path, weights: Mapping[str, str], expected: list[str]
) -> None:
    async with web(await settings(site, **weights), tmp_path) as (one, _):
        search = await one.search("acme")
        assert await names(search) == expected
        assert await names(search) == expected
    assert asked(site) == {SEARXNG: 1, BRAVE: 1, SERPER: 0}  # each answer is kept by itself
    async with web(await settings(site, search__fuse="3", **weights), tmp_path) as (two, _):
        assert "e" in await names(await two.search("acme"))
    assert asked(site) == {SEARXNG: 1, BRAVE: 1, SERPER: 1}


async def test_for_a_key_that_expired_the_next_service_stands_in(site: HostileWeb, tmp_path: Path) -> None:
    site.pages[BRAVE] = WebPage(status=401)
    async with web(await settings(site), tmp_path) as (one, _):
        search = await one.search("acme")
        assert await names(search) == ["a", "e", "both"]
        site.pages[SERPER] = WebPage(status=500)
        thin = await search.search(Query(text="another"), deadline=10)
        assert [one.provider for one in thin.failures] == ["brave", "serper"]
        site.pages[SEARXNG] = WebPage(status=500)
        with pytest.raises(ToolFailed, match=r"searxng: .*brave: .*serper: "):
            await search.search(Query(text="a third"), deadline=10)


async def test_each_service_is_paid_for_and_an_answer_that_was_kept_is_not(site: HostileWeb, tmp_path: Path) -> None:
    prices = {"search__searxng__usd": "0.25", "search__brave__usd": "0.5", "search__serper__usd": "8"}
    async with web(await settings(site, **prices), tmp_path) as (one, outgoing):
        warming = Warming(one._settings, web=one, outgoing=outgoing, now=SystemClock().now)
        wishes = [(Wish(tenant="acme", query=QUERY), SystemClock().now())]
        done = await warming.warm(wishes, seconds=20, usd=0.6, most=10, before=0)
        assert (done.loaded, done.skipped) == (0, 1)  # 0.75 for the two that it would ask
        done = await warming.warm(wishes, seconds=20, usd=1, most=10, before=0)
        assert (done.loaded, done.usd) == (1, 0.75)
        search = await one.search("acme")
        assert (await search.search(QUERY, deadline=10)).usd == 0
        assert (await search.search(Query(text="another"), deadline=10)).usd == 0.75


async def test_a_run_tells_its_cost_and_a_replay_asks_nobody(site: HostileWeb, tmp_path: Path) -> None:
    lit = f"http://127.0.0.1:{site.port}/lit"
    site.pages |= {"/lit": LIT, SEARXNG: found(lit, "a", form="searxng"), BRAVE: found("c", lit, form="brave")}
    prices = {"search__searxng__usd": "0.25", "search__brave__usd": "0.5", "data_dir": str(tmp_path)}
    prices |= {"search__weight": "2", "caching__memory": "65536"}
    async with Leadline(await settings(site, **prices)) as engine:
        run_id = await engine.start(QUESTION, docs=[], options=engine.options(web=True))
        report = await engine.result(run_id)
        sent = len(site.requests)
        assert await engine.replay(run_id) == report
        events = [record.event for record in await engine.records(run_id)]
        searches = [event for event in events if isinstance(event, ToolAnswered) and event.tool == "search"]
        values: list[Any] = [event.value for event in searches]
        queries = [result for value in values for result in value["results"]]
        assert [queries[0]["hits"][0]["uri"], queries[0]["failures"]] == [lit, []]
        assert sum((event.usage for event in searches), Usage()).cost_usd == 0.75 * len(queries)
        assert report.usage.cost_usd == 0.75 * len(queries)
    assert len(site.requests) == sent
    assert "1844" in report.claims[0].text
    assert site.asked(SERPER) == []


async def test_a_resumed_run_keeps_what_its_services_found(site: HostileWeb, tmp_path: Path) -> None:
    lit = f"http://127.0.0.1:{site.port}/lit"
    slow = replace(LIT, delay=60.0)
    site.pages |= {"/lit": slow, SEARXNG: found(lit, "a", form="searxng"), BRAVE: found("c", lit, form="brave")}
    chosen = await settings(site, data_dir=str(tmp_path), cache="off")
    async with Leadline(chosen) as engine:
        run_id = await engine.start(QUESTION, docs=[], options=engine.options(web=True))
        answered = (
            record.event
            async for record in engine.stream(run_id)
            if isinstance(record, Record) and isinstance(record.event, ToolAnswered)
        )
        before = await anext(answered)
    sent = asked(site)
    site.pages |= {"/lit": LIT, SEARXNG: found("x", form="searxng"), BRAVE: WebPage(status=500)}
    async with Leadline(chosen) as engine:
        await engine.resume(run_id)
        report = await engine.result(run_id)
        events = [record.event for record in await engine.records(run_id)]
        assert await engine.replay(run_id) == report
    assert [event for event in events if isinstance(event, ToolAnswered) and event.call == before.call] == [before]
    assert (before.tool, asked(site)) == ("search", sent)
    assert "1844" in report.claims[0].text


@pytest.mark.parametrize(("weight", "first"), [("1", "lit.txt"), ("2", "a.example")])
async def test_the_web_weighs_beside_documents_what_the_settings_say(
    site: HostileWeb, tmp_path: Path, weight: str, first: str
) -> None:
    documents = tmp_path / "lit.txt"
    await asyncio.to_thread(documents.write_text, "The lighthouse at Skerryvore was first lit in 1844.\n", "utf-8")
    site.pages |= {SEARXNG: found("a", form="searxng"), BRAVE: found("a", form="brave")}
    chosen = await settings(site, data_dir=str(tmp_path / "data"), search__weight=weight)
    async with Leadline(chosen) as engine:
        run_id = await engine.start(QUESTION, docs=[documents], options=engine.options(web=True))
        await engine.result(run_id)
        events = [record.event for record in await engine.records(run_id)]
    values: list[Any] = [event.value for event in events if isinstance(event, ToolAnswered) and event.tool == "search"]
    assert first in values[0]["results"][0]["hits"][0]["uri"]
