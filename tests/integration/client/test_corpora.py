"""`client.corpora` and the commands over it: uploads that stream, are tried again, and are sent once."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.support.remote_cli import Program
from tests.support.service import Running, small_service

from leadline.client import AsyncClient, Client
from leadline.errors import AlreadyThere, InputError, MissingPath, TooLarge, UnknownObject

pytestmark = pytest.mark.xdist_group("client")

LOCK = b"# Falkenstein lock\n\nThe Falkenstein lock was opened in 1911.\n"
QUESTION = "When was the Falkenstein lock opened?"


@pytest.fixture
async def client(running: Running) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(running.url, key=await running.key("acme")) as client:
        yield client


def folder(place: Path) -> Path:
    """Make a folder of documents: one that answers, one within a folder, one that is broken."""
    (place / "sub").mkdir(parents=True)
    (place / "lock.md").write_bytes(LOCK)
    (place / "sub" / "other.txt").write_text("Nothing about locks.", encoding="utf-8")
    (place / "broken.pdf").write_bytes(b"%PDF-1.7\n" + b"\xff" * 300)
    return place


async def test_documents_are_kept_listed_asked_and_removed(client: AsyncClient, tmp_path: Path) -> None:
    corpus = await client.corpora.create("papers")
    with pytest.raises(AlreadyThere):
        await client.corpora.create("papers")
    path = folder(tmp_path / "docs") / "lock.md"
    sent = await client.corpora.upload(corpus.id, path)
    assert (sent.name, sent.sha256, sent.size) == ("lock.md", hashlib.sha256(LOCK).hexdigest(), len(LOCK))
    await client.corpora.upload(corpus.id, "漢字 über all.".encode(), name="ordner/漢字 é.txt")
    found = await client.corpora.wait(corpus.id)
    assert (found.documents, found.ready, found.unread) == (2, 2, 0)
    assert [one.name for one in await client.corpora.documents(corpus.id)] == ["lock.md", "ordner/漢字 é.txt"]
    report = await client.research(QUESTION, corpora=(corpus.id,))
    assert [source.uri for source in report.sources] == [f"document:{corpus.id}/lock.md"]
    await client.corpora.remove(corpus.id, "ordner/漢字 é.txt")
    assert (await client.corpora.get(corpus.id)).documents == 1
    assert [one.id for one in await client.corpora.list()] == [corpus.id]
    await client.corpora.delete(corpus.id)
    with pytest.raises(UnknownObject):
        await client.corpora.document(corpus.id, "lock.md")


async def test_a_folder_is_sent_once(client: AsyncClient, tmp_path: Path) -> None:
    docs = folder(tmp_path / "docs")
    files = {str(path.relative_to(docs)): path for path in docs.rglob("*") if path.is_file()}
    corpus = await client.corpora.create("folder")
    first = await client.corpora.sync(corpus.id, files)
    assert (len(first.sent), first.same, first.refused) == (3, (), ())
    version = (await client.corpora.wait(corpus.id)).version
    told: list[str] = []
    again = await client.corpora.sync(corpus.id, files, progress=told.append)
    assert (again.sent, sorted(again.same)) == ((), sorted(files))
    assert sorted(told) == sorted(files)
    assert (await client.corpora.get(corpus.id)).version == version
    (docs / "lock.md").write_bytes(LOCK + b"And later.")
    del files["sub/other.txt"]
    third = await client.corpora.sync(corpus.id, files, remove=True)
    assert (third.sent, third.removed) == (("lock.md",), ("sub/other.txt",))


async def test_a_large_file_goes_piece_by_piece_and_one_too_large_is_refused_early(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    path.write_bytes(b"A line about nothing in particular.\n" * 100_000)
    async with (
        small_service(tmp_path / "data", {"extract__max_bytes": str(path.stat().st_size)}) as running,
        AsyncClient(running.url, key=await running.key("acme")) as client,
    ):
        corpus = await client.corpora.create("large")
        assert (await client.corpora.upload(corpus.id, path)).size == path.stat().st_size
        path.write_bytes(path.read_bytes() + b"x")
        with pytest.raises(TooLarge):
            await client.corpora.upload(corpus.id, path)
        with pytest.raises(MissingPath):
            await client.corpora.upload(corpus.id, tmp_path / "none")
        with pytest.raises(InputError):
            await client.corpora.upload(corpus.id, b"x")


async def test_an_upload_whose_answer_was_lost_is_not_sent_again() -> None:
    put: list[bytes] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.method == "PUT":
            put.append(await request.read())
            assert request.transport is not None
            request.transport.close()  # the answer is lost
            return web.Response()
        shown = {"name": "a.md", "sha256": hashlib.sha256(put[0]).hexdigest(), "size": len(put[0])}
        return web.json_response({**shown, "type": "text/markdown", "added_at": "", "state": "queued"})

    app = web.Application()
    app.router.add_route("*", "/v1/corpora/c/documents/a.md", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        async with AsyncClient(f"http://{host}:{port}") as client:
            found = await client.corpora.upload("c", LOCK, name="a.md")
    finally:
        await runner.cleanup()
    assert (found.size, put) == (len(LOCK), [LOCK])


async def test_code_without_a_loop_keeps_documents_too(running: Running, tmp_path: Path) -> None:
    key = await running.key("acme")
    docs = folder(tmp_path / "docs")

    def work() -> tuple[int, int, list[str]]:
        with Client(running.url, key=key) as client:
            corpus = client.corpora.create("papers")
            client.corpora.upload(corpus.id, docs / "lock.md")
            client.corpora.sync(corpus.id, {"b.txt": docs / "sub" / "other.txt"})
            ready = client.corpora.wait(corpus.id).ready
            names = [one.name for one in client.corpora.documents(corpus.id)]
            client.corpora.remove(corpus.id, "b.txt")
            left = client.corpora.get(corpus.id).documents
            client.corpora.delete(corpus.id)
            return ready, left, names

    assert await asyncio.to_thread(work) == (2, 1, ["b.txt", "lock.md"])


async def test_ask_sends_a_folder_once_and_cites_it(program: Program, leadline: Program, tmp_path: Path) -> None:
    docs = folder(tmp_path / "docs")
    first = await program("ask", QUESTION, "--docs", str(docs), "--format", "json")
    assert first.code == 0, first.err
    assert "not read: broken.pdf" in first.err
    sources = json.loads(first.out)["sources"]
    assert [source["uri"].partition("/")[2] for source in sources] == ["lock.md"]
    assert str(tmp_path) not in first.out
    listed = [json.loads(line) for line in (await leadline("corpora", "list", "--format", "json")).out.splitlines()]
    assert [(one["documents"], one["failed"], one["version"]) for one in listed] == [(3, 1, 3)]
    (docs / "broken.pdf").unlink()
    second = await program("ask", QUESTION, "--docs", str(docs), "--format", "json")
    assert second.code == 0, second.err
    listed = [json.loads(line) for line in (await leadline("corpora", "list", "--format", "json")).out.splitlines()]
    assert [(one["documents"], one["failed"], one["version"]) for one in listed] == [(2, 0, 4)]


async def test_corpora_by_commands(leadline: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = folder(tmp_path / "docs")
    made = await leadline("corpora", "create", "papers")
    assert made.code == 0, made.err
    added = await leadline("corpora", "add", "papers", str(docs))
    assert (added.code, "3 added" in added.out) == (0, True), added
    again = await leadline("corpora", "add", made.out.strip(), str(docs / "lock.md"), "--sync")
    assert "0 added, 0 changed, 2 removed, 1 unchanged" in again.out
    listed = (await leadline("corpora", "documents", "papers")).out
    assert listed.startswith("ready")
    assert listed.rstrip().endswith("lock.md")
    asked = await leadline("corpora", "delete", "papers", "--document", "lock.md")
    assert (asked.code, asked.err.strip()) == (0, "deleted from papers: lock.md")
    assert (await leadline("corpora", "delete", "papers")).code == 0
    assert (await leadline("corpora", "documents", "papers")).code == 2
    monkeypatch.delenv("LEADLINE_SERVER__URL")
    alone = await leadline("corpora", "list")
    assert (alone.code, len(alone.err.strip().splitlines())) == (2, 1)
