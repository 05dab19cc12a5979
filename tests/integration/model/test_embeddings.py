"""Vectors and relevance from a real HTTP server, with what such servers get wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web

from leadline.errors import ContextOverflow, ModelBroken, ModelError, ModelTimeout, ModelUnavailable
from leadline.model.embeddings import EmbeddingModel, Reranker
from leadline.model.ranker import ServerRanker
from leadline.resilience import Backoff

Handler = Callable[[dict[str, Any]], Any]
ONCE = Backoff(attempts=1)


def rows(body: dict[str, Any]) -> dict[str, Any]:
    data = [{"index": at, "embedding": [float(len(text)), 1.0]} for at, text in enumerate(body["input"])]
    return {"data": data[::-1]}


def ranked(body: dict[str, Any]) -> dict[str, Any]:
    scored = [
        {"index": at, "relevance_score": float(len(set(body["query"].split()) & set(text.split())))}
        for at, text in enumerate(body["documents"])
    ]
    return {"results": sorted(scored, key=lambda row: -row["relevance_score"])}


class Site:
    """A server that answers by `handler` and remembers what it was asked."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.asked: list[dict[str, Any]] = []
        self.url = ""
        self.keys: set[str | None] = set()

    async def serve(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        self.asked.append(body)
        self.keys.add(request.headers.get("Authorization"))
        answer = self.handler(body)
        if isinstance(answer, web.Response):
            return answer
        if isinstance(answer, float):
            await asyncio.sleep(answer)
        return web.Response(body=orjson.dumps(answer), content_type="application/json")


@asynccontextmanager
async def site(handler: Handler) -> AsyncIterator[Site]:
    here = Site(handler)
    app = web.Application()
    app.router.add_post("/v1/{path}", here.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    here.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield here
    finally:
        await runner.cleanup()


async def test_callers_share_requests_and_get_their_own_vectors() -> None:
    async with site(rows) as here, EmbeddingModel(here.url, model="e", api_key="k", most=16, delay=0.02) as model:
        loop = asyncio.get_running_loop()
        calls = [loop.create_task(model.embed("x" * size)) for size in range(1, 41)]
        assert [(await call)[0] for call in calls] == [float(size) for size in range(1, 41)]
    assert len(here.asked) == 3
    assert here.asked[0]["model"] == "e"
    assert here.keys == {"Bearer k"}


async def test_a_list_keeps_its_order_and_dimensions_are_asked_for() -> None:
    async with site(rows) as here, EmbeddingModel(here.url, model="e", dimensions=2) as model:
        assert await model.embed_all(["aaa", "a", "aa"]) == [(3.0, 1.0), (1.0, 1.0), (2.0, 1.0)]
        assert await model.embed_all([]) == []
    assert here.asked[0]["dimensions"] == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"data": []}, ModelBroken),
        ({"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]}, ModelBroken),
        ({"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]}, ModelBroken),
        ({"data": [{"index": 0, "embedding": ["x"]}, {"index": 1, "embedding": [1.0]}]}, ModelBroken),
        ({"data": [{"index": 0}, {"index": 1}]}, ModelBroken),
        ([1, 2], ModelBroken),
        (web.Response(text="<html>"), ModelBroken),
        (web.Response(status=503, text="busy"), ModelUnavailable),
        (web.Response(status=400, text='{"error": {"message": "maximum context length is 512"}}'), ContextOverflow),
        (web.Response(status=400, text='{"error": "no"}'), ModelError),
        (0.5, ModelTimeout),
    ],
    ids=[
        "short", "twice", "ragged", "text", "empty", "list", "html", "503", "overflow", "400", "slow",
    ],
)  # fmt: skip
async def test_failures_are_typed_and_reach_every_caller(answer: Any, error: type[ModelError]) -> None:
    async with (
        site(lambda _body: answer) as here,
        EmbeddingModel(here.url, model="e", backoff=ONCE, seconds=0.2) as model,
    ):
        loop = asyncio.get_running_loop()
        calls = [loop.create_task(model.embed(text)) for text in ("a", "b")]
        await asyncio.wait(calls)
    assert [type(call.exception()) for call in calls] == [error, error]


async def test_a_server_that_is_busy_is_asked_again() -> None:
    def busy_once(body: dict[str, Any]) -> Any:
        state["calls"] += 1
        return web.Response(status=503) if state["calls"] == 1 else rows(body)

    state = {"calls": 0}
    backoff = Backoff(attempts=2, base=0.001)
    async with site(busy_once) as here, EmbeddingModel(here.url, model="e", backoff=backoff) as model:
        assert await model.embed("abc") == (3.0, 1.0)


async def test_documents_are_scored_in_their_order_and_callers_share() -> None:
    async with site(ranked) as here, Reranker(here.url, model="r", delay=0.02) as model:
        loop = asyncio.get_running_loop()
        first = loop.create_task(model.scores("red fish", ["blue", "red fish", "fish"]))
        second = loop.create_task(model.scores("red fish", ["red"]))
        third = loop.create_task(model.scores("blue", ["blue sky", "fish"]))
        assert [await first, await second, await third] == [[0.0, 2.0, 1.0], [1.0], [1.0, 0.0]]
    assert sorted(len(body["documents"]) for body in here.asked) == [2, 4]


async def test_a_ranker_that_is_away_is_left_alone_for_a_while() -> None:
    async with (
        site(lambda _body: 5.0) as here,
        ServerRanker(here.url + "/rerank", name="r", seconds=0.05) as ranker,
    ):
        for _ in range(3):
            with pytest.raises(ModelTimeout):
                await ranker.scores("q", ["a", "b"], deadline=9.0)
        with pytest.raises(ModelUnavailable, match="left alone"):
            await ranker.scores("q", ["a", "b"], deadline=9.0)
        assert len(here.asked) == 3


async def test_an_order_comes_within_the_callers_time() -> None:
    async with site(ranked) as here, ServerRanker(here.url, name="r", api_key="k") as ranker:
        assert list(await ranker.scores("red fish", ["blue", "red fish"], deadline=5.0)) == [0.0, 2.0]
        assert here.keys == {"Bearer k"}
        here.handler = lambda _body: 5.0
        with pytest.raises(ModelTimeout):
            await ranker.scores("red fish", ["blue", "red fish"], deadline=0.05)


async def test_an_error_of_the_reranker_is_the_error_itself() -> None:
    async with (
        site(lambda _body: web.Response(status=503, text="busy")) as here,
        Reranker(here.url, model="r", backoff=ONCE) as model,
    ):
        with pytest.raises(ModelUnavailable):
            await model.scores("q", ["a", "b"])
