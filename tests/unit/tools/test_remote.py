from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from leadline import codec
from leadline.domain import Options, ToolCall
from leadline.errors import LimitReached, ProviderBroken, ProviderUnavailable
from leadline.ports import CallContext, Query
from leadline.resilience import Backoff, Breaker
from leadline.testing import FakeClock
from leadline.testing.search import fetched
from leadline.tools.gateway import Doors, Gateway
from leadline.tools.registry import ToolSet
from leadline.tools.remote import RemoteReader, RemoteScholar, RemoteSearch, Seen
from leadline.tools.search import SearchTool
from leadline.wire.http import AiohttpHttp, Reply, Request
from leadline.wire.tool_client import ToolClient
from leadline.wire.tool_shapes import source_body

PAGE = "https://a.test/"


class Http:
    """Answers the same again and again; keeps what it was asked."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = codec.encode(body)
        self.asked: list[dict[str, Any]] = []

    async def send(self, request: Request, *, deadline: float) -> Reply:
        self.asked.append(orjson.loads(request.data or b"{}"))
        return Reply(status=200, headers={}, body=self._body)


def client(body: Mapping[str, Any]) -> ToolClient:
    return ToolClient(Http(body), "http://h", tool="visit")


async def nothing_held(raw_sha256: str) -> bytes | None:
    return None


@pytest.mark.parametrize("body", [{}, {"results": "x"}, {"results": [{"url": 5}]}, {"sources": []}, {"sources": ["x"]}])
async def test_answers_of_another_shape_are_broken(body: dict[str, Any]) -> None:
    with pytest.raises(ProviderBroken):
        await RemoteSearch(client(body), name="web").search(Query(text="q"), deadline=1)
    with pytest.raises(ProviderBroken):
        await RemoteScholar(client(body)).papers(Query(text="q"), deadline=1)
    with pytest.raises(ProviderBroken):
        await RemoteReader(client(body), seen=Seen(), held=nothing_held).read(PAGE, deadline=1)


async def test_a_page_with_a_forged_text_is_broken() -> None:
    forged = {**source_body(fetched(PAGE, "true"), have=frozenset()), "text": "false"}
    with pytest.raises(ProviderBroken, match="hash"):
        await RemoteReader(client({"sources": [forged]}), seen=Seen(), held=nothing_held).read(PAGE, deadline=1)


async def test_what_is_held_is_named_and_put_back() -> None:
    page = fetched(PAGE, "true")
    http = Http({"sources": [source_body(page, have=frozenset({page.source.raw_sha256}))]})
    held: dict[str, bytes] = {}

    async def had(raw_sha256: str) -> bytes | None:
        return held.get(raw_sha256)

    reader = RemoteReader(ToolClient(http, "http://h", tool="visit"), seen=Seen(), held=had)
    assert (await reader.read(PAGE, deadline=1)).raw is None
    assert (await reader.read(PAGE, deadline=1)).raw is None
    held[page.source.raw_sha256] = page.raw or b""
    assert (await reader.read(PAGE, deadline=1)) == page
    assert [one["have"] for one in http.asked] == [[], [], [page.source.raw_sha256]]


def test_what_was_seen_is_bounded() -> None:
    seen = Seen()
    for number in range(2_500):
        seen.note(f"u{number}", "h")
    assert seen.hash_of("u0") is None
    assert seen.hash_of("u2499") == "h"


async def test_a_dead_service_shuts_the_door_of_its_tool() -> None:
    async with AiohttpHttp.open() as http:
        # Nothing listens on port 9 of this machine.
        dead = ToolClient(http, "http://127.0.0.1:9", tool="search", breaker=Breaker(threshold=99))
        tool = SearchTool([RemoteSearch(dead, name="web")], outside=frozenset({"web"}))
        options = Options(web=True)
        gateway = Gateway(
            ToolSet([tool]),
            options=options,
            question="q",
            doors=Doors(),
            clock=FakeClock(),
            backoff=Backoff(attempts=1),
        )
        context = CallContext(run_id="r", tenant="t", deadline=5, goal="g", language="en", options=options)
        for _ in range(5):
            with pytest.raises(ProviderUnavailable):
                await gateway.call(ToolCall(name="search", arguments={"query": "q"}), context)
        with pytest.raises(LimitReached, match="left alone"):
            await gateway.call(ToolCall(name="search", arguments={"query": "q"}), context)
