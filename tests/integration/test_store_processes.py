"""Several processes on one run store: claims, zombies, kills, flags, a full disk."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.support.disks import SmallDisk, small_disk
from tests.support.quick import waited

from leadline.blobs.directory import DirectoryBlobs
from leadline.domain import Flag, ModelAnswer, Options, Question, RunState
from leadline.errors import LeaseLost, StoreFull
from leadline.events import ENGINE, Entry, FlagSeen, ModelAnswered, RunHandedOver
from leadline.ports import NewRun, Run
from leadline.tasks.sqlite import SqliteStore

CLAIMER = """
import asyncio, json, sys
from pathlib import Path
from leadline.events import ENGINE
from leadline.tasks.sqlite import SqliteStore

async def main(path, owner):
    got = []
    async with SqliteStore.open(Path(path)) as store:
        print("ready", flush=True)
        sys.stdin.readline()

        async def claim():
            while run := await store.claim(owner, lease=60, engines=[ENGINE]):
                got.append([run.id, run.fence])
                await asyncio.sleep(0.02)

        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(claim())
    print(json.dumps(got))

asyncio.run(main(*sys.argv[1:]))
"""

APPENDER = """
import asyncio, sys
from pathlib import Path
from leadline.domain import Flag, Options, Question
from leadline.events import Entry, FlagSeen
from leadline.ports import NewRun, Run
from leadline.tasks.sqlite import SqliteStore

async def write(store, run_id):
    question = Question(text="q", language="en")
    new = NewRun(id=run_id, tenant="t", question=question, options=Options(), seed=1)
    run = await store.create(new, owner="victim", lease=60)
    number = 0
    while True:
        entries = [
            Entry(at=1.0, branch="", event=FlagSeen(round=number + n, flag=Flag.FINISH))
            for n in range(3)
        ]
        last = await store.append(run_id, run.fence, entries)
        number += 3
        print(run_id, last, flush=True)

async def main(path):
    async with SqliteStore.open(Path(path)) as store, asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(write(store, f"r{number}"))

asyncio.run(main(sys.argv[1]))
"""

HOLDER = """
import asyncio, sys, time
from pathlib import Path
from leadline.events import ENGINE
from leadline.tasks.sqlite import SqliteStore

async def main(path):
    async with SqliteStore.open(Path(path)) as store:
        run = await store.claim("holder", lease=60, engines=[ENGINE])
        print("ready", flush=True)
        counter = await store.changed(-1, timeout=1)
        while not (beats := await store.beat("holder", lease=60))[0].flag:
            counter = await store.changed(counter, timeout=30)
        print(beats[0].flag, time.time(), flush=True)

asyncio.run(main(sys.argv[1]))
"""


def new(run_id: str) -> NewRun:
    question = Question(text="q", language="en")
    return NewRun(id=run_id, tenant="t", question=question, options=Options(), seed=1)


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


async def test_three_processes_share_two_hundred_runs_without_a_double_claim(
    tmp_path: Path,
) -> None:
    path = tmp_path / "runs.db"
    async with SqliteStore.open(path) as store:
        async with asyncio.TaskGroup() as group:
            for number in range(200):
                group.create_task(store.create(new(f"r{number}")))
        workers = [start(CLAIMER, path, f"w{n}") for n in range(3)]
        for worker in workers:
            assert await asyncio.to_thread(first_line, worker) == "ready\n"
        outputs = await asyncio.to_thread(lambda: [w.communicate("go\n", timeout=50)[0] for w in go(workers)])
        got = [claim for output in outputs for claim in json.loads(output)]
        assert sorted(got) == sorted([f"r{number}", 1] for number in range(200))
        assert sum(bool(json.loads(output)) for output in outputs) >= 2
        assert len(await store.runs(tenant="t", state=RunState.RUNNING, limit=500)) == 200


def go(workers: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return workers


@pytest.mark.parametrize("acknowledged", [1, 40, 200, 500])
async def test_a_kill_amid_commits_loses_nothing_and_leaves_no_gap(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "runs.db"
    lines = await asyncio.to_thread(kill_after, start(APPENDER, path), acknowledged)
    promised: dict[str, int] = {}
    for line in lines:
        run_id, last = line.split()
        promised[run_id] = max(promised.get(run_id, 0), int(last))
    async with SqliteStore.open(path) as store:
        for run in await store.runs(tenant="t", limit=100):
            records = await store.records(run.id)
            assert [record.seq for record in records] == list(range(1, len(records) + 1))
            assert len(records) >= promised.get(run.id, 1)
            assert len(records) % 3 == 1  # appends of three are whole
            rounds = [r.event.round for r in records if isinstance(r.event, FlagSeen)]
            assert rounds == list(range(len(records) - 1))
            entry = Entry(at=1.0, branch="", event=RunHandedOver(owner="victim", reason="x"))
            assert await store.append(run.id, run.fence, [entry]) == len(records) + 1


def kill_after(process: subprocess.Popen[str], count: int) -> list[str]:
    """Kill the process once it has told of `count` appends; return all that it told of."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(count)]
    process.kill()
    rest, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    lines += rest.splitlines(keepends=True)
    return [line for line in lines if line.endswith("\n")]


async def test_a_zombies_append_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    entry = Entry(at=1.0, branch="", event=FlagSeen(round=1, flag=Flag.FINISH))
    async with AsyncExitStack() as stack:
        zombie = await stack.enter_async_context(SqliteStore.open(path))
        await zombie.create(new("r1"))
        run = await zombie.claim("zombie", lease=0.05, engines=[ENGINE])
        assert run is not None
        other = await stack.enter_async_context(SqliteStore.open(path))
        taken = None
        while taken is None:
            await asyncio.sleep(0.02)
            taken = await other.claim("other", lease=0.05, engines=[ENGINE])
        with pytest.raises(LeaseLost):
            await zombie.append("r1", run.fence, [entry])
        assert await other.append("r1", taken.fence, [entry]) == 3


HOG = """
import asyncio, sys
from pathlib import Path
from leadline.domain import Flag, Options, Question
from leadline.events import Entry, FlagSeen
from leadline.ports import NewRun
from leadline.tasks.sqlite import SqliteStore

async def main(path):
    entry = Entry(at=1.0, branch="", event=FlagSeen(round=1, flag=Flag.FINISH))
    question = Question(text="q", language="en")
    new = NewRun(id="hog", tenant="t", question=question, options=Options(), seed=1)
    async with SqliteStore.open(Path(path)) as store:
        run = await store.create(new, owner="hog", lease=60)

        async def write():
            while True:
                await store.append("hog", run.fence, [entry])

        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(write())
            print("ready", flush=True)

asyncio.run(main(sys.argv[1]))
"""


async def test_a_process_that_writes_all_the_time_starves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    hog = start(HOG, path)
    try:
        assert await asyncio.to_thread(first_line, hog) == "ready\n"
        async with SqliteStore.open(path) as store:
            waits = []
            for number in range(20):
                begun = time.monotonic()
                await store.create(new(f"r{number}"))
                waits.append(time.monotonic() - begun)
            assert sorted(waits)[len(waits) // 2] < 0.5
            assert max(waits) < 4
            assert (await store.get("hog", tenant="t")).last_seq > 20
    finally:
        hog.kill()
        await asyncio.to_thread(hog.communicate)


async def test_a_flag_reaches_another_process_within_half_a_second(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with SqliteStore.open(path) as store:
        await store.create(new("r1"))
        holder = start(HOLDER, path)
        assert await asyncio.to_thread(first_line, holder) == "ready\n"
        await asyncio.sleep(0.5)  # it waits by now
        raised, busy = time.time(), waited()
        await store.flag("r1", Flag.CANCEL, tenant="t")
        output, _ = await asyncio.to_thread(holder.communicate, timeout=30)
        flag, seen_at = output.split()
        assert flag == "cancel"
        kept = waited() - busy
        assert float(seen_at) - raised - kept < 0.5, f"{kept:.2f} s of it on a machine that was busy"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", kilobytes=2_048) as disk:
        yield disk


async def fill(store: SqliteStore, run: Run, entry: Entry) -> int:
    """Append until the disk is full; return the last number that was committed."""
    last = 0
    for _ in range(100):
        try:
            last = await store.append(run.id, run.fence, [entry])
        except StoreFull:
            return last
    raise AssertionError("the disk was never full")


async def test_a_full_disk_is_told_and_the_store_recovers(disk: SmallDisk) -> None:
    text = os.urandom(60_000).hex()
    answered = ModelAnswered(call="c", answer=ModelAnswer(text=text, finish="stop"))
    entry = Entry(at=1.0, branch="", event=answered)
    ballast = disk.folder / "ballast"
    await asyncio.to_thread(ballast.write_bytes, bytes(600_000))
    async with SqliteStore.open(disk.folder / "runs.db") as store:
        run = await store.create(new("r1"), owner="w")
        last = await fill(store, run, entry)
        assert last > 1
        assert len(await store.records("r1")) == last
        await asyncio.to_thread(ballast.unlink)
        assert await store.append("r1", run.fence, [entry]) == last + 1
    async with SqliteStore.open(disk.folder / "runs.db") as store:
        assert len(await store.records("r1")) == last + 1


async def test_blobs_on_a_full_disk_leave_no_part(disk: SmallDisk) -> None:
    root = disk.folder / "blobs"
    async with DirectoryBlobs(root) as blobs:
        kept = await blobs.put("t", b"kept")
        with pytest.raises(StoreFull):
            await blobs.put("t", os.urandom(3_000_000))
        files = await asyncio.to_thread(lambda: [path.name for path in root.rglob("*") if path.is_file()])
        assert files == [kept]
        assert await blobs.get("t", await blobs.put("t", os.urandom(100_000)))
