"""A corpus over real folders: what changes on disk is what changes in the index."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from leadline.errors import MissingPath, NotFound, StoreFull
from leadline.extract.children import ExtractPool
from leadline.extract.types import Extracted, Limits
from leadline.ports import Query
from leadline.resilience import SystemClock
from leadline.search import corpus_scan, corpus_schema
from leadline.search.addresses import AddressKind
from leadline.search.corpus import Corpus, IndexProgress, IndexReport

OLD = time.time_ns() - 3600 * 10**9


class Counted:
    """An `ExtractPool` that counts what it is given."""

    def __init__(self, pool: ExtractPool) -> None:
        self.pool = pool
        self.names: list[str] = []

    async def extract(self, source: bytes, /, *, name: str | None = None) -> Extracted:
        self.names.append(Path(name or "").name)
        return await self.pool.extract(source, name=name)


@pytest.fixture
async def parser() -> AsyncIterator[Counted]:
    async with ExtractPool(workers=1) as pool:
        yield Counted(pool)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "documents"
    folder.mkdir()
    write(folder / "one.md", "# One\n\nThe sextant measures angles.\n")
    write(folder / "two.txt", "The chronometer keeps time.\n")
    write(folder / "sub" / "三.md", "# 三\n\n罗盘指向北方。\n")
    return folder


def write(path: Path, text: str | bytes, *, old: bool = True) -> None:
    """Write a file; an old one was last changed an hour ago, so that its times can be trusted."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    if old:
        os.utime(path, ns=(OLD, OLD))


@pytest.fixture
def trust_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the times of files that were changed just now, as one does two seconds later."""
    monkeypatch.setattr("leadline.search.corpus_scan.RACY_NS", 0)


async def opened(
    tmp_path: Path,
    *roots: Path,
    parser: Counted,
    uris: AddressKind = "file",
    limits: Limits | None = None,
) -> Corpus:
    return await Corpus.open(
        tmp_path / "index",
        roots or [tmp_path / "documents"],
        parser=parser,
        clock=SystemClock(),
        uris=uris,
        limits=limits,
    )


def counts(report: IndexReport) -> tuple[int, int, int, int]:
    return report.added, report.changed, report.removed, report.unchanged


async def found(corpus: Corpus, text: str) -> list[str]:
    return [Path(hit.uri).name for hit in (await corpus.search(Query(text=text), deadline=5)).hits]


@pytest.fixture
async def corpus(tmp_path: Path, folder: Path, parser: Counted) -> AsyncIterator[Corpus]:
    async with await opened(tmp_path, parser=parser) as corpus:
        yield corpus


async def test_what_is_unchanged_is_not_parsed(corpus: Corpus, parser: Counted, trust_times: None) -> None:
    assert counts(await corpus.refresh()) == (3, 0, 0, 0)
    parser.names.clear()
    assert counts(await corpus.refresh()) == (0, 0, 0, 3)
    assert parser.names == []
    assert await found(corpus, "罗盘") == ["%E4%B8%89.md"]


async def test_added_changed_and_removed_show_at_once(corpus: Corpus, folder: Path, parser: Counted) -> None:
    await corpus.refresh()
    parser.names.clear()
    write(folder / "four.md", "An astrolabe.\n")
    write(folder / "one.md", "# One\n\nNow about barometers.\n")
    (folder / "two.txt").unlink()
    assert counts(await corpus.refresh()) == (1, 1, 1, 1)
    assert sorted(parser.names) == ["four.md", "one.md"]
    assert await found(corpus, "astrolabe") == ["four.md"]
    assert await found(corpus, "barometer") == ["one.md"]
    assert await found(corpus, "sextant") == []
    assert await found(corpus, "chronometer") == []


async def test_a_change_of_equal_size_within_the_same_second_is_seen(corpus: Corpus, folder: Path) -> None:
    write(folder / "one.md", "about starboard\n", old=False)
    facts = (folder / "one.md").stat()
    await corpus.refresh()
    (folder / "one.md").write_text("about larboards\n", encoding="utf-8")
    os.utime(folder / "one.md", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (await corpus.refresh()).changed == 1
    assert await found(corpus, "larboards") == ["one.md"]


async def test_a_renamed_document_is_not_parsed_again(corpus: Corpus, folder: Path, parser: Counted) -> None:
    await corpus.refresh()
    parser.names.clear()
    (folder / "two.txt").rename(folder / "harrison.txt")
    assert counts(await corpus.refresh()) == (1, 0, 1, 2)
    assert parser.names == []
    assert await found(corpus, "chronometer") == ["harrison.txt"]
    assert await found(corpus, "harrison") == ["harrison.txt"]
    assert await found(corpus, "two") == []


async def test_a_copy_is_one_hit_with_two_addresses(corpus: Corpus, folder: Path, parser: Counted) -> None:
    shutil.copy(folder / "two.txt", folder / "copy.txt")
    await corpus.refresh()
    assert len(parser.names) == 3
    (hit,) = (await corpus.search(Query(text="chronometer"), deadline=5)).hits
    source = (await corpus.read(hit.uri, deadline=5)).source
    assert Path(source.uri).name == "copy.txt"
    assert [Path(uri).name for uri in source.also] == ["two.txt"]
    (folder / "copy.txt").unlink()
    await corpus.refresh()
    assert await found(corpus, "chronometer") == ["two.txt"]


async def test_broken_files_are_named_each_time_and_parsed_once(
    corpus: Corpus, folder: Path, parser: Counted, trust_times: None
) -> None:
    write(folder / "broken.pdf", b"%PDF-1.7\nthis is no PDF\n")
    write(folder / "noise.dat", bytes(range(256)) * 20)
    first = await corpus.refresh()
    assert first.added == 3
    assert [Path(at.name).name for at in first.failed] == ["broken.pdf", "noise.dat"]
    assert all(at.code and at.reason for at in first.failed)
    parser.names.clear()
    again = await corpus.refresh()
    assert again.failed == first.failed
    assert again.unchanged == 3
    assert parser.names == []
    with pytest.raises(NotFound, match="broken_document"):
        await corpus.read(f"file://{folder}/broken.pdf", deadline=5)
    write(folder / "broken.pdf", "mended\n")
    mended = await corpus.refresh()
    assert (mended.changed, len(mended.failed)) == (1, 1)
    assert await found(corpus, "mended") == ["broken.pdf"]


async def test_the_same_bytes_under_two_names_are_refused_under_their_own(corpus: Corpus, folder: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        write(folder / name, b"%PDF-1.7\nthis is no PDF\n")
    failed = (await corpus.refresh()).failed
    assert [Path(at.name).name for at in failed] == ["a.pdf", "b.pdf"]
    for at, other in zip(failed, reversed(failed), strict=True):
        assert Path(other.name).name not in at.reason


async def test_a_document_that_breaks_is_found_no_more(corpus: Corpus, folder: Path) -> None:
    await corpus.refresh()
    write(folder / "two.txt", bytes(range(256)) * 20)
    report = await corpus.refresh()
    assert [Path(at.name).name for at in report.failed] == ["two.txt"]
    assert report.documents == 2
    assert await found(corpus, "chronometer") == []


async def test_a_file_that_is_too_large_is_named(tmp_path: Path, folder: Path, parser: Counted) -> None:
    write(folder / "large.txt", "x " * 5_000)
    async with await opened(tmp_path, parser=parser, limits=Limits(bytes=1_000)) as corpus:
        report = await corpus.refresh()
    assert [(Path(at.name).name, at.code) for at in report.failed] == [("large.txt", "too_large")]
    assert report.added == 3


async def test_links_hidden_secret_and_ignored_files_are_counted_not_read(
    corpus: Corpus, folder: Path, tmp_path: Path
) -> None:
    write(tmp_path / "outside.txt", "kraken\n")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    write(folder / ".hidden.md", "kraken\n")
    write(folder / "server.pem", "kraken\n")
    write(folder / ".gitignore", "*.log\n")
    write(folder / "a.log", "kraken\n")
    report = await corpus.refresh()
    assert report.added == 3
    assert sum(report.skipped.values()) == 5
    assert await found(corpus, "kraken") == []
    with pytest.raises(NotFound):
        await corpus.read(f"file://{folder}/link.txt", deadline=5)
    with pytest.raises(NotFound):
        await corpus.read(f"file://{folder}/../outside.txt", deadline=5)


async def test_a_link_that_takes_a_files_place_after_the_walk_is_not_followed(
    corpus: Corpus, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "secret.txt", "kraken\n")
    (folder / "two.txt").rename(tmp_path / "away")
    honest = corpus_scan.plan

    def swap(*args: object, **kwargs: object) -> corpus_scan.Plan:
        plan = honest(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        (folder / "one.md").unlink()
        (folder / "one.md").symlink_to(tmp_path / "secret.txt")
        return plan

    monkeypatch.setattr(corpus_scan, "plan", swap)
    report = await corpus.refresh()
    assert [at.code for at in report.failed] == ["unreadable"]
    assert await found(corpus, "kraken") == []


async def test_a_root_that_is_gone_is_an_error(corpus: Corpus, folder: Path) -> None:
    await corpus.refresh()
    shutil.rmtree(folder)
    with pytest.raises(MissingPath):
        await corpus.refresh()
    assert await found(corpus, "sextant") == ["one.md"]


async def test_raw_bytes_come_only_while_they_are_what_was_indexed(corpus: Corpus, folder: Path) -> None:
    await corpus.refresh()
    uri = f"file://{folder}/two.txt"
    assert (await corpus.read(uri, deadline=5)).raw == (folder / "two.txt").read_bytes()
    write(folder / "two.txt", "quite another thing\n")
    stale = await corpus.read(uri, deadline=5)
    assert stale.raw is None
    assert stale.text == "The chronometer keeps time.\n"


async def test_a_server_shows_no_path(tmp_path: Path, folder: Path, parser: Counted) -> None:
    write(folder / "sub" / "broken.pdf", b"%PDF-1.7\n")
    other = tmp_path / "more" / "documents"
    other.parent.mkdir()
    write(other / "x.md", "sextant again\n")
    async with await opened(tmp_path, folder, other, parser=parser, uris="document") as corpus:
        report = await corpus.refresh()
        hits = (await corpus.search(Query(text="sextant"), deadline=5)).hits
    assert {hit.uri for hit in hits} == {
        f"document:{corpus.id}/documents/one.md",
        f"document:{corpus.id}/documents-2/x.md",
    }
    told = f"{report.failed}"
    assert "documents/sub/broken.pdf" in told
    assert str(tmp_path) not in told


async def test_progress_counts_up_to_all(corpus: Corpus) -> None:
    seen: list[IndexProgress] = []
    await corpus.refresh(progress=seen.append)
    assert [at.done for at in seen] == [0, 1, 2, 3]
    assert {at.found for at in seen} == {3}


async def test_a_corpus_can_be_opened_by_its_id(tmp_path: Path, corpus: Corpus, parser: Counted) -> None:
    await corpus.refresh()
    clock = SystemClock()
    async with await Corpus.open(tmp_path / "index", parser=parser, clock=clock, id=corpus.id) as again:
        assert await found(again, "sextant") == ["one.md"]
        assert (await again.refresh()).unchanged == 3
    for wrong in ("c0000000000000000", "../escape", ""):
        with pytest.raises(MissingPath):
            await Corpus.open(tmp_path / "index", parser=parser, clock=clock, id=wrong)


@pytest.mark.parametrize("damage", ["rubbish", "version", "empty"])
async def test_an_index_that_cannot_be_used_is_built_anew(
    tmp_path: Path, folder: Path, parser: Counted, damage: str
) -> None:
    async with await opened(tmp_path, parser=parser) as corpus:
        await corpus.refresh()
    (index,) = (tmp_path / "index").glob("*.db")
    if damage == "version":
        connection = corpus_schema.connect(index)
        connection.execute("UPDATE meta SET value = '0' WHERE key = 'version'")
        connection.close()
    else:
        index.write_bytes(b"rubbish" * 1000 if damage == "rubbish" else b"")
    async with await opened(tmp_path, parser=parser) as corpus:
        assert (await corpus.refresh()).added == 3
        assert await found(corpus, "sextant") == ["one.md"]


async def test_a_full_disk_is_told_and_what_was_committed_stands(
    corpus: Corpus, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await corpus.refresh()
    write(folder / "big.txt", "".join(f"w{number} " for number in range(200_000)))

    def small(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 8}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr("leadline.search.corpus_store.connect", small)
        with pytest.raises(StoreFull):
            await corpus.refresh()
    assert await found(corpus, "sextant") == ["one.md"]
    assert (await corpus.refresh()).added == 1


@pytest.mark.parametrize("uris", ["file", "document"])
async def test_documents_are_found_by_name_end_of_path_and_address(
    tmp_path: Path, folder: Path, parser: Counted, uris: AddressKind
) -> None:
    write(folder / "sub" / "one.md", "# Another one\n")
    write(folder / "Log 50%_a.txt", "Log.\n")
    async with await opened(tmp_path, parser=parser, uris=uris) as corpus:
        await corpus.refresh()

        async def named(name: str) -> list[str]:
            return [(await corpus.read(uri, deadline=5)).text for uri in await corpus.named(name, limit=9, deadline=5)]

        assert await named("三.md") == ["# 三\n\n罗盘指向北方。\n"]
        assert len(await named("one.md")) == 2
        assert await named("sub/one.md") == ["# Another one\n"]
        assert await named("./sub\\one.md") == ["# Another one\n"]
        assert await named("LOG 50%_A.TXT") == ["Log.\n"]
        assert await named("ne.md") == []
        assert await named("Log 50___.txt") == []
        assert await named("\ud800") == []
        (address,) = await corpus.named("two.txt", limit=9, deadline=5)
        assert await corpus.named(address, limit=9, deadline=5) == (address,)
        assert await corpus.names(limit=2, deadline=5) == ["Log 50%_a.txt", "one.md"]
