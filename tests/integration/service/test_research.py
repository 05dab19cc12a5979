"""A question over HTTP: asked, followed, read, checked, forgotten."""

from __future__ import annotations

import asyncio
import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.support.service import PAGES, QUESTION, Running, small_service

from leadline import Leadline
from leadline.ports.access import Role
from leadline.research.reporting import archive
from leadline.research.verification.recheck import recheck
from leadline.service.evidence import FORMS
from leadline.settings import Settings


async def test_a_question_becomes_a_report_whose_quotes_stand(service: Running, tenant: str, tmp_path: Path) -> None:
    client = await service.caller(tenant)
    answer = await client.post("/v1/research", {"question": QUESTION})
    assert answer.status == 202
    run_id = answer.body["id"]
    assert answer.headers["Location"] == f"/v1/research/{run_id}"
    assert answer.body["state"] in {"queued", "running"}

    async with client.stream(run_id) as stream:
        events = await stream.all()
    assert [event.id for event in events] == [str(number) for number in range(1, len(events) + 1)]
    assert (events[0].event, events[-1].event) == ("run_started", "run_finished")
    assert all(event.data["type"] == event.event and str(event.data["seq"]) == event.id for event in events)

    run = (await client.get(f"/v1/research/{run_id}")).body
    assert (run["state"], run["stop_reason"], run["has_report"]) == ("done", "answered", True)
    report = (await client.get(f"/v1/research/{run_id}/report")).body
    assert report["schema"] == "leadline.report/1"
    assert any("1844" in claim["text"] for claim in report["claims"])
    cited = [citation for claim in report["claims"] for citation in claim["citations"]]
    assert cited
    for citation in cited:
        shown = (await client.get(f"/v1/research/{run_id}/sources/{citation['source_id']}")).body
        assert shown["text"][citation["start"] : citation["end"]] == citation["quote"]
        assert shown["source"]["sha256"] == hashlib.sha256(shown["text"].encode()).hexdigest()
        assert {"start": citation["start"], "end": citation["end"]}.items() <= max(
            ({"start": span["start"], "end": span["end"]} for span in shown["spans"]),
            key=lambda span: span["start"] == citation["start"],
        ).items()
        raw = await client.get(f"/v1/research/{run_id}/sources/{citation['source_id']}/raw")
        assert raw.raw in {web.body for web in PAGES.values()}
        assert raw.headers["Content-Type"] == "application/octet-stream"
        assert raw.headers["Content-Disposition"].startswith("attachment")
        assert raw.headers["X-Content-Type-Options"] == "nosniff"

    export = await client.get(f"/v1/research/{run_id}/export")
    assert export.headers["Content-Type"] == "application/zip"
    file = tmp_path / "export.zip"
    await asyncio.to_thread(file.write_bytes, export.raw)
    opened = await asyncio.to_thread(archive.open_archive, file)
    assert list(opened.problems) == []
    assert list(recheck(opened.report, opened.read)) == []

    assert (await client.ask("DELETE", f"/v1/research/{run_id}")).status == 204
    assert (await client.get(f"/v1/research/{run_id}")).status == 404


async def test_a_report_comes_in_every_form(service: Running, tenant: str) -> None:
    client = await service.caller(tenant)
    run_id = await client.research()
    await client.ended(run_id)
    for name, form in FORMS.items():
        answer = await client.get(f"/v1/research/{run_id}/report?format={name}")
        assert answer.status == 200, answer.raw
        assert answer.headers["Content-Type"] == form.media_type
        assert answer.raw
    page = await client.get(f"/v1/research/{run_id}/report?format=html")
    assert page.headers["Content-Security-Policy"].startswith("sandbox allow-scripts;")
    zipped = await client.get(f"/v1/research/{run_id}/report?format=docx")
    assert "word/document.xml" in zipfile.ZipFile(io.BytesIO(zipped.raw)).namelist()


async def test_the_journal_comes_page_by_page_and_is_the_stream(service: Running, tenant: str) -> None:
    client = await service.caller(tenant)
    run_id = await client.research()
    async with client.stream(run_id) as stream:
        streamed = [event.data for event in await stream.all()]
    told: list[object] = []
    page: dict[str, Any] = {"next": 0}
    while page["next"] is not None:
        page = (await client.get(f"/v1/research/{run_id}/journal?after={page['next']}&limit=3")).body
        told += page["items"]
    assert told == streamed


async def test_runs_are_listed_newest_first_page_by_page_and_found_by_words(service: Running, tenant: str) -> None:
    client = await service.caller(tenant)
    ids = [await client.research(f"How deep is harbour number {n}?", web=False) for n in range(5)]
    for run_id in ids:
        await client.ended(run_id)
    found, cursor = [], ""
    while True:
        page = (await client.get(f"/v1/research?limit=2{cursor}")).body
        found += [run["id"] for run in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert sorted(found) == sorted(ids)
    created = [(await client.get(f"/v1/research/{run_id}")).body["created_at"] for run_id in found]
    assert created == sorted(created, reverse=True)
    searched = (await client.get("/v1/research?search=number+3")).body["items"]
    assert [run["id"] for run in searched] == [ids[3]]
    assert (await client.get("/v1/research?state=running")).body["items"] == []
    assert len((await client.get("/v1/research?state=done")).body["items"]) == 5
    assert (await client.get("/v1/research?cursor=nonsense")).status == 400


async def test_the_same_request_twice_makes_one_run(service: Running, tenant: str, other: str) -> None:
    client, stranger = await service.caller(tenant), await service.caller(other)
    body = {"question": "How deep is the harbour?", "web": False}
    answers = [await client.post("/v1/research", body, Idempotency_Key="k-1") for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.post("/v1/research", body, Idempotency_Key="k-2")) for _ in range(8)]
    at_once = [task.result() for task in tasks]
    assert {answer.status for answer in [*answers, *at_once]} == {202}
    assert len({answer.body["id"] for answer in answers}) == 1
    assert len({answer.body["id"] for answer in at_once}) == 1
    assert len((await client.get("/v1/research")).body["items"]) == 2
    conflict = await client.post("/v1/research", {**body, "question": "Another?"}, Idempotency_Key="k-1")
    assert (conflict.status, conflict.body["code"]) == (422, "idempotency_conflict")
    elsewhere = await stranger.post("/v1/research", body, Idempotency_Key="k-1")
    assert elsewhere.status == 202
    assert elsewhere.body["id"] != answers[0].body["id"]


async def test_a_run_goes_on_from_the_evidence_of_another_of_the_same_tenant(
    service: Running, tenant: str, other: str
) -> None:
    client, stranger = await service.caller(tenant), await service.caller(other)
    first = await client.research()
    await client.ended(first)
    second = await client.research("Who designed the lighthouse?", web=False, continues=first)
    await client.ended(second)
    report = (await client.get(f"/v1/research/{second}/report")).body
    assert any("Stevenson" in claim["text"] for claim in report["claims"])
    for source in report["sources"]:
        assert (await client.get(f"/v1/research/{second}/sources/{source['id']}")).status == 200
    refused = await stranger.post("/v1/research", {"question": "Who?", "continues": first})
    assert (refused.status, refused.body["code"]) == (404, "unknown_run")


REFUSED: list[tuple[object, int, str]] = [
    ({"question": "   "}, 400, "input_error"),
    ({"question": ""}, 422, "invalid_request"),
    ({}, 422, "invalid_request"),
    ({"question": "q", "docs": ["/etc/passwd"]}, 422, "invalid_request"),
    ({"question": "q", "corpora": ["c0ffee"]}, 404, "unknown_object"),
    ({"question": "q", "strategy": "react"}, 400, "input_error"),
    ({"question": "q", "urls": ["file:///etc/passwd"]}, 400, "input_error"),
    ({"question": "q", "budget": {"steps": 0}}, 422, "invalid_request"),
    ({"question": "x" * 20_001}, 413, "question_size"),
    (b"{", 422, "invalid_request"),
    (b'{"question": "\\ud800"}', 422, "invalid_request"),
    (b'{"question": "q", "budget": {"usd": NaN}}', 422, "invalid_request"),
    (b"[" * 50 + b"]" * 50, 400, "too_deep"),
    (b'"' + b"x" * (1 << 21) + b'"', 413, "too_large"),
]


async def test_what_cannot_be_asked_is_refused_in_plain_words(service: Running, tenant: str) -> None:
    client = await service.caller(tenant)
    for body, status, code in REFUSED:
        answer = await client.post("/v1/research", body)
        assert (answer.status, answer.body["code"]) == (status, code), str(body)[:80]
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.body["status"] == status
        assert answer.body["instance"] == f"urn:leadline:request:{answer.headers['X-Request-Id']}"
    plain = await client.post("/v1/research", b"question=q", Content_Type="text/plain")
    assert (plain.status, plain.body["code"]) == (415, "unsupported_type")
    assert (await client.get("/v1/research")).body["items"] == []


async def test_a_report_is_not_there_before_the_end_nor_after_a_cancellation(service: Running, tenant: str) -> None:
    client = await service.caller(tenant, Role.ADMIN)
    assert (await client.get("/v1/research/rnone/report")).status == 404
    service.leaving.begin()  # nobody takes it up
    run_id = await client.research()
    early = await client.get(f"/v1/research/{run_id}/report")
    assert (early.status, early.body["code"]) == (409, "wrong_state")
    assert (await client.ask("DELETE", f"/v1/research/{run_id}")).status == 409
    assert (await client.post(f"/v1/research/{run_id}/cancel")).body["state"] == "cancelled"
    late = await client.get(f"/v1/research/{run_id}/report")
    assert (late.status, late.body["code"]) == (409, "run_cancelled")


@pytest.mark.server("postgres")
@pytest.mark.xdist_group("postgres")
async def test_with_workers_of_its_own_the_service_only_queues(
    shared_database: str, tenant: str, tmp_path: Path
) -> None:
    async with small_service(tmp_path, {"store": shared_database, "engine": "postgres"}) as service:
        client = await service.caller(tenant)
        assert not service.services.carries
        run_id = await client.research()
        assert (await client.get(f"/v1/research/{run_id}")).body["state"] == "queued"
        async with asyncio.TaskGroup() as group:
            following = group.create_task(client.ended(run_id))
            stop = asyncio.Event()
            worker = group.create_task(work(service.services.settings, stop))
            run = await following
            stop.set()
            await worker
        assert run["state"] == "done"


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Take runs from the queue, as `leadline worker` does."""
    async with Leadline(settings) as engine:
        await engine.work(concurrency=2, stop=stop)
