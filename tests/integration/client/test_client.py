"""`leadline.client` against the service: typed, tried again where that is safe, streams without gap or double."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.support.service import QUESTION, Running, small_service

from leadline.api.keeping import verify_archive
from leadline.client import AsyncClient, Client
from leadline.domain import RunState
from leadline.errors import (
    IdempotencyConflict,
    InputError,
    NotPermitted,
    ServiceError,
    ServiceUnavailable,
    Unauthenticated,
    UnknownRun,
    WrongState,
)
from leadline.events import Record, RunFinished
from leadline.ports.access import Role
from leadline.research.reporting.report import to_json

pytestmark = pytest.mark.xdist_group("client")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with small_service(tmp_path, {}) as running:
        yield running


@pytest.fixture
async def client(running: Running) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(running.url, key=await running.key("acme")) as client:
        yield client


async def test_a_question_becomes_a_report_whose_evidence_can_be_fetched(client: AsyncClient, tmp_path: Path) -> None:
    report = await client.research(QUESTION, strategy="extractive", web=True)

    assert any("1844" in claim.text for claim in report.claims)
    run = await client.run(report.run_id)
    assert (run.state, run.has_report, run.strategy) == (RunState.DONE, True, "extractive")
    source = await client.source(report.run_id, report.claims[0].citations[0].source_id)
    citation = report.claims[0].citations[0]
    assert source.text[citation.start : citation.end] == citation.quote
    assert any(span.claim_id == report.claims[0].id for span in source.spans)
    await client.export(report.run_id, tmp_path / "run.zip")
    assert (await asyncio.to_thread(verify_archive, tmp_path / "run.zip")).ok
    assert await client.rendered(report.run_id, "json") == to_json(report)


async def test_events_come_once_and_in_order_and_are_the_journal(client: AsyncClient) -> None:
    run = await client.start(QUESTION, strategy="extractive", web=True)

    records = [item async for item in client.events(run.id) if isinstance(item, Record)]

    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert isinstance(records[-1].event, RunFinished)
    assert records == [record async for record in client.journal(run.id)]
    assert [item async for item in client.events(run.id, after=records[-1].seq)] == []


async def test_the_same_key_makes_one_run_and_another_body_is_refused(client: AsyncClient) -> None:
    one = await client.start(QUESTION, idempotency_key="k1", strategy="extractive", web=True)
    two = await client.start(QUESTION, idempotency_key="k1", strategy="extractive", web=True)

    assert one.id == two.id
    with pytest.raises(IdempotencyConflict):
        await client.start("Another question?", idempotency_key="k1", strategy="extractive", web=True)


async def test_failures_are_the_errors_of_this_program(running: Running, client: AsyncClient) -> None:
    with pytest.raises(UnknownRun):
        await client.run("rnobody")
    with pytest.raises(InputError):
        await client.start("", web=True)
    run = await client.start(QUESTION, strategy="extractive", web=True)
    await client.wait(run.id)
    with pytest.raises(WrongState):
        await client.cancel(run.id)
    async with AsyncClient(running.url, key="ll_wrong") as stranger:
        with pytest.raises(Unauthenticated):
            await stranger.runs()
    async with AsyncClient(running.url, key=await running.key("acme", Role.READER)) as reader:
        with pytest.raises(NotPermitted):
            await reader.start(QUESTION, web=True)


async def test_another_tenants_run_is_unknown(running: Running, client: AsyncClient) -> None:
    run = await client.start(QUESTION, strategy="extractive", web=True)

    async with AsyncClient(running.url, key=await running.key("globex")) as other:
        with pytest.raises(UnknownRun):
            await other.report(run.id)
        with pytest.raises(UnknownRun):
            async for _ in other.events(run.id):
                pass


async def test_the_client_without_a_loop_does_the_same(running: Running) -> None:
    key = await running.key("acme")

    def work() -> tuple[str, list[int], int]:
        with Client(running.url, key=key) as client:
            run = client.start(QUESTION, strategy="extractive", web=True)
            seen = [item.seq for item in client.events(run.id) if isinstance(item, Record)]
            return " ".join(claim.text for claim in client.result(run.id).claims), seen, len(client.runs().items)

    answer, seen, count = await asyncio.to_thread(work)

    assert "1844" in answer
    assert seen == list(range(1, len(seen) + 1))
    assert count == 1


async def test_runs_are_listed_page_by_page(client: AsyncClient) -> None:
    started = [(await client.start(f"{QUESTION} {n}", strategy="extractive", web=True)).id for n in range(3)]

    first = await client.runs(limit=2)
    assert first.next is not None
    rest = await client.runs(limit=2, cursor=first.next)

    assert {run.id for run in (*first.items, *rest.items)} == set(started)
    assert rest.next is None
    for run_id in started:
        await client.wait(run_id)


# --- a service that breaks


@asynccontextmanager
async def between(url: str, handler: Any) -> AsyncIterator[str]:
    """Yield the address of something that stands before a service; `handler` decides what it does."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_stream_that_breaks_again_and_again_has_no_gap_and_no_double(running: Running) -> None:
    client = await running.caller("acme")
    run_id = await client.research(strategy="extractive", web=True)
    await client.ended(run_id)
    key = await running.key("acme")
    told: list[str] = []

    async def cut(request: web.Request) -> web.StreamResponse:
        """Pass on a few events of the stream, then break the connection within an event."""
        told.append(request.headers["Last-Event-ID"])
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        headers = {"Authorization": request.headers["Authorization"], "Last-Event-ID": told[-1]}
        async with running.session.get(f"{running.url}{request.path}", headers=headers) as reply:
            body = await reply.read()
        await answer.prepare(request)
        told_now = body.partition(b"\n\n")[2]  # behind the hint of when to come again
        within_the_next = told_now.find(b"\n\n") + 40
        await answer.write(b"retry: 1\n\n" + told_now[: max(2500, within_the_next)])
        if request.transport is not None:
            request.transport.close()  # what was written arrives, the end of the body never does
        return answer

    async with between(running.url, cut) as url, AsyncClient(url, key=key) as broken:
        records = [item async for item in broken.events(run_id) if isinstance(item, Record)]

    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert isinstance(records[-1].event, RunFinished)
    assert len(told) > 2
    assert told == sorted(told, key=int)


async def test_what_was_refused_for_now_is_asked_again(running: Running) -> None:
    asked: list[str] = []

    async def busy(request: web.Request) -> web.Response:
        asked.append(request.headers.get("Idempotency-Key", ""))
        if len(asked) < 3:
            return web.json_response({"code": "rate", "detail": "too much"}, status=429, headers={"Retry-After": "0"})
        return web.Response(status=502)

    async with between(running.url, busy) as url, AsyncClient(url) as client:
        with pytest.raises(ServiceUnavailable):
            await client.start(QUESTION)

    assert len(asked) == 5
    assert len(set(asked)) == 1


async def test_an_answer_in_another_form_is_a_typed_failure(running: Running) -> None:
    async def odd(request: web.Request) -> web.Response:
        return web.Response(text="<html>a captive portal</html>", content_type="text/html")

    async with between(running.url, odd) as url, AsyncClient(url) as client:
        with pytest.raises(ServiceError):
            await client.run("r1")


async def test_a_service_that_is_not_there_is_unavailable() -> None:
    async with AsyncClient("http://127.0.0.1:9", patience=0.5) as client:
        with pytest.raises(ServiceUnavailable):
            await client.run("r1")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(InputError):
        AsyncClient("file:///etc/passwd")


async def test_a_run_that_is_cancelled_while_it_is_followed_ends_the_stream(client: AsyncClient) -> None:
    run = await client.start(QUESTION, strategy="extractive", web=True)
    async with aclosing(client.events(run.id)) as items:
        async for _ in items:
            break
    done = await client.wait(run.id)
    assert done.state.ended


async def test_an_authority_of_ones_own_must_be_one(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(InputError, match="holds no certificate of an authority"):
        async with AsyncClient("https://127.0.0.1:1", ca=file):
            raise AssertionError("there is nobody to trust")
