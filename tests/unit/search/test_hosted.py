"""Index files of hosted corpora: built from others, whole or not there, kept while used, few enough."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.hosted import TENANT, built, documents_of, hosted

from leadline.blobs.memory import MemoryBlobs
from leadline.domain import sha256
from leadline.errors import NotFound, ToolFailed
from leadline.ports import Query
from leadline.ports.corpora import DocumentState
from leadline.search.hosted import AbsentCorpus, HostedCorpus
from leadline.search.hosted_build import address, canonical
from leadline.search.hosted_files import IndexFiles

OLD = {"a.md": b"# A\n\nThe first harbour.\n", "b.md": b"# B\n\nThe second harbour.\n", "c.md": b"# C\n\nThe third.\n"}
NEW = {"a.md": OLD["a.md"], "b.md": b"# B\n\nThe second quay.\n", "d.md": OLD["c.md"], "e.md": b"# E\n\nThe fifth.\n"}


def rows(place: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(place) as connection:
        return connection.execute(
            "SELECT f.uri, f.raw_sha256, t.sha256, f.code FROM files f LEFT JOIN texts t ON t.id = f.text_id ORDER BY 1"
        ).fetchall()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def hits(place: Path, words: str) -> list[str]:
    opened = HostedCorpus(place, corpus="c", tenant=TENANT, blobs=MemoryBlobs())
    try:
        return sorted(hit.uri for hit in (await opened.search(Query(text=words), deadline=5)).hits)
    finally:
        await opened.close()


async def test_from_another_version_comes_what_comes_from_nothing(tmp_path: Path) -> None:
    old, grown, fresh = tmp_path / "old.db", tmp_path / "grown.db", tmp_path / "fresh.db"
    await built(old, "c", documents_of(OLD), OLD)
    before = old.read_bytes()
    assert await built(grown, "c", documents_of(NEW), NEW, base=old) == ["b.md", "d.md", "e.md"]
    assert await built(fresh, "c", documents_of(NEW), NEW) == list(NEW)
    assert rows(grown) == rows(fresh)
    for words in ("harbour", "quay", "third", "fifth", "second"):
        assert await hits(grown, words) == await hits(fresh, words), words
    assert await hits(grown, "harbour") == [address("c", "a.md")]
    assert old.read_bytes() == before
    assert names_in(tmp_path) == ["fresh.db", "grown.db", "old.db"]


async def test_what_failed_says_why_and_what_a_killed_process_left_harms_nobody(tmp_path: Path) -> None:
    place = tmp_path / "c@1.db"
    (tmp_path / "c@1.db.new").write_bytes(b"half an index")
    (tmp_path / "c@1.db.new-wal").write_bytes(b"x")
    documents = documents_of(OLD)
    documents[1] = replace(documents[1], state=DocumentState.FAILED, code="broken_document", reason="it is damaged")
    assert await built(place, "c", documents, OLD) == ["a.md", "c.md"]
    opened = HostedCorpus(place, corpus="c", tenant=TENANT, blobs=MemoryBlobs())
    with pytest.raises(NotFound, match="it is damaged"):
        await opened.read(address("c", "b.md"), deadline=5)
    fetched = await opened.read(address("c", "a.md"), deadline=5)
    assert (fetched.text, fetched.raw) == (OLD["a.md"].decode(), None)
    await opened.close()
    assert names_in(tmp_path) == ["c@1.db"]


async def test_bytes_come_with_the_text_while_they_are_there(tmp_path: Path) -> None:
    async with hosted(tmp_path, "c", OLD) as corpus:
        fetched = await corpus.read(address("c", "a.md"), deadline=5)
        assert fetched.raw is not None
        assert sha256(fetched.raw) == fetched.source.raw_sha256
        assert fetched.source.fetched_at == "2023-11-14T22:13:20+00:00"


async def test_a_corpus_that_is_gone_says_so() -> None:
    gone = AbsentCorpus("c", "the corpus was deleted")
    assert gone.reads(address("c", "a.md"))
    assert not gone.reads("document:other/a.md")
    with pytest.raises(NotFound, match="deleted"):
        await gone.read(address("c", "a.md"), deadline=1)
    for call in (
        gone.search(Query(text="x"), deadline=1),
        gone.named("a.md", limit=1, deadline=1),
        gone.names(limit=1, deadline=1),
    ):
        with pytest.raises(ToolFailed, match="deleted"):
            await call


def test_addresses_are_written_in_one_way() -> None:
    assert address("c", "ä b/1.md") == "document:c/%C3%A4%20b/1.md"
    assert canonical("c", "document:c/%c3%a4 b/1.md") == address("c", "ä b/1.md")
    assert canonical("c", "document:d/a.md") is None


class Files:
    """Index files of a given size, built when asked for."""

    def __init__(self, folder: Path, most: int) -> None:
        self.kept = IndexFiles(folder, most_bytes=most)
        self.built: list[tuple[str, str | None]] = []

    async def make(self, place: Path, base: Path | None) -> None:
        self.built.append((place.name, None if base is None else base.name))
        await asyncio.to_thread(place.write_bytes, bytes(1_000))

    async def use(self, corpus: str, version: int, used: float | None = None) -> None:
        async with self.kept.using(corpus, version, build=self.make) as path:
            pass
        if used is not None:
            os.utime(path.with_name(path.name + ".use"), (used, used))

    async def names(self) -> list[str]:
        return sorted(f"{one.corpus}@{one.version}" for one in await asyncio.to_thread(self.kept.there))


async def test_an_index_is_built_once_from_the_nearest(tmp_path: Path) -> None:
    files = Files(tmp_path / "hosted", 10_000)
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(files.use("c", 1))
    await files.use("c", 9)
    await files.use("c", 3)
    await files.use("d", 3)
    assert files.built == [("c@1.db", None), ("c@9.db", "c@1.db"), ("c@3.db", "c@1.db"), ("d@3.db", None)]


async def test_what_was_unused_for_longest_goes_and_what_is_used_stays(tmp_path: Path) -> None:
    files = Files(tmp_path, 2_500)
    async with files.kept.using("c", 1, build=files.make) as held:
        await files.use("c", 2, used=200.0)
        await files.use("c", 3, used=100.0)
        os.utime(held.with_name(held.name + ".use"), (1.0, 1.0))
        await files.use("c", 4, used=300.0)
        assert await files.names() == ["c@1", "c@4"], "the used one stays, of the others the newest"
    assert await asyncio.to_thread(files.kept.bound) == 0
    await files.use("c", 2)
    assert await files.names() == ["c@2", "c@4"]


async def test_what_nobody_needs_is_forgotten(tmp_path: Path) -> None:
    files = Files(tmp_path, 100_000)
    for version, used in ((1, 100.0), (2, 900.0), (3, 100.0)):
        await files.use("c", version, used=used)
    await files.use("gone", 1, used=900.0)
    assert await asyncio.to_thread(lambda: files.kept.forget({"c": 3}, unused_since=500.0)) == 2_000
    assert await files.names() == ["c@2", "c@3"]
    assert not [name for name in names_in(tmp_path) if name.startswith("gone")]


async def test_what_a_killed_builder_left_is_forgotten_with_its_corpus(tmp_path: Path) -> None:
    files = Files(tmp_path, 100_000)
    await files.use("c", 3)
    for name in ("gone@1.db", "c@2.db"):  # as a process leaves it that died while it built
        (tmp_path / f"{name}.use").touch()
        (tmp_path / f"{name}.new").write_bytes(b"the text of a document that was deleted")
        os.utime(tmp_path / f"{name}.use", (100.0, 100.0))
    assert await asyncio.to_thread(lambda: files.kept.forget({"c": 3}, unused_since=500.0)) == 78
    assert names_in(tmp_path) == ["c@3.db", "c@3.db.lock", "c@3.db.use"]


async def test_half_an_index_is_no_base_for_another(tmp_path: Path) -> None:
    files = Files(tmp_path, 100_000)
    (tmp_path / "c@1.db.use").touch()
    (tmp_path / "c@1.db.new").write_bytes(b"x")
    await files.use("c", 2)
    assert files.built == [("c@2.db", None)]


async def test_once_the_mark_is_gone_nothing_more_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(tmp_path, 100_000)
    await files.use("gone", 1)
    unlink, gone = Path.unlink, []

    def noted(path: Path, missing_ok: bool = False) -> None:
        gone.append(path.name)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", noted)
    assert await asyncio.to_thread(lambda: files.kept.forget({}, unused_since=0.0)) == 1_000
    assert gone.index("gone@1.db.use") == len(gone) - 1, "another process may build there already"
