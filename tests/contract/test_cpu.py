"""What every place for CPU work promises; and what processes promise beyond it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from operator import mul, truediv
from pathlib import Path
from select import select

import pytest
from tests.support.quick import within
from tests.support.waiting import until

from leadline.blobs.directory import DirectoryBlobs, DirectoryReader
from leadline.cpu import SMALL, InlineCpu, ProcessCpu, _Worker
from leadline.domain import Flag
from leadline.errors import LeadlineError
from leadline.ports import Cpu

LARGE = SMALL + 1


@pytest.fixture(params=["inline", "process"])
async def cpu(request: pytest.FixtureRequest) -> AsyncIterator[Cpu]:
    if request.param == "inline":
        yield InlineCpu()
        return
    async with ProcessCpu(2) as opened:
        yield opened


@pytest.fixture
async def processes() -> AsyncIterator[ProcessCpu]:
    async with ProcessCpu(1) as opened:
        yield opened


async def test_the_result_comes_back(cpu: Cpu) -> None:
    assert await cpu.run(mul, 6, 7, size=LARGE) == 42
    assert await cpu.run(mul, 6, 7) == 42
    assert await cpu.run(Flag, "cancel", size=LARGE) is Flag.CANCEL


async def test_an_error_is_raised_here(cpu: Cpu) -> None:
    with pytest.raises(ZeroDivisionError):
        await cpu.run(truediv, 1, 0, size=LARGE)
    with pytest.raises(FileNotFoundError):
        await cpu.run(os.chmod, "/nowhere/at/all", 0o600, size=LARGE)
    assert await cpu.run(mul, 6, 7, size=LARGE) == 42


async def test_texts_go_by_hash(cpu: Cpu, tmp_path: Path) -> None:
    async with DirectoryBlobs(tmp_path) as blobs:
        name = await blobs.put("t", "深".encode() * 10_000)
        text = await cpu.run(DirectoryReader.read, blobs.reader("t"), name, size=LARGE)
        assert text == "深" * 10_000


async def test_many_at_once(cpu: Cpu) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(cpu.run(mul, n, n, size=LARGE)) for n in range(50)]
    assert [task.result() for task in tasks] == [n * n for n in range(50)]


async def test_small_work_stays_and_large_work_goes(processes: ProcessCpu) -> None:
    assert await processes.run(os.getpid) == os.getpid()
    assert await processes.run(os.getpid, size=SMALL) == os.getpid()
    child = await processes.run(os.getpid, size=LARGE)
    assert child != os.getpid()
    assert await processes.run(os.getpid, size=LARGE) == child


async def test_a_child_knows_no_environment(processes: ProcessCpu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLINE_MODEL__API_KEY", "secret")
    assert await processes.run(os.getenv, "LEADLINE_MODEL__API_KEY", size=LARGE) is None


async def test_what_cannot_travel_is_refused_and_harms_nobody(processes: ProcessCpu) -> None:
    with pytest.raises(Exception, match=r"pickle|lambda"):
        await processes.run(lambda: 1, size=LARGE)
    with pytest.raises(TypeError, match="pickle"):
        await processes.run(open, os.devnull, size=LARGE)
    assert await processes.run(mul, 6, 7, size=LARGE) == 42


async def test_a_dead_worker_is_replaced_and_the_work_tried_once_more(
    processes: ProcessCpu,
) -> None:
    first = await processes.run(os.getpid, size=LARGE)
    os.kill(first, signal.SIGKILL)
    assert await processes.run(os.getpid, size=LARGE) != first

    slow = asyncio.ensure_future(processes.run(select, [], [], [], 0.3, size=LARGE))
    (worker,) = await busy(processes)
    worker.kill()
    assert await slow == ([], [], [])


async def busy(cpu: ProcessCpu) -> list[_Worker]:
    """Return the workers that are at work, once one is."""
    found: list[_Worker] = []
    while not found:
        await asyncio.sleep(0.01)  # a process starts; nobody tells
        found = [worker for worker in list(cpu._all) if worker not in cpu._idle]
    return found


async def test_work_that_kills_its_worker_twice_is_an_error(processes: ProcessCpu) -> None:
    with pytest.raises(LeadlineError, match=r"died .*_exit"):
        await processes.run(os._exit, 3, size=LARGE)
    assert await processes.run(mul, 6, 7, size=LARGE) == 42


async def test_a_cancelled_call_frees_its_place_at_once(processes: ProcessCpu) -> None:
    await processes.run(mul, 1, 1, size=LARGE)
    slow = asyncio.ensure_future(processes.run(select, [], [], [], 60, size=LARGE))
    queued = asyncio.ensure_future(processes.run(select, [], [], [], 60, size=LARGE))
    await busy(processes)
    with within(5):
        queued.cancel()
        slow.cancel()
        assert await processes.run(mul, 6, 7, size=LARGE) == 42
    assert slow.cancelled()
    assert queued.cancelled()


async def test_close_is_quick_and_final() -> None:
    cpu = ProcessCpu(2)
    child = await cpu.run(os.getpid, size=LARGE)
    slow = asyncio.ensure_future(cpu.run(select, [], [], [], 60, size=LARGE))
    await busy(cpu)
    with within(2):
        await cpu.close()
    with pytest.raises(LeadlineError):
        await slow
    with pytest.raises(RuntimeError):
        await cpu.run(mul, 6, 7, size=LARGE)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


UNGUARDED = """
import asyncio, os, sys, time
from leadline.cpu import ProcessCpu
print("main runs", flush=True)

async def main():
    async with ProcessCpu(1) as cpu:
        print(await cpu.run(os.getpid, size=10**6), flush=True)
        await cpu.run(time.sleep, 60, size=10**6)

asyncio.run(main())
"""


def test_children_end_with_a_killed_parent_and_never_run_its_main(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED, encoding="utf-8")
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "main runs\n"
    child = int(parent.stdout.readline())
    parent.kill()
    assert parent.communicate()[0] == ""
    until(lambda: state_of(child) == "Z")


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


def test_at_least_one_worker() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ProcessCpu(0)
