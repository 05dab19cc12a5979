"""A tool's service over real HTTP: shapes, keys, hostile bodies, failures, deadlines, clients that go away."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

import aiohttp
import pytest
from tests.support.tool_services import CannedHost, tool_service

from leadline.domain import Fetched, sha256
from leadline.errors import (
    FetchRateLimited,
    Forbidden,
    LimitReached,
    MissingExtra,
    NotFound,
    ProviderDenied,
    SettingsError,
    ToolError,
)
from leadline.ports import Found, OutFile, Program, Query, Ran
from leadline.service.keys import check_host
from leadline.service.serving import Leaving, Listen
from leadline.service.tools.run import run_tool
from leadline.settings import Settings
from leadline.testing import CannedReader, CannedSearch, hit
from leadline.testing.search import fetched
from leadline.wire.papers import Paper, Papers

PAGE = "https://a.test/page"
TEXT = "The harbour is five fathoms deep. Gulls sit on the quay."


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: Any


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def post(client: aiohttp.ClientSession, url: str, body: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with client.post(url, data=data, headers={"Content-Type": "application/json", **named}) as reply:
        raw = await reply.read()
        return Answer(reply.status, reply.headers, json.loads(raw) if raw else None)


async def test_search_takes_the_known_shape_and_answers_in_it(client: aiohttp.ClientSession) -> None:
    search = CannedSearch({"": [hit(PAGE, title="A page", snippet="five fathoms")]}, name="web")
    host = CannedHost(searching=search)
    async with tool_service("search", host) as url:
        body = {"query": "how deep", "num_results": 3, "filter_year": None}
        answer = await post(client, f"{url}/search", body, Leadline_Tenant="t1")
    assert answer.status == 200
    (result,) = answer.body["results"]
    assert (result["title"], result["url"], result["snippet"]) == ("A page", PAGE, "five fathoms")
    assert search.queries == [Query(text="how deep", limit=3)]
    assert host.tenants == ["t1"]


async def test_every_filter_of_a_query_arrives(client: aiohttp.ClientSession) -> None:
    search = CannedSearch({}, name="web")
    async with tool_service("search", CannedHost(searching=search)) as url:
        body = {"query": "q", "filter_year": 2024, "language": "zh", "sites": ["a.test"], "exclude": ["b.test"]}
        answer = await post(client, f"{url}/search", {**body, "since": "2024-03"})
    assert answer.body["results"] == []
    asked = Query(text="q", language="zh", sites=("a.test",), exclude=("b.test",), since="2024-03", year=2024)
    assert search.queries == [asked]


async def test_visit_gives_the_content_and_the_source(client: aiohttp.ClientSession) -> None:
    host = CannedHost(reading=CannedReader({PAGE: TEXT}))
    async with tool_service("visit", host) as url:
        answer = await post(client, f"{url}/visit", {"url": PAGE, "goal": "how deep"})
        known = await post(client, f"{url}/visit", {"url": PAGE, "content": False, "have": [sha256(TEXT.encode())]})
    assert "five fathoms" in answer.body["content"]
    (source,) = answer.body["sources"]
    assert (source["text"], source["raw_sha256"], source["extractor"]) == (TEXT, sha256(TEXT.encode()), "plain/1")
    assert base64.b64decode(source["raw"]) == TEXT.encode()
    assert "raw" not in known.body["sources"][0]
    assert known.body["content"] == ""


async def test_scholar_and_summarize_answer(client: aiohttp.ClientSession) -> None:
    class Library:
        async def papers(self, query: Query, *, deadline: float) -> Papers:
            paper = Paper(title="On depth", uri="https://doi.org/10.1/x", authors=("A. B.",), year=1999)
            return Papers(papers=(paper,), failures=(("openalex", ProviderDenied("the key is wrong")),))

    async with tool_service("scholar", CannedHost(scholar=Library())) as url:
        answer = await post(client, f"{url}/scholar", {"query": "depth"})
    assert answer.body["results"][0]["authors"] == ["A. B."]
    assert answer.body["failures"][0]["code"] == "provider_denied"
    async with tool_service("summarize", CannedHost()) as url:
        answer = await post(client, f"{url}/summarize", {"content": TEXT, "goal": "depth"})
    assert (answer.body["summary"], answer.body["evidence"]) == ("about depth", [TEXT[:40]])


async def test_python_gives_files_both_ways(client: aiohttp.ClientSession) -> None:
    class Box:
        async def run(self, program: Program) -> Ran:
            self.program = program
            out = OutFile(name="out.bin", data=program.files["in.bin"] * 2, media_type="application/octet-stream")
            return Ran(stdout="1", stderr="", exit=3, files=(out,), killed_by="time", fresh=False)

    box = Box()
    async with tool_service("python", CannedHost(sandbox=box)) as url:
        body = {"code": "x", "files": {"in.bin": base64.b64encode(b"\0\xff").decode()}, "timeout": 5, "session": "s"}
        answer = await post(client, f"{url}/python", body, Leadline_Tenant="t")
        broken = await post(client, f"{url}/python", {"code": "x", "files": {"a": "%%"}})
    assert answer.body["files"] == {"out.bin": base64.b64encode(b"\0\xff\0\xff").decode()}
    assert (answer.body["exit"], answer.body["killed_by"], answer.body["fresh"]) == (3, "time", False)
    assert (box.program.timeout, box.program.session) == (5, "t/s")
    assert (broken.status, broken.body["code"]) == (422, "invalid_arguments")


@pytest.mark.parametrize(
    ("error", "status", "more"),
    [
        (NotFound("no such page"), 404, {"code": "not_found", "detail": "no such page"}),
        (Forbidden("a private address"), 403, {"code": "forbidden"}),
        (ProviderDenied("the key is wrong"), 502, {"code": "provider_denied"}),
        (LimitReached("busy", retry_after=2.2), 429, {"code": "limit_reached", "retry_after": 2.2}),
        (FetchRateLimited("wait", status=503, retry_after=9.0), 429, {"page_status": 503, "retry_after": 9.0}),
    ],
)
async def test_failures_are_typed_problems(
    client: aiohttp.ClientSession, error: ToolError, status: int, more: dict[str, Any]
) -> None:
    host = CannedHost(reading=CannedReader({PAGE: error}))
    async with tool_service("visit", host) as url:
        answer = await post(client, f"{url}/visit", {"url": PAGE}, X_Request_Id="abc-1")
    assert answer.status == answer.body["status"] == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body | more == answer.body
    assert answer.headers["X-Request-Id"] == "abc-1"
    assert answer.body["instance"] == "urn:leadline:request:abc-1"
    after = answer.headers.get("Retry-After")
    assert after == (str(round(more["retry_after"])) if "retry_after" in more else None)


async def test_what_breaks_inside_stays_inside(client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        name = "web"

        async def search(self, query: Query, *, deadline: float) -> Found:
            raise RuntimeError("password is hunter2 in /srv/secret")

    class Misset(Broken):
        async def search(self, query: Query, *, deadline: float) -> Found:
            raise SettingsError("/srv/secret is not readable")

    for broken in (Broken(), Misset()):
        async with tool_service("search", CannedHost(searching=broken)) as url:
            answer = await post(client, f"{url}/search", {"query": "q"}, X_Request_Id="id of mine")
        assert (answer.status, answer.body["code"]) == (500, "internal")
        assert "secret" not in json.dumps(answer.body)
        assert answer.headers["X-Request-Id"] != "id of mine"
    assert [record.message for record in caplog.records] == ["request_broke"] * 2


HOSTILE: list[tuple[bytes, int, str]] = [
    (b"", 422, "invalid_arguments"),
    (b"{", 422, "invalid_arguments"),
    (b"[]", 422, "invalid_arguments"),
    (b"null", 422, "invalid_arguments"),
    (b'{"query": 1}', 422, "invalid_arguments"),
    (b'{"query": ""}', 422, "invalid_arguments"),
    (b'{"query": "q", "num_results": "5"}', 422, "invalid_arguments"),
    (b'{"query": "q", "num_results": 101}', 422, "invalid_arguments"),
    (b'{"query": "q", "num_results": true}', 422, "invalid_arguments"),
    (b'{"query": "q", "filter_year": 99}', 422, "invalid_arguments"),
    (b'{"query": "q", "nobody": "knows"}', 422, "invalid_arguments"),
    (b'{"query": "q", "language": "en; rm"}', 422, "invalid_arguments"),
    (b'{"query": "\xff"}', 422, "invalid_arguments"),
    (b'{"query": "\\ud800"}', 422, "invalid_arguments"),
    (b'{"query": ' + b"[" * 40 + b"]" * 40 + b"}", 400, "too_deep"),
    (b"[" * 200_000, 400, "too_deep"),
    (b'{"query": "' + b"q" * (300 << 10) + b'"}', 413, "too_large"),
]


async def test_hostile_bodies_are_refused(client: aiohttp.ClientSession) -> None:
    search = CannedSearch({}, name="web")
    async with tool_service("search", CannedHost(searching=search)) as url:
        for body, status, code in HOSTILE:
            answer = await post(client, f"{url}/search", body)
            assert (answer.status, answer.body["code"]) == (status, code), body[:80]
        assert (await post(client, f"{url}/search", {"query": "[[[[ " * 20})).status == 200
    assert len(search.queries) == 1


async def test_a_body_without_end_is_cut_off(client: aiohttp.ClientSession) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65_536

    async with tool_service("search", CannedHost()) as url:
        headers = {"Content-Type": "application/json"}
        try:
            async with client.post(f"{url}/search", data=endless(), headers=headers) as reply:
                assert reply.status == 413
        except aiohttp.ClientError:
            pass  # it hung up on us, which is as good


async def test_other_paths_types_and_methods(client: aiohttp.ClientSession) -> None:
    async with tool_service("search", CannedHost()) as url:
        assert (await post(client, f"{url}/visit", {"url": PAGE})).body["code"] == "no_such_path"
        assert (await post(client, f"{url}/search", b"query=q", Content_Type="text/plain")).status == 415
        async with client.get(f"{url}/search") as reply:
            assert (reply.status, (await reply.json(content_type=None))["code"]) == (405, "method_not_allowed")
        async with client.get(f"{url}/openapi.json") as reply:
            assert "/search" in (await reply.json())["paths"]


async def test_a_wrong_key_is_refused(client: aiohttp.ClientSession) -> None:
    search = CannedSearch({}, name="web")
    async with tool_service("search", CannedHost(searching=search), key="right") as url:
        for given in (None, "Bearer wrong", "Bearer", "Basic right", "right", "Bearer right2", "Bearer é"):
            headers = {} if given is None else {"Authorization": given}
            answer = await post(client, f"{url}/search", {"query": "q"}, **headers)
            assert (answer.status, answer.body["code"]) == (401, "unauthorized"), given
            assert "WWW-Authenticate" in answer.headers
        async with client.get(f"{url}/openapi.json") as reply:
            assert reply.status == 401
        async with client.get(f"{url}/healthz") as reply:
            assert reply.status == 200
        assert search.queries == []
        assert (await post(client, f"{url}/search", {"query": "q"}, Authorization="bearer right")).status == 200


async def test_without_a_key_only_this_machines_names_are_answered(client: aiohttp.ClientSession) -> None:
    async with tool_service("search", CannedHost()) as url:
        for host, status in (
            ("evil.test", 421),
            ("127.0.0.1.evil.test:80", 421),
            ("", 421),
            ("[::1]:8001", 200),
            ("LocalHost", 200),
        ):
            answer = await post(client, f"{url}/search", {"query": "q"}, Host=host)
            assert answer.status == status, host
    async with tool_service("search", CannedHost(), key="k") as url:
        named = await post(client, f"{url}/search", {"query": "q"}, Host="tools.internal", Authorization="Bearer k")
        assert named.status == 200


async def test_without_the_extra_it_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "leadline.service.tools.app")
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(MissingExtra, match=r"leadline\[server\]"):
        await run_tool(Settings(), "search", Listen(host="127.0.0.1", port=0), started=lambda _url: None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104 refused
def test_without_a_key_only_loopback_is_served(host: str) -> None:
    check_host(host, has_key=True, setting="X")
    with pytest.raises(SettingsError, match="set X"):
        check_host(host, has_key=False, setting="X")
    for own in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        check_host(own, has_key=False, setting="X")


class Slow:
    """A reader that never ends and tells when it was cancelled."""

    def __init__(self) -> None:
        self.began, self.ended = asyncio.Event(), asyncio.Event()
        self.deadline = 0.0

    def reads(self, uri: str) -> bool:
        return True

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        self.deadline = deadline
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        return fetched(uri, "")


async def test_a_client_that_goes_away_ends_the_work(client: aiohttp.ClientSession) -> None:
    slow = Slow()
    async with tool_service("visit", CannedHost(reading=slow)) as url, asyncio.TaskGroup() as group:
        asking = group.create_task(post(client, f"{url}/visit", {"url": PAGE}))
        await slow.began.wait()
        assert not slow.ended.is_set()
        asking.cancel()
        await asyncio.wait_for(slow.ended.wait(), 30)


async def test_a_deadline_crosses_and_is_kept(client: aiohttp.ClientSession) -> None:
    slow = Slow()
    async with tool_service("visit", CannedHost(reading=slow)) as url:
        body = {"url": PAGE, "content": False}
        answer = await post(client, f"{url}/visit", body, Leadline_Deadline_Ms="120")
        assert (answer.status, answer.body["code"]) == (504, "deadline")
        assert slow.deadline == pytest.approx(0.12)
        assert slow.ended.is_set()


@pytest.mark.parametrize(("given", "seconds"), [("x", 60.0), ("-5", 60.0), ("9" * 9, 600.0), ("9" * 30, 60.0)])
async def test_an_odd_deadline_is_bounded(client: aiohttp.ClientSession, given: str, seconds: float) -> None:
    class Noting(CannedReader):
        deadline = 0.0

        async def read(self, uri: str, *, deadline: float) -> Fetched:
            self.deadline = deadline
            return await super().read(uri, deadline=deadline)

    reader = Noting({PAGE: TEXT})
    async with tool_service("visit", CannedHost(reading=reader)) as url:
        body = {"url": PAGE, "content": False}
        assert (await post(client, f"{url}/visit", body, Leadline_Deadline_Ms=given)).status == 200
    assert reader.deadline == seconds


async def test_a_service_that_leaves_says_so(client: aiohttp.ClientSession) -> None:
    leaving = Leaving()
    async with tool_service("search", CannedHost(), leaving=leaving) as url:
        async with client.get(f"{url}/readyz") as reply:
            assert reply.status == 200
        leaving.begin()
        async with client.get(f"{url}/readyz") as reply:
            assert reply.status == 503
        assert (await post(client, f"{url}/search", {"query": "q"})).status == 200
