"""What is SQLite's own about the run store: the file, its failures, its commits."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leadline.domain import Flag, ModelAnswer, Options, Question
from leadline.errors import (
    SettingsError,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from leadline.events import ENGINE, Entry, Event, FlagSeen, ModelAnswered
from leadline.ports import NewRun
from leadline.tasks.packing import COMPRESS_ABOVE, Packer
from leadline.tasks.sqlite import SqliteStore, schema
from leadline.tasks.sqlite.schema import filesystem_of


def new(run_id: str) -> NewRun:
    question = Question(text="How deep?", language="en")
    return NewRun(id=run_id, tenant="t", question=question, options=Options(), seed=1)


def entry(event: Event) -> Entry:
    return Entry(at=1.0, branch="", event=event)


SEEN = entry(FlagSeen(round=1, flag=Flag.FINISH))


def big(characters: int) -> Entry:
    text = "".join(chr(0x4E00 + (n * 7919) % 20_000) for n in range(characters))
    return entry(ModelAnswered(call="c", answer=ModelAnswer(text=text, finish="stop")))


def connection_of(store: SqliteStore) -> sqlite3.Connection:
    connection = store._writer._connection
    assert connection is not None
    return connection


async def test_folder_and_files_are_the_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "runs.db"
    async with SqliteStore.open(path) as store:
        await store.create(new("r1"))
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
        assert modes == {"runs.db": 0o600, "runs.db-wal": 0o600, "runs.db-shm": 0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_commits_are_on_the_disk(tmp_path: Path) -> None:
    async with SqliteStore.open(tmp_path / "runs.db") as store:
        connection = connection_of(store)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with SqliteStore.open(path) as store:
        await store.create(new("r1"))
        connection_of(store).execute("PRAGMA user_version = 99")
    with pytest.raises(SettingsError, match="newer Leadline"):
        async with SqliteStore.open(path):
            pass
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT id FROM run").fetchall() == [("r1",)]
    connection.close()


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    path.write_bytes(b"not a database, by far" * 1000)
    with pytest.raises(StoreError, match="damaged"):
        async with SqliteStore.open(path):
            pass


async def test_an_unusable_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreUnavailable, match="cannot open"):
        async with SqliteStore.open(tmp_path / "file" / "runs.db"):
            pass


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/u/data/runs.db", "ext4"),
        ("/home/u/net/runs.db", "nfs4"),
        ("/home/u/network/runs.db", "ext4"),
        ("/home/u/my share/runs.db", "fuse.sshfs"),
        ("/mnt/over/runs.db", "9p"),
    ],
)
def test_the_deepest_and_latest_mount_counts(path: str, kind: str) -> None:
    mounts = (
        "/dev/sda / ext4 rw 0 0\n"
        "server:/x /home/u/net nfs4 rw 0 0\n"
        "u@host: /home/u/my\\040share fuse.sshfs rw 0 0\n"
        "tmpfs /mnt/over tmpfs rw 0 0\n"
        "host /mnt/over 9p rw 0 0\n"
        "broken\n"
    )
    assert filesystem_of(Path(path), mounts) == kind


async def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "filesystem_of", lambda _path, _mounts: "nfs4")
    with pytest.raises(SettingsError, match=r"network file system \(nfs4\)"):
        async with SqliteStore.open(tmp_path / "runs.db"):
            pass
    assert not (tmp_path / "runs.db").exists()


async def test_two_hundred_appends_at_once_share_a_few_commits(tmp_path: Path) -> None:
    async with SqliteStore.open(tmp_path / "runs.db") as store:
        runs = [await store.create(new(f"r{n}"), owner="w") for n in range(200)]
        statements: list[str] = []
        connection_of(store).set_trace_callback(statements.append)
        async with asyncio.TaskGroup() as group:
            for run in runs:
                group.create_task(store.append(run.id, run.fence, [SEEN]))
        connection_of(store).set_trace_callback(None)
        assert statements.count("COMMIT") <= 3
        assert len(statements) <= 60  # each costs a wait for the interpreter lock


async def test_a_full_disk_loses_nothing_and_the_store_goes_on(tmp_path: Path) -> None:
    async with SqliteStore.open(tmp_path / "runs.db") as store:
        run = await store.create(new("r1"), owner="w")
        await store.append("r1", run.fence, [big(5000)])
        connection = connection_of(store)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(StoreFull, match="no space"):
            await store.append("r1", run.fence, [big(100_000)])
        assert await store.append("r1", run.fence, [SEEN]) == 3
        connection_of(store).execute("PRAGMA max_page_count = 1000000")
        assert await store.append("r1", run.fence, [big(100_000)]) == 4
        assert [record.seq for record in await store.records("r1")] == [1, 2, 3, 4]


async def test_what_fills_the_disk_takes_no_other_with_it(tmp_path: Path) -> None:
    async with SqliteStore.open(tmp_path / "runs.db") as store:
        runs = [await store.create(new(f"r{n}"), owner="w") for n in range(5)]
        connection = connection_of(store)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        entries = [SEEN, SEEN, big(100_000), SEEN, SEEN]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(outcome(store, run.id, one)) for run, one in zip(runs, entries, strict=True)]
        assert [task.result() for task in tasks] == [2, 2, StoreFull, 2, 2]


async def outcome(store: SqliteStore, run_id: str, one: Entry) -> object:
    try:
        return await store.append(run_id, 1, [one])
    except StoreError as error:
        return type(error)


async def test_a_locked_file_is_waited_for_then_told(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with SqliteStore.open(path, busy=0.1) as store:
        run = await store.create(new("r1"), owner="w")
        other = await asyncio.to_thread(lock, path)
        with pytest.raises(StoreUnavailable, match="locked"):
            await store.append("r1", run.fence, [SEEN])
        assert (await store.get("r1", tenant="t")).last_seq == 1
        await asyncio.to_thread(other.close)
        assert await store.append("r1", run.fence, [SEEN]) == 2


def lock(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    return connection


async def test_after_an_outage_owners_come_back_before_others_take_over(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with SqliteStore.open(path, busy=0.05) as store:
        await store.create(new("r1"))
        await asyncio.sleep(0.3)  # the first connection's patience is over
        assert await store.claim("w1", lease=0.05, engines=[ENGINE])
        other = await asyncio.to_thread(lock, path)
        with pytest.raises(StoreUnavailable):
            await store.beat("w1", lease=0.05)
        await asyncio.to_thread(other.close)
        assert await store.claim("w2", lease=0.3, engines=[ENGINE]) is None
        assert len(await store.beat("w1", lease=0.01)) == 1
        end = time.monotonic() + 5
        while await store.claim("w2", lease=0.3, engines=[ENGINE]) is None:
            assert time.monotonic() < end
            await asyncio.sleep(0.02)


async def test_a_lost_connection_is_made_anew(tmp_path: Path) -> None:
    async with SqliteStore.open(tmp_path / "runs.db") as store:
        run = await store.create(new("r1"), owner="w")
        connection_of(store).close()
        with pytest.raises(StoreUnavailable):
            await store.append("r1", run.fence, [SEEN])
        assert await store.append("r1", run.fence, [SEEN]) == 2


async def test_a_closed_store_says_so_and_lets_waiters_go(tmp_path: Path) -> None:
    async with SqliteStore.open(tmp_path / "runs.db") as store:
        counter = await store.changed(-1, timeout=5)
        waiter = asyncio.ensure_future(store.changed(counter, timeout=60))
        last = asyncio.ensure_future(store.create(new("r1")))
        await asyncio.sleep(0)
    assert (await last).id == "r1"
    assert await waiter != counter
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.create(new("r2"))


async def test_nobody_looks_while_nobody_waits(tmp_path: Path) -> None:
    async with SqliteStore.open(tmp_path / "runs.db") as store:
        counter = await store.changed(-1, timeout=5)
        await store.changed(counter, timeout=0.01)
        await asyncio.sleep(0.25)  # the look that was on its way
        statements: list[str] = []
        connection_of(store).set_trace_callback(statements.append)
        await asyncio.sleep(0.35)
        assert statements == []


def test_large_bodies_are_compressed_and_small_ones_legible() -> None:
    packer = Packer()
    small = FlagSeen(round=1, flag=Flag.CANCEL)
    assert packer.pack(small) == (False, b'{"round":1,"flag":"cancel"}')
    answer = ModelAnswer(text="deep " * COMPRESS_ABOVE, finish="stop")
    large = ModelAnswered(call="c", answer=answer)
    compressed, body = packer.pack(large)
    assert compressed
    assert len(body) < COMPRESS_ABOVE
    assert packer.unpack("model_answered", body, compressed=True) == large


@pytest.mark.parametrize(
    ("type_name", "body", "compressed"),
    [
        ("model_answered", b"no frame", True),
        ("model_answered", b"{", False),
        ("model_answered", b"[]", False),
        ("no_such_event", b"{}", False),
    ],
)
def test_a_damaged_body_is_a_value_error(type_name: str, body: bytes, compressed: bool) -> None:
    with pytest.raises(ValueError, match=r"."):
        Packer().unpack(type_name, body, compressed=compressed)


async def test_a_second_store_in_a_process_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    """Another process that comes and goes would else take the write-ahead log away under the first."""
    path = tmp_path / "runs.db"
    async with SqliteStore.open(path) as store:
        await store.create(new("r1"))
        async with SqliteStore.open(path) as second:
            await second.create(new("r2"))
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", _COMES_AND_GOES, str(path)], check=True)
        assert path.with_name("runs.db-wal").exists()
        await store.create(new("r3"))
        assert {run.id for run in await store.runs(tenant="t")} == {"r1", "r2", "r3"}


_COMES_AND_GOES = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1])
file.execute("SELECT count(*) FROM sqlite_master").fetchall()
file.close()
"""
