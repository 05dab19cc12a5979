"""The supervisor over small programs: order, restarts, silence, failures, and what it leaves behind: nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.support.models import free_port

from leadline.errors import NotStarted, UnknownObject, WrongState
from leadline.ops.topology.holds import change
from leadline.ops.topology.home import Home
from leadline.ops.topology.state import (
    PartState,
    PartStatus,
    Phase,
    State,
    end_leftovers,
    held,
    is_held,
    leftovers,
)
from leadline.ops.topology.supervisor import Files, Supervisor
from leadline.ops.topology.units import Http, Listens, Unit
from leadline.resilience import SystemClock

LISTENER = """
import os, socket, subprocess, sys, time
print("listens", flush=True)
if len(sys.argv) > 2:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    open(sys.argv[2], "w").write(str(child.pid))
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        connection = server.accept()[0]
        connection.send(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
        connection.close()
"""


def listener(name: str, folder: Path, *after: str, words: tuple[str, ...] = ()) -> Unit:
    port = free_port()
    return Unit(
        name=name,
        argv=(sys.executable, "-c", LISTENER, str(port), *words),
        folder=folder,
        ready=Listens(port=port),
        after=after,
        stop_seconds=10,
    )


def work(name: str, folder: Path, script: str, *after: str) -> Unit:
    return Unit(name=name, argv=("sh", "-c", script), folder=folder, ready=None, after=after)


class Run:
    """A supervisor in this process, and what it told."""

    def __init__(self, folder: Path, units: list[Unit]) -> None:
        self.files = Files(state=folder / "state.json", logs=folder, held=folder / "held")
        self.told: list[tuple[str, PartState]] = []
        self.up, self.changed = asyncio.Event(), asyncio.Event()
        self.supervisor = Supervisor(
            units,
            files=self.files,
            environment=dict(os.environ),
            clock=SystemClock(),
            told=self.tell,
        )

    def tell(self, part: PartStatus) -> None:
        self.told.append((part.name, part.state))
        self.changed.set()

    async def go(self, then: Callable[[], Awaitable[None]]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.supervisor.run(up=self.up.set))
            await self.up.wait()
            try:
                await then()
            finally:
                self.supervisor.stop()

    def state(self) -> State:
        found = State.read(self.files.state)
        assert found is not None
        return found

    def part(self, name: str) -> PartStatus:
        return next(part for part in self.state().parts if part.name == name)

    async def until(self, name: str, state: PartState, *, but: int | None = None) -> PartStatus:
        async with asyncio.timeout(50):
            while (part := self.part(name)).state is not state or part.pid == but:
                await self.changed.wait()
                self.changed.clear()
        return part


def runs(pid: int | None) -> bool:
    return pid is not None and psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


pytestmark = pytest.mark.blocking("looks at processes and small files of its own")


async def test_parts_start_behind_and_end_before_what_they_need(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        [
            listener("front", tmp_path, "middle"),
            listener("middle", tmp_path, "first"),
            work("first", tmp_path, "echo done > done"),
        ],
    )
    pids: list[int | None] = []

    async def then() -> None:
        assert run.state().phase is Phase.UP
        assert (tmp_path / "done").exists()
        pids.extend(run.part(name).pid for name in ("front", "middle"))

    await run.go(then)
    order = [entry for entry in run.told if entry[1] in {PartState.READY, PartState.DONE, PartState.STOPPED}]
    assert order == [
        ("first", PartState.DONE),
        ("middle", PartState.READY),
        ("front", PartState.READY),
        ("front", PartState.STOPPED),
        ("middle", PartState.STOPPED),
    ]
    assert run.state().phase is Phase.DOWN
    assert not [pid for pid in pids if runs(pid)]


async def test_a_part_is_kept_down_until_it_may_start_again(tmp_path: Path) -> None:
    run = Run(tmp_path, [listener("one", tmp_path), listener("two", tmp_path, "one")])
    home = Home(folder=tmp_path)

    async def then() -> None:
        one, two = run.part("one"), run.part("two")
        await asyncio.to_thread(change, home, ["one"], down=True)
        kept = run.part("one")
        assert (kept.state, kept.pid, kept.detail) == (PartState.HELD, None, "kept down: leadline start one")
        assert not runs(one.pid)
        assert run.part("two") == two, "who needs it goes on"
        await asyncio.to_thread(change, home, ["one"], down=False)
        again = run.part("one")
        assert (again.state, again.restarts, again.detail) == (PartState.READY, 0, ""), (
            "nobody is told of a fault that was none"
        )
        assert again.pid != one.pid
        with pytest.raises(UnknownObject, match="no part three that runs; there are one, two"):
            change(home, ["one", "three"], down=True)
        assert run.part("one") == again

    with held(home.lock):
        await run.go(then)
    with pytest.raises(WrongState, match="nothing is up"):
        change(home, ["one"], down=True)


async def test_a_part_that_keeps_ending_can_be_kept_down_and_all_be_ended_meanwhile(tmp_path: Path) -> None:
    run = Run(tmp_path, [listener("one", tmp_path)])
    home = Home(folder=tmp_path)

    async def then() -> None:
        pid = run.part("one").pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(change, home, ["one"], down=True)
        assert not runs(run.part("one").pid)

    with held(home.lock):
        await run.go(then)
    assert run.part("one").state is PartState.STOPPED

    async def nothing() -> None:
        assert run.part("one").state is PartState.READY, "an order ends with all of it"

    run = Run(tmp_path, [listener("one", tmp_path)])
    with held(home.lock):
        await run.go(nothing)


async def test_a_killed_part_comes_back_and_its_children_do_not_stay(tmp_path: Path) -> None:
    child = tmp_path / "child"
    run = Run(tmp_path, [listener("one", tmp_path, words=(str(child),)), listener("two", tmp_path)])
    seen: list[int] = []

    async def then() -> None:
        before, other = run.part("one"), run.part("two")
        seen.append(int(child.read_text()))
        assert before.pid is not None
        os.kill(before.pid, signal.SIGKILL)
        after = await run.until("one", PartState.READY, but=before.pid)
        assert after.restarts == 1
        assert run.part("two") == other
        seen.append(int(child.read_text()))

    stranger = await asyncio.create_subprocess_exec("sleep", "600")
    await run.go(then)
    assert runs(stranger.pid), "what is no part's stays"
    stranger.kill()
    await stranger.wait()
    assert len(set(seen)) == 2
    # They had left their part's group: at the end the supervisor finds them as its own.
    assert not [pid for pid in seen if runs(pid)]


async def test_a_part_that_does_not_answer_any_more_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadline.ops.topology.part.WATCH", 0.05)
    monkeypatch.setattr("leadline.ops.topology.probes.SECONDS", 0.2)
    one = listener("one", tmp_path)
    asked = replace(one, ready=Http(port=int(one.argv[3]), path="/"))
    run = Run(tmp_path, [asked])

    async def then() -> None:
        pid = run.part("one").pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        silent = await run.until("one", PartState.SILENT)
        assert (silent.pid, silent.restarts) == (pid, 0)
        os.kill(pid, signal.SIGCONT)
        await run.until("one", PartState.READY)

    await run.go(then)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'no such file' >&2; exit 3", "it ended with status 3; its last lines: no such file"),
        ("kill -9 $$", "SIGKILL"),
    ],
)
async def test_a_part_that_cannot_start_ends_all(tmp_path: Path, script: str, says: str) -> None:
    run = Run(tmp_path, [listener("one", tmp_path), work("two", tmp_path, script, "one")])
    with pytest.raises(NotStarted, match=says) as failed:
        await run.supervisor.run(up=run.up.set)
    assert "leadline logs two" in str(failed.value)
    assert not run.up.is_set()
    assert run.state().phase is Phase.FAILED
    assert run.state().detail == str(failed.value)
    assert run.part("one").state is PartState.STOPPED


async def test_a_part_that_never_answers_is_given_up(tmp_path: Path) -> None:
    mute = Unit(
        name="mute",
        argv=("sleep", "600"),
        folder=tmp_path,
        ready=Listens(port=free_port()),
        start_seconds=0.5,
    )
    run = Run(tmp_path, [mute])
    with pytest.raises(NotStarted, match="did not answer in time"):
        await run.supervisor.run(up=run.up.set)


async def test_what_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    port = free_port()
    deaf = Unit(
        name="deaf",
        argv=(
            sys.executable,
            "-c",
            f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{LISTENER}",
            str(port),
        ),
        folder=tmp_path,
        ready=Listens(port=port),
        stop_seconds=0.3,
    )
    run = Run(tmp_path, [deaf])
    pids: list[int | None] = []

    async def then() -> None:
        pids.append(run.part("deaf").pid)

    await run.go(then)
    assert not runs(pids[0])


def test_one_supervisor_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert not is_held(lock)
    with held(lock):
        assert is_held(lock)
        with pytest.raises(WrongState), held(lock):
            pass
    assert not is_held(lock)


def test_what_a_killed_supervisor_left_is_found_and_ended(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        born = psutil.Process(process.pid).create_time()
        left = PartStatus(name="one", state=PartState.READY, pid=process.pid, born=born)
        other = PartStatus(name="two", state=PartState.READY, pid=process.pid, born=born - 100)
        state = State(pid=1, phase=Phase.UP, since=0.0, parts=(left, other))
        state.write(tmp_path / "state.json")
        assert State.read(tmp_path / "state.json") == state
        assert leftovers(state) == [left], "a process that has the number of another one is not it"
        end_leftovers([left], seconds=10)
        assert not runs(process.pid)
        assert leftovers(state) == []


def test_a_damaged_state_is_none(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert State.read(path) is None
    path.write_text('{"pid": 1}')
    assert State.read(path) is None
