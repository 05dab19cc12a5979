"""The tools' ports, here and behind a service: who asks cannot tell which."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.support.tool_services import CannedHost, tool_service

from leadline.blobs.memory import MemoryBlobs
from leadline.cpu import InlineCpu
from leadline.domain import Fetched, Mark, Options, ToolResult, Usage
from leadline.errors import (
    FetchRateLimited,
    FetchTimeout,
    Forbidden,
    LimitReached,
    NotFound,
    ProviderDenied,
    ProviderLimited,
    ToolError,
    ToolFailed,
)
from leadline.ports import (
    CallContext,
    Found,
    NoSummary,
    OutFile,
    Program,
    Query,
    Ran,
    Reader,
    Said,
    Sandbox,
    Search,
    Summarizer,
)
from leadline.sandbox.remote import RemoteSandbox
from leadline.sandbox.types import Limits
from leadline.testing import CannedReader, CannedSearch, hit
from leadline.testing.search import fetched
from leadline.tools.python import PythonTool
from leadline.tools.remote import RemoteReader, RemoteScholar, RemoteSearch, Seen
from leadline.tools.scholar import ScholarTool
from leadline.tools.search import SearchTool
from leadline.tools.summarizers import RemoteSummarizer
from leadline.tools.visit import VisitTool
from leadline.wire.http import AiohttpHttp
from leadline.wire.papers import Paper, Papers, Scholar
from leadline.wire.tool_client import ToolClient

ONE, TWO, KEY = "https://a.test/1", "https://a.test/2", "a-shared-key"
TEXT = "The harbour is five fathoms deep.\n港口很深。 ﬁne – “quoted” \U0001f6a2 \u200b end."

pytestmark = pytest.mark.parametrize("place", ["here", "behind a service"])


class Places:
    """Gives a part as it is, or behind a service of its own."""

    def __init__(self, stack: AsyncExitStack, *, remote: bool) -> None:
        self._stack = stack
        self._remote = remote
        self.held: dict[str, bytes] = {}
        self.sent: list[Mapping[str, Any]] = []

    async def search(self, part: Search) -> Search:
        if not self._remote:
            return part
        return RemoteSearch(await self.client("search", CannedHost(searching=part)), name=part.name, tenant="t")

    async def reader(self, part: Reader) -> Reader:
        if not self._remote:
            return part

        async def held(sha: str) -> bytes | None:
            return self.held.get(sha)

        client = await self.client("visit", CannedHost(reading=part))
        return RemoteReader(client, seen=Seen(), held=held, tenant="t")

    async def scholar(self, part: Scholar) -> Scholar:
        return RemoteScholar(await self.client("scholar", CannedHost(scholar=part))) if self._remote else part

    async def summarizer(self, part: Summarizer) -> Summarizer:
        if not self._remote:
            return part
        return RemoteSummarizer([await self.client("summarize", CannedHost(summarizer=part))])

    async def sandbox(self, part: Sandbox) -> Sandbox:
        if not self._remote:
            return part
        url = await self._stack.enter_async_context(tool_service("python", CannedHost(sandbox=part), key=KEY))
        return await self._stack.enter_async_context(RemoteSandbox(url, limits=Limits(), key=KEY))

    async def client(self, tool: str, host: CannedHost) -> ToolClient:
        url = await self._stack.enter_async_context(tool_service(tool, host, key=KEY))
        http = await self._stack.enter_async_context(AiohttpHttp.open(most_bytes=1 << 26))
        return ToolClient(http, url, tool=tool, key=KEY)


@asynccontextmanager
async def places(place: str) -> AsyncIterator[Places]:
    async with AsyncExitStack() as stack:
        yield Places(stack, remote=place != "here")


@pytest.fixture
def context() -> CallContext:
    return CallContext(run_id="r", tenant="t", deadline=10.0, goal="how deep", language="en", options=Options(web=True))


def marked(uri: str, text: str) -> Fetched:
    page = fetched(uri, text, title="A page", provider="web")
    source = replace(
        page.source,
        authors=("A. B.",),
        published="2024-03-05",
        language="en",
        final_uri=TWO,
        fetched_at="2026-01-01T00:00:00+00:00",
        truncated=True,
        marks=(Mark(start=0, label="heading: Depth"), Mark(start=10, label="page 2")),
    )
    return replace(page, source=source, links=("https://a.test/next", "https://b.test/"))


class Pages(CannedReader):
    """Pages with everything that a source can have."""

    def reads(self, uri: str) -> bool:
        return True

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        return marked(uri, (await super().read(uri, deadline=deadline)).text)


async def test_searching(place: str, context: CallContext) -> None:
    found = [hit(ONE, title="One ﬁ", snippet="five fathoms"), replace(hit(TWO), published="2024", score=0.5)]
    async with places(place) as at:
        search = await at.search(CannedSearch({"deep": found, "denied": ProviderDenied("no key")}, name="web"))
        result = await SearchTool([search]).call({"query": ["how deep", "nothing"], "num_results": 5}, context)
        assert await search.search(Query(text="deep", limit=1), deadline=5) == Found(hits=(found[0],))
    assert (
        result.value
        == (
            await SearchTool([CannedSearch({"deep": found}, name="web")]).call(
                {"query": ["how deep", "nothing"], "num_results": 5}, context
            )
        ).value
    )


async def test_reading(place: str, context: CallContext) -> None:
    pages = Pages({ONE: TEXT, TWO: "other text", "https://a.test/gone": NotFound("it is gone")})
    arguments: dict[str, Any] = {"url": [ONE, TWO, "https://a.test/gone"], "goal": "how deep is it"}
    here = VisitTool([pages], cpu=InlineCpu())
    wanted = await here.call(arguments, context)
    async with places(place) as at:
        there = VisitTool([await at.reader(pages)], cpu=InlineCpu())
        result = await there.call(arguments, context)
    assert result == wanted
    assert there.render(result.value, texts_of(result)) == here.render(wanted.value, texts_of(wanted))


async def test_raw_bytes_that_are_held_need_not_travel(place: str) -> None:
    page = marked(ONE, TEXT)
    async with places(place) as at:
        reader = await at.reader(Pages({ONE: TEXT}))
        assert await reader.read(ONE, deadline=5) == page
        at.held[page.source.raw_sha256] = page.raw or b""
        assert await reader.read(ONE, deadline=5) == page


@pytest.mark.parametrize(
    "error",
    [
        NotFound("it is gone"),
        Forbidden("a private address"),
        FetchTimeout("too slow", status=None),
        FetchRateLimited("wait", status=429, retry_after=7.5),
        LimitReached("busy", retry_after=3.0),
        ProviderLimited("wait", retry_after=None),
        ProviderDenied("the key is wrong"),
        ToolFailed("something else"),
    ],
    ids=lambda error: error.code,
)
async def test_failures_keep_their_kind(place: str, error: ToolError) -> None:
    async with places(place) as at:
        reader = await at.reader(Pages({ONE: error}))
        with pytest.raises(type(error)) as raised:
            await reader.read(ONE, deadline=5)
    assert type(raised.value) is type(error)
    assert (str(raised.value), raised.value.__dict__, raised.value.retryable) == (
        str(error),
        error.__dict__,
        error.retryable,
    )


async def test_scholarly_works(place: str, context: CallContext) -> None:
    paper = Paper(
        title="On depth", uri="https://doi.org/10.1/x", authors=("A. B.", "C"), year=1999, published="1999-01",
        venue="J.", abstract="Deep.", citations=3, doi="10.1/x", pdf="https://a.test/x.pdf", providers=("openalex",),
    )  # fmt: skip

    class Library:
        async def papers(self, query: Query, *, deadline: float) -> Papers:
            failures = (("crossref", ProviderLimited("wait", retry_after=2.0)),)
            return Papers(papers=(paper, Paper(title="B", uri=TWO)), ignored=("site",), failures=failures)

    async with places(place) as at:
        library = await at.scholar(Library())
        there = await ScholarTool(library).call({"query": "depth"}, context)
    assert there.value == (await ScholarTool(Library()).call({"query": "depth"}, context)).value


async def test_programs(place: str, context: CallContext) -> None:
    class Box:
        async def run(self, program: Program) -> Ran:
            out = OutFile(name="a.txt", data=b"hi", media_type="text/plain")
            return Ran(stdout="4\n", stderr="", exit=0, files=(out,), truncated=("stderr",), fresh=False)

    async with places(place) as at:
        tool = PythonTool(await at.sandbox(Box()), MemoryBlobs(), keeps_state=True)
        there = await tool.call({"code": "print(4)"}, context)
    here = PythonTool(Box(), MemoryBlobs(), keeps_state=True)
    assert there.value == (await here.call({"code": "print(4)"}, context)).value


async def test_summing_up(place: str) -> None:
    class Short:
        name = "service"

        async def summarise(self, content: str, goal: str, *, language: str, deadline: float) -> Said:
            return Said(summary=f"{goal} in {language}", evidence=(content[:20], content[:25]))

    async with places(place) as at:
        said = await (await at.summarizer(Short())).summarise(TEXT, "depth", language="zh", deadline=5)
    assert (said.summary, said.evidence) == ("depth in zh", (TEXT[:20], TEXT[:25]))


async def test_what_a_summary_cost_that_did_not_come(place: str) -> None:
    used = Usage(model_calls=1, prompt_tokens=90, completion_tokens=9, cost_usd=0.5)

    class Vague:
        name = "service"

        async def summarise(self, content: str, goal: str, *, language: str, deadline: float) -> Said:
            raise NoSummary("its answer holds no summary", reason="model_broken", usage=used)

    async with places(place) as at:
        summarizer = await at.summarizer(Vague())
        with pytest.raises(NoSummary, match="holds no summary") as caught:
            await summarizer.summarise(TEXT, "depth", language="zh", deadline=5)
    assert (caught.value.reason, caught.value.usage) == ("model_broken", used)


async def test_cancelling_ends_the_work(place: str) -> None:
    class Endless:
        def __init__(self) -> None:
            self.began, self.ended = asyncio.Event(), asyncio.Event()

        async def run(self, program: Program) -> Ran:
            self.began.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.ended.set()
            raise AssertionError

    box = Endless()
    async with places(place) as at, asyncio.TaskGroup() as group:
        sandbox = await at.sandbox(box)
        running = group.create_task(sandbox.run(Program(code="x")))
        await box.began.wait()
        running.cancel()
        await asyncio.wait_for(box.ended.wait(), 30)


def texts_of(result: ToolResult) -> dict[str, str]:
    return {one.source.id: one.text for one in result.sources}
