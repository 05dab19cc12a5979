"""Several processes on one index, and one that dies."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from leadline.extract.children import ExtractPool
from leadline.ports import Query
from leadline.resilience import SystemClock
from leadline.search.corpus import Corpus, IndexProgress

CHILD = Path(__file__).with_name("refresh_child.py")
FILES = 600
# A refresh commits this many documents at a time and starts no second batch before the first is in.
BATCH = 256
OLD = time.time_ns() - 3600 * 10**9


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(FILES):
        path = folder / f"{number:04}.txt"
        path.write_text(f"Entry {number} tells of word{number}.\n", encoding="utf-8")
        os.utime(path, ns=(OLD, OLD))
    return folder


@pytest.fixture
async def corpus(tmp_path: Path, folder: Path) -> AsyncIterator[Corpus]:
    async with (
        ExtractPool(workers=1) as pool,
        await Corpus.open(tmp_path / "index", [folder], parser=pool, clock=SystemClock()) as corpus,
    ):
        yield corpus


def child(tmp_path: Path, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(tmp_path / "index"), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def documents_stand(tmp_path: Path) -> int:
    """Return how many documents the index holds, after checking that it is whole."""
    (index,) = (tmp_path / "index").glob("*.db")
    with closing(sqlite3.connect(index)) as connection:
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        ((verdict,),) = connection.execute("PRAGMA integrity_check").fetchall()
        assert verdict == "ok"
        passages = connection.execute("SELECT count(*) FROM passages").fetchone()
        assert passages == connection.execute("SELECT count(*) FROM words").fetchone()
        (count,) = connection.execute("SELECT count(*) FROM files").fetchone()
        return int(count)


def test_two_processes_share_the_work(tmp_path: Path, folder: Path) -> None:
    children = [child(tmp_path, folder) for _ in range(2)]
    replies = [json.loads(process.communicate(timeout=50)[0].splitlines()[-1]) for process in children]
    assert sorted(reply["added"] for reply in replies) == [0, FILES]
    assert [reply["documents"] for reply in replies] == [FILES, FILES]
    assert documents_stand(tmp_path) == FILES


async def test_a_killed_refresh_goes_on_where_it_was(tmp_path: Path, folder: Path, corpus: Corpus) -> None:
    process = await asyncio.to_thread(child, tmp_path, folder)
    assert process.stdout is not None
    done = 0
    while done <= 2 * BATCH:
        done = int(await asyncio.to_thread(process.stdout.readline))
    os.killpg(process.pid, signal.SIGKILL)
    assert await asyncio.to_thread(process.wait) == -signal.SIGKILL
    process.stdout.close()
    kept = await asyncio.to_thread(documents_stand, tmp_path)
    assert BATCH <= kept < FILES
    report = await corpus.refresh()
    assert (report.unchanged, report.added) == (kept, FILES - kept)
    assert await asyncio.to_thread(documents_stand, tmp_path) == FILES
    last = await corpus.search(Query(text=f"word{FILES - 1}"), deadline=5)
    assert [Path(hit.uri).name for hit in last.hits] == [f"{FILES - 1:04}.txt"]


async def test_readers_are_not_held_up_by_a_refresh(tmp_path: Path, folder: Path, corpus: Corpus) -> None:
    async with (
        ExtractPool(workers=1) as pool,
        await Corpus.open(tmp_path / "index", [folder], parser=pool, clock=SystemClock(), id=corpus.id) as writer,
    ):
        refreshing = asyncio.ensure_future(writer.refresh())
        seen = set()
        while not refreshing.done():
            found = await corpus.search(Query(text="entry"), deadline=1)
            seen.add(len(found.hits))
        await refreshing
    assert seen <= {0, 10}
    assert (await corpus.search(Query(text="entry"), deadline=5)).hits


async def test_a_cancelled_refresh_leaves_the_lock(folder: Path, corpus: Corpus) -> None:
    under_way = asyncio.Event()

    def watch(progress: IndexProgress) -> None:
        if progress.done > BATCH:
            under_way.set()

    refreshing = asyncio.ensure_future(corpus.refresh(progress=watch))
    await under_way.wait()
    refreshing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await refreshing
    report = await corpus.refresh()
    assert report.documents == FILES
    assert report.unchanged >= BATCH
