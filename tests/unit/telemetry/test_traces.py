"""Spans by the conventions for generative AI: one trace a run, over processes, told once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import aiohttp
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from tests.support.engine import ANSWER, REPORT, SEARCH, VISIT, Gate, rig, turn
from tests.support.tool_services import CannedHost, tool_service

from leadline.ports import Found, Query
from leadline.ports.correlation import Trace, current
from leadline.resilience import SystemClock
from leadline.telemetry.follow import Broadcast
from leadline.telemetry.traces import Traces
from leadline.testing import CannedSearch, ScriptedModel, hit
from leadline.tools.remote import RemoteSearch
from leadline.wire.http import AiohttpHttp
from leadline.wire.tool_client import ToolClient
from leadline.wiring.telemetry import Telemetry


class Spans:
    """What was exported, into memory."""

    def __init__(self, *, share: float = 1.0, content: bool = False) -> None:
        self.exporter = InMemorySpanExporter()
        self.told = Broadcast(
            [
                Traces(
                    SimpleSpanProcessor(self.exporter),
                    resource=Resource({"service.name": "leadline-test"}),
                    provider="openai",
                    share=share,
                    now=SystemClock().now,
                    content=content,
                )
            ]
        )

    @property
    def all(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all if span.name == name]


def place(span: ReadableSpan) -> tuple[int, int]:
    assert span.context is not None
    return span.context.trace_id, span.context.span_id


def parent(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


async def test_a_run_is_one_trace_of_its_calls(tmp_path: Path) -> None:
    spans = Spans()
    async with rig(tmp_path, told=spans.told, traced=1.0) as engine:
        told = await engine.ask()
    (run,) = spans.named("invoke_agent leadline")
    assert {place(span)[0] for span in spans.all} == {place(run)[0]}
    assert run.parent is None
    calls = [span for span in spans.all if span is not run]
    assert {parent(span) for span in calls} == {place(run)[1]}
    assert len({place(span)[1] for span in spans.all}) == len(spans.all)
    assert [span.name for span in calls].count("chat scripted") == 4
    (search,) = spans.named("execute_tool search")
    attributes = search.attributes or {}
    assert attributes["gen_ai.operation.name"] == "execute_tool"
    assert attributes["gen_ai.tool.name"] == "search"
    assert "gen_ai.tool.call.arguments" not in attributes
    whole = run.attributes or {}
    assert whole["gen_ai.conversation.id"] == told.run.id
    assert whole["gen_ai.usage.input_tokens"] == told.run.usage.prompt_tokens
    chat = spans.named("chat scripted")[0]
    assert chat.kind is SpanKind.CLIENT
    assert (chat.attributes or {})["gen_ai.response.finish_reasons"] == ("tool_calls",)
    assert run.start_time is not None
    assert all(span.start_time is not None and span.start_time >= run.start_time for span in calls)


async def test_content_is_in_spans_only_where_it_is_wished(tmp_path: Path) -> None:
    spans = Spans(content=True)
    async with rig(tmp_path, told=spans.told, traced=1.0) as engine:
        await engine.ask()
    (search,) = spans.named("execute_tool search")
    assert (search.attributes or {})["gen_ai.tool.call.arguments"] == '{"query":"Eddystone"}'


async def test_a_run_resumed_elsewhere_goes_on_in_its_trace_and_tells_nothing_twice(tmp_path: Path) -> None:
    first, second = Spans(), Spans()
    gate = Gate(ScriptedModel([turn("", SEARCH), turn("", VISIT)]))
    async with rig(tmp_path, model=gate, told=first.told, traced=1.0) as engine:
        run_id = await engine.begin()
        await gate.asked.acquire()
        gate.open.release()
        await gate.asked.acquire()
        await engine.worker.drain()
        blobs = engine.blobs
    async with rig(tmp_path, [VISIT, ANSWER, REPORT], told=second.told, traced=1.0, blobs=blobs, owner="b") as engine:
        await engine.resume(run_id)
        await engine.ended(run_id)
    both = [*first.all, *second.all]
    assert len({place(span)[0] for span in both}) == 1
    assert len({place(span)[1] for span in both}) == len(both)
    assert len(first.named("execute_tool search") + second.named("execute_tool search")) == 1
    assert first.named("invoke_agent leadline") == []
    (run,) = second.named("invoke_agent leadline")
    assert {parent(span) for span in both if span is not run} == {place(run)[1]}


async def test_what_is_not_sampled_is_not_recorded(tmp_path: Path) -> None:
    spans = Spans(share=0.0)
    async with rig(tmp_path, told=spans.told) as engine:
        await engine.ask()
    assert spans.all == ()


class Asking(CannedSearch):
    """A search that notes in which trace it was asked."""

    trace: Trace | None = None

    async def search(self, query: Query, *, deadline: float) -> Found:
        self.trace = current().trace
        return await super().search(query, deadline=deadline)


async def test_a_tools_service_works_in_the_trace_of_the_call(tmp_path: Path) -> None:
    """Worker and service record apart; their spans are one tree."""
    worker, service = Spans(), Spans()
    inside = Asking({"": [hit("https://one.test/", title="t")]}, name="web")
    told = Telemetry(observers=(service.told,), signals=service.told, share=1.0)
    async with tool_service("search", CannedHost(searching=inside), telemetry=told) as url, AiohttpHttp.open() as http:
        remote = RemoteSearch(ToolClient(http, url, tool="search"), name="web")
        async with rig(tmp_path, [SEARCH, ANSWER, REPORT], told=worker.told, traced=1.0, searching=remote) as engine:
            await engine.ended(await engine.begin())
    (call,) = worker.named("execute_tool search")
    (server,) = service.named("POST /search")
    assert server.kind is SpanKind.SERVER
    assert (place(server)[0], parent(server)) == place(call)
    assert inside.trace is not None
    assert int(inside.trace.span, 16) == place(server)[1]
    assert (server.attributes or {})["http.response.status_code"] == 200


async def test_a_run_belongs_to_the_request_that_asked_for_it(tmp_path: Path) -> None:
    spans = Spans()
    asked_by = Trace(trace="c" * 32, span="d" * 16, sampled=True)
    async with rig(tmp_path, told=spans.told, traced=1.0) as engine:
        await engine.ended(await engine.begin(traceparent=asked_by.header))
    (run,) = spans.named("invoke_agent leadline")
    assert place(run)[0] == int("c" * 32, 16)
    assert parent(run) == int("d" * 16, 16)


async def test_a_failed_call_says_so(tmp_path: Path) -> None:
    spans = Spans()
    async with rig(tmp_path, lambda request: RuntimeError("bug"), told=spans.told, traced=1.0) as engine:
        await engine.ended(await engine.begin())
    (run,) = spans.named("invoke_agent leadline")
    assert run.status.status_code is StatusCode.ERROR
    assert (run.attributes or {})["error.type"] == "internal"


async def test_requests_are_spans_and_a_foreign_header_is_read_or_ignored() -> None:
    spans = Spans()
    told = Telemetry(observers=(), signals=spans.told, share=1.0)
    host = CannedHost(searching=CannedSearch({}, name="web"))
    async with tool_service("search", host, telemetry=told) as url, aiohttp.ClientSession() as client:
        for header in ("00-" + "e" * 32 + "-" + "f" * 16 + "-01", "rubbish", "00-" + "e" * 32 + "-" + "f" * 16 + "-00"):
            async with client.post(f"{url}/search", json={"query": "q"}, headers={"traceparent": header}) as reply:
                assert reply.status == 200
    known, own = spans.named("POST /search")
    assert place(known)[0] == int("e" * 32, 16)
    assert own.parent is None
    assert place(own)[0] != place(known)[0]
