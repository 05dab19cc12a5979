"""Corpora over HTTP: uploads, how far they are read, versions, what runs find, what deleting leaves."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import zipfile
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.support.service import Client, Running, small_service

from leadline.api import reading
from leadline.ports.access import Role
from leadline.service.corpora import MOST_ARRIVING

QUESTION = "When was the Falkenstein lock opened, and how deep is its sill?"
LOCK = b"# Falkenstein lock\n\nThe Falkenstein lock was opened in 1911. Its sill lies at a depth of 4.2 metres.\n"
LATER = b"# Falkenstein lock\n\nThe Falkenstein lock was opened in 1987, a later list says.\n"
DOCS = "/v1/corpora/{}/documents"


async def made(client: Client, name: str = "papers") -> str:
    answer = await client.post("/v1/corpora", {"name": name})
    assert answer.status == 201, answer.raw
    return str(answer.body["id"])


async def put(client: Client, corpus: str, name: str, body: bytes, **headers: str) -> Any:
    path = f"{DOCS.format(corpus)}/{quote(name, safe='/')}"
    return await client.ask("PUT", path, body, Content_Type="application/octet-stream", **headers)


async def read(client: Client, corpus: str) -> Any:
    """Wait until nothing is left to read, and return the corpus."""
    async with asyncio.timeout(60):
        while True:
            found = (await client.get(f"/v1/corpora/{corpus}")).body
            if not found["queued"] + found["reading"]:
                return found
            await asyncio.sleep(0.05)


async def listed(client: Client, corpus: str) -> dict[str, Any]:
    answer = await client.get(f"{DOCS.format(corpus)}?limit=200")
    return {one["name"]: one for one in answer.body["items"]}


async def cited(client: Client, run_id: str) -> Any:
    assert (await client.ended(run_id))["state"] == "done"
    return (await client.get(f"/v1/research/{run_id}/report")).body


def quotes(report: Any) -> list[str]:
    return [one["quote"] for claim in report["claims"] for one in claim["citations"]]


@pytest.fixture
async def client(service: Running, tenant: str) -> Client:
    return await service.caller(tenant)


async def test_a_document_is_uploaded_read_and_cited(client: Client) -> None:
    corpus = await made(client)
    answer = await put(client, corpus, "locks/falkenstein.md", LOCK)
    assert answer.status == 200, answer.raw
    assert answer.body["sha256"] == hashlib.sha256(LOCK).hexdigest()
    assert (answer.body["size"], answer.body["type"]) == (len(LOCK), "text/markdown")
    found = await read(client, corpus)
    assert (found["version"], found["documents"], found["ready"], found["bytes"]) == (1, 1, 1, len(LOCK))
    shown = (await listed(client, corpus))["locks/falkenstein.md"]
    assert (shown["state"], shown["characters"], shown["reason"]) == ("ready", len(LOCK.decode()), None)
    report = await cited(client, await client.research(QUESTION, corpora=[corpus]))
    (source,) = report["sources"]
    assert source["uri"] == f"document:{corpus}/locks/falkenstein.md"
    assert any("opened in 1911" in one for one in quotes(report))


async def test_a_run_that_is_asked_at_once_waits_for_its_documents(client: Client) -> None:
    corpus = await made(client)
    for number in range(4):
        await put(client, corpus, f"{number}.txt", b"Nothing of that here, in part %d." % number)
    await put(client, corpus, "lock.md", LOCK)
    report = await cited(client, await client.research(QUESTION, corpora=[corpus]))
    assert any(source["uri"].endswith("/lock.md") for source in report["sources"])


async def test_broken_and_hostile_files_fail_by_themselves(client: Client) -> None:
    corpus = await made(client)
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"<a>" + b" " * (80 << 20))
        archive.writestr("[Content_Types].xml", b"<Types/>")
    hostile = {
        "broken.pdf": b"%PDF-1.7\n" + b"\xff" * 500,
        "bomb.docx": bomb.getvalue(),
        "picture.txt": b"\x89PNG\r\n\x1a\n" + bytes(100),
    }
    for name, body in hostile.items():
        assert (await put(client, corpus, name, body)).status == 200
    await put(client, corpus, "lock.md", LOCK)
    found = await read(client, corpus)
    assert (found["ready"], found["failed"]) == (1, 3)
    shown = await listed(client, corpus)
    for name in hostile:
        assert shown[name]["state"] == "failed"
        assert shown[name]["code"] in {"broken_document", "too_large", "unknown_format", "extract_timeout"}, shown[name]
        assert shown[name]["reason"]
    report = await cited(client, await client.research(QUESTION, corpora=[corpus]))
    assert any("opened in 1911" in one for one in quotes(report))
    assert [line.partition(" (")[0] for line in report["unexamined"] if "Could not be read" in line] == [
        f"Could not be read: {name}" for name in sorted(hostile)
    ]
    again = (await put(client, corpus, "broken.pdf", hostile["broken.pdf"])).body
    assert again["state"] in {"queued", "reading", "failed"}
    assert (await read(client, corpus))["version"] == 5


async def test_the_same_bytes_again_change_nothing(client: Client) -> None:
    corpus = await made(client)
    digest = f"sha-256=:{base64.b64encode(hashlib.sha256(LOCK).digest()).decode()}:"
    for _ in range(3):
        assert (await put(client, corpus, "lock.md", LOCK, Content_Digest=digest)).status == 200
    assert (await read(client, corpus))["version"] == 1
    refused = await put(client, corpus, "lock.md", LATER, Content_Digest=digest)
    assert (refused.status, refused.body["code"]) == (400, "input_error")
    assert (await put(client, corpus, "lock.md", LATER, Content_Digest="md5=:x:")).status == 400
    assert (await read(client, corpus))["version"] == 1


async def test_what_cannot_be_kept_is_refused(client: Client) -> None:
    corpus = await made(client)
    for name, status in (("a/../b.txt", 400), ("a//b.txt", 400), ("x" * 256, 422), ("a\u2028b.txt", 400)):
        answer = await client.ask("PUT", f"{DOCS.format(corpus)}/{quote(name, safe='')}", b"x")
        assert answer.status == status, name
    assert (await put(client, corpus, "empty.txt", b"")).status == 400
    assert (await client.post("/v1/corpora", {"name": "papers"})).status == 409
    assert (await client.post("/v1/corpora", {"name": ""})).status == 422
    assert (await client.get("/v1/corpora?cursor=x")).status == 400
    assert (await client.get(f"{DOCS.format(corpus)}/none.txt")).status == 404
    assert (await client.ask("DELETE", f"{DOCS.format(corpus)}/none.txt")).status == 404
    assert (await client.get("/v1/corpora/none%00")).status == 404
    assert (await client.get(f"{DOCS.format(corpus)}/a%00b")).status == 404


async def test_a_tenant_has_only_so_many_uploads_under_way(service: Running, tenant: str, other: str) -> None:
    client, rival = await service.caller(tenant), await service.caller(other)
    corpus, theirs = await made(client), await made(rival)
    key, uploads = await service.key(tenant), service.services.uploads
    most, go = MOST_ARRIVING * service.services.settings.corpora.uploads, asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"begun"
        await go.wait()

    async def slow(number: int) -> int:
        url = f"{service.url}{DOCS.format(corpus)}/{number}.txt"
        async with service.session.put(url, data=slowly(), headers={"Authorization": f"Bearer {key}"}) as reply:
            return reply.status

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(slow(number)) for number in range(most)]
        async with asyncio.timeout(20):
            while uploads.arriving(tenant) < most:  # noqa: ASYNC110 the service tells nobody
                await asyncio.sleep(0.01)
        refused = await put(client, corpus, "more.txt", b"x")
        assert (refused.status, refused.body["code"]) == (429, "uploads")
        assert (await put(rival, theirs, "theirs.txt", b"x")).status == 200
        go.set()
    assert {call.result() for call in calls} == {200}
    assert uploads.arriving(tenant) == 0
    assert (await put(client, corpus, "more.txt", b"x")).status == 200


async def test_listings_come_in_pages(client: Client) -> None:
    corpora = [await made(client, name) for name in ("c", "a", "b")]
    first = (await client.get("/v1/corpora?limit=2")).body
    rest = (await client.get(f"/v1/corpora?limit=2&cursor={first['next']}")).body
    assert [one["name"] for one in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next"] is None
    for name in ("漢字.txt", "b.txt", "a.txt"):
        await put(client, corpora[0], name, name.encode())
    path = DOCS.format(corpora[0])
    first = (await client.get(f"{path}?limit=2")).body
    rest = (await client.get(f"{path}?limit=2&cursor={first['next']}")).body
    assert [one["name"] for one in first["items"] + rest["items"]] == ["a.txt", "b.txt", "漢字.txt"]


async def test_a_run_keeps_to_the_version_that_it_began_with(service: Running, tenant: str, client: Client) -> None:
    corpus = await made(client)
    await put(client, corpus, "lock.md", LOCK)
    await read(client, corpus)
    old, new = f"{corpus}@1", f"{corpus}@2"
    await put(client, corpus, "lock.md", LATER)
    await read(client, corpus)
    hosted = service.services.platform.hosted

    async def go_on() -> bool:
        return False

    texts = []
    for name in (old, new, old):
        async with hosted.using(tenant, name, stopped=go_on) as found:
            texts.append((await found.read(f"document:{corpus}/lock.md", deadline=5)).text)
    assert texts == [LOCK.decode(), LATER.decode(), LOCK.decode()]


async def test_what_was_deleted_is_gone_once_no_run_needs_it(
    service: Running, tenant: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "FRESH", -60.0)  # bodies need not be an hour old
    platform = service.services.platform
    corpus = await made(client)
    gone = (await put(client, corpus, "a.md", b"Of harbours nobody asks.")).body["sha256"]
    kept = (await put(client, corpus, "lock.md", LOCK)).body["sha256"]
    await read(client, corpus)
    run_id = await client.research(QUESTION, corpora=[corpus])
    report = await cited(client, run_id)
    for name in ("a.md", "lock.md"):
        assert (await client.ask("DELETE", f"{DOCS.format(corpus)}/{name}")).status == 204
    assert (await client.get(f"/v1/corpora/{corpus}")).body["documents"] == 0
    await reading.forget_deleted(platform)
    assert not await platform.blobs.has(tenant, gone)
    assert await platform.blobs.has(tenant, kept), "a run's source stays"
    source = report["sources"][0]["id"]
    assert (await client.get(f"/v1/research/{run_id}/sources/{source}")).body["text"] == LOCK.decode()
    assert await service.services.accounts.leftovers.blobs(tenant) == frozenset()
    assert (await client.ask("DELETE", f"/v1/corpora/{corpus}")).status == 204
    assert (await client.get(f"/v1/corpora/{corpus}")).status == 404
    await reading.forget_deleted(platform)
    folder = service.services.settings.data_dir / "hosted"
    assert [path.name for path in await asyncio.to_thread(lambda: list(folder.iterdir())) if corpus in path.name] == []


async def test_a_run_over_a_deleted_corpus_says_so(service: Running, tenant: str, client: Client) -> None:
    corpus = await made(client)

    async def go_on() -> bool:
        return False

    await client.ask("DELETE", f"/v1/corpora/{corpus}")
    assert (await client.post("/v1/research", {"question": QUESTION, "corpora": [corpus]})).status == 404
    async with service.services.platform.hosted.using(tenant, f"{corpus}@0", stopped=go_on) as found:
        assert found.reads(f"document:{corpus}/a.md")


async def test_other_tenants_see_nothing(service: Running, client: Client, other: str) -> None:
    corpus = await made(client)
    await put(client, corpus, "lock.md", LOCK)
    stranger = await service.caller(other, Role.ADMIN)
    assert (await put(stranger, corpus, "mine.md", LATER)).status == 404
    assert (await stranger.get(f"{DOCS.format(corpus)}/lock.md")).status == 404
    assert (await stranger.post("/v1/research", {"question": QUESTION, "corpora": [corpus]})).status == 404
    assert (await stranger.get("/v1/corpora")).body["items"] == []


async def test_caps_a_file_and_a_tenant(store: dict[str, str], tenant: str, tmp_path: Path) -> None:
    flags = {**store, "extract__max_bytes": "2000", "corpora__bytes": "3000", "corpora__documents": "3"}
    async with small_service(tmp_path, {**flags, "corpora__sets": "2"}) as service:
        client = await service.caller(tenant)
        corpus = await made(client)
        large = await put(client, corpus, "large.txt", b"x" * 2001)
        assert (large.status, large.body["code"]) == (413, "too_large")
        assert (await put(client, corpus, "a.txt", b"x" * 2000)).status == 200
        full = await put(client, corpus, "b.txt", b"y" * 1500)
        assert (full.status, full.body["code"]) == (409, "wrong_state")
        assert (await put(client, corpus, "c.txt", b"y" * 100)).status == 200
        assert (await put(client, corpus, "d.txt", b"z" * 100)).status == 200
        assert (await put(client, corpus, "e.txt", b"z")).status == 409
        assert (await put(client, corpus, "d.txt", b"z" * 100)).status == 200, "the same again needs no room"
        await made(client, "second")
        assert (await client.post("/v1/corpora", {"name": "third"})).status == 409
        kept = await asyncio.to_thread(lambda: list((service.services.settings.data_dir / "uploads").iterdir()))
        assert kept == []
