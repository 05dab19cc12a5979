"""The one path of every call: what may go out, to what still works, how often."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from leadline.cpu import InlineCpu
from leadline.domain import Json, Options, ToolCall, ToolResult, ToolSpec
from leadline.errors import (
    FetchUnavailable,
    Forbidden,
    InvalidArguments,
    LimitReached,
    ToolError,
    ToolFailed,
)
from leadline.ports import CallContext, Tool
from leadline.resilience import Backoff, Breaker
from leadline.testing import CannedReader, CannedSearch, FakeClock, hit
from leadline.tools.gateway import FAILED, PRIVATE, REFUSED, SHUT, Doors, Gateway
from leadline.tools.provenance import OUTSIDE, UNKNOWN
from leadline.tools.registry import ToolSet
from leadline.tools.search import SearchTool
from leadline.tools.visit import VisitTool

QUESTION = "What does https://given.test/page say of the harbour?"
SECRET = "The merger with Hallam Shipping is priced at 41.5 million pounds."
KEY = "Use the key AKIA9F3K2LQ7 for the vault."
EVIL = "https://evil.test/"


@dataclass
class Scripted:
    """A tool whose outcomes the test wrote down, one a call; the last one stays."""

    outcomes: list[ToolError | str]
    name: str = "scholar"
    idempotent: bool = True
    asked: list[Mapping[str, Json]] = field(default_factory=list)
    gate: asyncio.Event | None = None
    began: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def spec(self) -> ToolSpec:
        parameters: dict[str, Any] = {
            "type": "object",
            "properties": {"query": {"type": "string"}},
            "required": ["query"],
            "additionalProperties": False,
        }
        return ToolSpec(name=self.name, description="", parameters=parameters, idempotent=self.idempotent)

    async def call(self, arguments: Mapping[str, Json], context: CallContext) -> ToolResult:
        self.asked.append(arguments)
        self.began.set()
        if self.gate is not None:
            await self.gate.wait()
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, ToolError):
            raise outcome
        return ToolResult(value=outcome)

    def render(self, value: Json, texts: Mapping[str, str]) -> str:
        return str(value)


@pytest.fixture
def online(context: CallContext) -> CallContext:
    return replace(context, goal=QUESTION, options=Options(web=True, corpora=("c1",)))


def gateway(
    *tools: Tool, options: Options | None = None, doors: Doors | None = None, backoff: Backoff | None = None
) -> Gateway:
    return Gateway(
        ToolSet(tools),
        options=options or Options(web=True, corpora=("c1",)),
        question=QUESTION,
        doors=doors or Doors(),
        clock=FakeClock(0.0),
        backoff=backoff or Backoff(attempts=2, base=0.0),
    )


def visiting(*urls: str) -> tuple[CannedReader, VisitTool]:
    reader = CannedReader(dict.fromkeys(urls, "A page of some words."))
    return reader, VisitTool([reader], cpu=InlineCpu())


def failures(result: ToolResult) -> dict[str, str]:
    assert isinstance(result.value, dict)
    return {page["url"]: page["failure"]["message"] for page in result.value["pages"] if "failure" in page}


async def visit(
    urls: Sequence[str], context: CallContext, options: Options | None = None
) -> tuple[CannedReader, dict[str, str]]:
    reader, tool = visiting(*urls)
    context = replace(context, options=options) if options else context
    result = await gateway(tool, options=context.options).call(
        ToolCall(name="visit", arguments={"url": list(urls)}), context
    )
    return reader, failures(result)


# -- provenance ---------------------------------------------------------------------------------


async def test_only_what_was_offered_is_visited(online: CallContext) -> None:
    known = replace(online, known=frozenset({"https://found.test/a?x=1", "https://linked.test"}))
    options = replace(online.options, urls=("https://asked.test/",))
    good = [
        "https://given.test/page",
        "https://asked.test/#top",
        "https://found.test/a?x=1",
        "HTTPS://Linked.test:443/",
    ]
    bad = [
        EVIL,
        "https://found.test/a?x=2",
        "https://found.test/a?x=1&utm_source=what-i-know",
        "https://found.test.evil.test/a?x=1",
        "https://found.test@evil.test/",
        "https\t://evil.test/",
    ]
    reader, failed = await visit([*good, *bad[:4]], known, options)
    assert reader.read_uris == good
    assert failed == dict.fromkeys(bad[:4], UNKNOWN)
    reader, failed = await visit(bad[4:], known, options)
    assert (reader.read_uris, failed) == ([], dict.fromkeys(bad[4:], UNKNOWN))


async def test_documents_are_no_affair_of_provenance(online: CallContext) -> None:
    reader, failed = await visit(["file:///docs/a.txt", "document:c1/b"], online)
    assert (len(reader.read_uris), failed) == (2, {})


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("https://a.good.test/", None),
        ("https://bad.good.test/x", OUTSIDE),
        ("https://notgood.test/", OUTSIDE),
        ("https://given.test/page", None),
    ],
)
async def test_a_narrowed_run_stays_within_its_sites(online: CallContext, url: str, refused: str | None) -> None:
    options = replace(online.options, sites=("good.test",), exclude=("bad.good.test",))
    _, failed = await visit([url], replace(online, known=frozenset({url})), options)
    assert failed.get(url) == refused


# -- what must not leave ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "hallam shipping is priced at 41.5 million",
        "mergerWITHhallamSHIPPINGispriced",
        "akia9f3k2lq7",
        "A-K-I-A-9F3K-2LQ7 vault",
        "VGhlIG1lcmdlciB3aXRoIEhhbGxhbSBTaGlwcGluZyBpcyBwcmljZWQ=",
        "54686520 6d65726765722077697468 48616c6c616d205368697070696e67206973",
        "gnippihS mallaH htiw regrem ehT",
    ],
)
async def test_what_repeats_private_text_is_not_searched_on_the_web(
    online: CallContext, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    if query.startswith("5468"):
        query = query.replace(" ", "")
    web, corpus = CannedSearch({"": [hit(EVIL)]}, name="web"), CannedSearch({}, name="documents")
    tool = SearchTool([corpus, web], outside=frozenset({"web"}))
    with caplog.at_level(logging.WARNING, logger="leadline.tools.gateway"):
        result = await gateway(tool).call(
            ToolCall(name="search", arguments={"query": [query, "harbour depth"]}),
            replace(online, private=(SECRET, KEY)),
        )
    assert [q.text for q in web.queries] == ["harbour depth"]
    assert [q.text for q in corpus.queries] == [query, "harbour depth"]
    assert isinstance(result.value, dict)
    assert [f["code"] for f in result.value["results"][0]["failures"]] == ["forbidden"]
    assert result.value["results"][1]["failures"] == []
    assert [record.msg for record in caplog.records] == [REFUSED]
    assert query not in caplog.text


async def test_an_address_that_carries_private_text_is_not_visited_though_it_was_offered(online: CallContext) -> None:
    url = f"{EVIL}?q=Hallam%20Shipping%20is%20priced%20at"
    reader, failed = await visit([url], replace(online, private=(SECRET,), known=frozenset({url})))
    assert (reader.read_uris, failed) == ([], {url: PRIVATE})


async def test_the_users_own_words_may_go_out(online: CallContext) -> None:
    web = CannedSearch({}, name="web")
    private = f"It was asked: {QUESTION} Nobody knew."
    call = ToolCall(name="search", arguments={"query": QUESTION})
    await gateway(SearchTool([web], outside=frozenset({"web"}))).call(call, replace(online, private=(private,)))
    assert [q.text for q in web.queries] == [QUESTION]


async def test_other_tools_that_reach_out_are_refused_as_a_whole(online: CallContext) -> None:
    tool = Scripted(["found"])
    secret = replace(online, private=(SECRET,))
    with pytest.raises(Forbidden, match="private documents"):
        await gateway(tool).call(ToolCall(name="scholar", arguments={"query": SECRET}), secret)
    assert tool.asked == []
    confined = Scripted(["ran"], name="python")
    assert (await gateway(confined).call(ToolCall(name="python", arguments={"query": SECRET}), secret)).value == "ran"


async def test_without_the_web_nothing_is_checked(context: CallContext) -> None:
    corpus = CannedSearch({}, name="documents")
    call = ToolCall(name="search", arguments={"query": SECRET})
    await gateway(SearchTool([corpus]), options=Options(corpora=("c1",))).call(
        call, replace(context, private=(SECRET,))
    )
    assert [q.text for q in corpus.queries] == [SECRET]


# -- how it goes --------------------------------------------------------------------------------

ASK = ToolCall(name="scholar", arguments={"query": "tides"})


async def test_arguments_are_checked_before_anything_else(online: CallContext) -> None:
    tool = Scripted(["found"])
    with pytest.raises(InvalidArguments, match="needs `query`"):
        await gateway(tool).call(ToolCall(name="scholar", arguments={"q": 1}), online)
    with pytest.raises(InvalidArguments, match="there is no tool"):
        await gateway(tool).call(ToolCall(name="scholars", arguments={}), online)
    assert tool.asked == []


async def test_what_may_help_is_tried_again_and_nothing_else(online: CallContext) -> None:
    down = FetchUnavailable("503")
    tool = Scripted([down, "found"])
    assert (await gateway(tool).call(ASK, online)).value == "found"
    for tool in (Scripted([ToolFailed("no"), "found"]), Scripted([down, "found"], idempotent=False)):
        with pytest.raises(ToolFailed):
            await gateway(tool).call(ASK, online)
        assert len(tool.asked) == 1


async def test_a_tool_that_keeps_failing_is_left_alone_and_tried_later(
    online: CallContext, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    doors = Doors(breaker=lambda: Breaker(threshold=2, cooldown=30.0, monotonic=lambda: now))
    tool = Scripted([FetchUnavailable("503"), FetchUnavailable("503"), "found"])
    path = gateway(tool, doors=doors, backoff=Backoff(attempts=1))
    with caplog.at_level(logging.INFO, logger="leadline.tools.gateway"):
        for _ in range(2):
            with pytest.raises(FetchUnavailable):
                await path.call(ASK, online)
        with pytest.raises(LimitReached, match="left alone") as alone:
            await gateway(tool, doors=doors, backoff=Backoff(attempts=1)).call(ASK, online)
    assert (alone.value.retry_after, len(tool.asked)) == (30.0, 2)
    assert [record.msg for record in caplog.records] == [FAILED, FAILED, SHUT]
    now = 31.0
    assert (await path.call(ASK, online)).value == "found"


async def test_a_failure_that_is_not_the_tools_fault_does_not_shut_it(online: CallContext) -> None:
    doors = Doors(breaker=lambda: Breaker(threshold=1))
    path = gateway(Scripted([ToolFailed("no such paper"), "found"]), doors=doors)
    with pytest.raises(ToolFailed):
        await path.call(ASK, online)
    assert (await path.call(ASK, online)).value == "found"


async def test_one_tool_has_room_for_so_many_calls(online: CallContext) -> None:
    gate = asyncio.Event()
    doors = Doors(at_once=1)
    busy = Scripted(["found"], gate=gate)
    path = gateway(busy, Scripted(["other"], name="other"), doors=doors, backoff=Backoff(attempts=1))
    async with asyncio.TaskGroup() as group:
        first = group.create_task(path.call(ASK, online))
        await busy.began.wait()
        with pytest.raises(LimitReached, match="busy"):
            await path.call(ASK, replace(online, deadline=0.01))
        other = ToolCall(name="other", arguments={"query": "x"})
        assert (await path.call(other, online)).value == "other"
        gate.set()
    assert first.result().value == "found"


def test_a_tool_may_have_a_room_of_its_own_under_all_its_names() -> None:
    doors = Doors(rooms={"python": 2}, same={"PythonInterpreter": "python"})
    assert doors.of("PythonInterpreter") is doors.of("python")
    assert doors.of("python").slots._value == 2
    assert doors.of("search").slots._value == doors.at_once


async def test_a_cancelled_call_gives_its_room_back(online: CallContext) -> None:
    tool = Scripted(["found"], gate=asyncio.Event())
    path = gateway(tool, doors=Doors(at_once=1))
    task = asyncio.ensure_future(path.call(ASK, online))
    await tool.began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    tool.gate = None
    assert (await path.call(ASK, online)).value == "found"


async def test_nothing_found_is_no_failure(online: CallContext) -> None:
    tool = SearchTool([CannedSearch({}, name="web")], outside=frozenset({"web"}))
    path = gateway(tool)
    result = await path.call(ToolCall(name="search", arguments={"query": "nothing of the kind"}), online)
    assert "Nothing was found." in path.render("search", result.value, {})
    down = SearchTool([CannedSearch({"": FetchUnavailable("503")}, name="web")])
    with pytest.raises(ToolFailed, match="the search failed"):
        await gateway(down).call(ToolCall(name="search", arguments={"query": "x"}), online)
