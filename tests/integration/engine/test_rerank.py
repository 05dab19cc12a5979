"""The engine with a server that reranks: the settings wire it, a replay needs none, and one that is away costs no run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from leadline import Leadline
from leadline.ops.doctor.finding import Status
from leadline.ops.doctor.look import Look
from leadline.ops.doctor.models import rerank
from leadline.settings import Settings, load

QUESTION = "When did the Orlova sink?"
KEY = "rerank-key-1"

pytestmark = pytest.mark.blocking("opens an engine, whose parts read small files")


@asynccontextmanager
async def server(asked: list[dict[str, Any]]) -> AsyncIterator[str]:
    """A server that likes long texts least, and knows its key."""

    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        body = orjson.loads(await request.read())
        asked.append(body)
        rows = [{"index": at, "relevance_score": -float(len(text))} for at, text in enumerate(body["documents"])]
        return web.json_response({"results": rows})

    app = web.Application()
    app.router.add_post("/v1/rerank", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, more in (("a", " It had been built in 1976 in Yugoslavia and sailed for decades."), ("b", "")):
        text = f"# Ferry {name}\n\nThe cruise ship Orlova sank in 2013 off Ireland.{more}\n"
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return folder


async def settings(tmp_path: Path, url: str) -> Settings:
    flags = {"data_dir": str(tmp_path / "data"), "rerank.url": url, "rerank.name": "long", "rerank.api_key": KEY}
    return await asyncio.to_thread(lambda: load(flags=flags, environ={}))


async def told(engine: Leadline, run_id: str) -> list[dict[str, Any]]:
    """Return what the run's searches recorded."""
    found: list[dict[str, Any]] = []
    async for item in engine.stream(run_id):
        value = getattr(getattr(item, "event", None), "value", None)
        if isinstance(value, dict) and "results" in value:
            found += value["results"]
    return found


async def test_a_run_asks_for_an_order_and_its_replay_does_not(tmp_path: Path, documents: Path) -> None:
    asked: list[dict[str, Any]] = []
    async with server(asked) as url, Leadline(await settings(tmp_path, url)) as engine:
        run_id = await engine.start(QUESTION, docs=[documents])
        report = await engine.result(run_id)
        results = await told(engine, run_id)
        assert {body["model"] for body in asked} == {"long"}
        assert any("Orlova sank" in text for body in asked for text in body["documents"])
        both = next(result for result in results if len(result["hits"]) == 2)
        lengths = [len(f"{hit['title']} {hit['snippet']}") for hit in both["hits"]]
        assert (both["reranked"], lengths) == (True, sorted(lengths))
        number = len(asked)
        assert await engine.replay(run_id) == report
        assert len(asked) == number
    async with Leadline(await settings(tmp_path, url)) as engine:
        assert await engine.replay(run_id) == report, "its server is gone"


async def test_a_run_goes_on_by_the_ranks_where_the_server_is_gone(tmp_path: Path, documents: Path) -> None:
    async with Leadline(await settings(tmp_path, "http://127.0.0.1:1/v1")) as engine:
        run_id = await engine.start(QUESTION, docs=[documents])
        report = await engine.result(run_id)
        assert all("reranked" not in result for result in await told(engine, run_id))
    assert "2013" in report.claims[0].text


async def test_the_doctor_asks_it(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []
    async with server(asked) as url:
        look = Look(settings=await settings(tmp_path, url))
        assert (await rerank(look)).status is Status.HEALTHY
    assert len(asked) == 1
    assert (await rerank(look)).status is Status.UNHEALTHY
