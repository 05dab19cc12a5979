"""`LocalSandbox` over both designs: what programs get, sessions, warm processes, limits, cancelling."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.integration.sandbox.probes.probe import World
from tests.integration.sandbox.probes.world import LIMITS, sandbox_of
from tests.support.quick import within

from leadline.errors import InvalidArguments
from leadline.ports import Program
from leadline.sandbox import cgroups, tree, watchdog
from leadline.sandbox.landlock import Landlock
from leadline.sandbox.sessions import SESSIONS
from leadline.sandbox.supervisor import LocalSandbox
from leadline.sandbox.types import Limits

pytestmark = [pytest.mark.server("bwrap"), pytest.mark.blocking("/proc is read to see what was left behind")]


@pytest.fixture(params=["bwrap", "landlock"])
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[LocalSandbox]:
    async with sandbox_of(request.param) as opened:
        yield opened


def sleepers(mark: str) -> list[str]:
    """Return the processes that carry a mark as their name."""
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text(encoding="utf-8").strip() == mark:
                found.append(path.parent.name)
        except OSError:
            continue
    return found


async def until(holds: Callable[[], object]) -> None:
    """Wait for what only other processes bring about."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 nothing here can be told by an event
            await asyncio.sleep(0.02)


def folders() -> frozenset[Path]:
    return frozenset(Path("/tmp").glob("leadline-sandbox-*"))


MARKED = "import ctypes, os, time\nctypes.CDLL(None).prctl(15, b'{mark}', 0, 0, 0)\nprint('on', flush=True)\n"


async def test_a_program_gets_files_and_leaves_files(sandbox: LocalSandbox) -> None:
    code = "text = open('in.csv').read()\nopen('out.txt', 'w').write(text.upper())\nprint(len(text))"
    ran = await sandbox.run(Program(code=code, files={"in.csv": b"a,b\n1,2\n"}, timeout=5))
    assert (ran.stdout, ran.stderr, ran.exit, ran.killed_by) == ("8\n", "", 0, None)
    assert [(file.name, file.data, file.media_type) for file in ran.files] == [("out.txt", b"A,B\n1,2\n", "text/plain")]


async def test_a_changed_input_comes_back(sandbox: LocalSandbox) -> None:
    ran = await sandbox.run(Program(code="open('a.txt', 'a').write('2')", files={"a.txt": b"1", "b.txt": b"b"}))
    assert [(file.name, file.data) for file in ran.files] == [("a.txt", b"12")]


async def test_a_traceback_shows_the_programs_own_lines(sandbox: LocalSandbox) -> None:
    ran = await sandbox.run(Program(code="def f():\n    return 1 / 0\nf()\n", timeout=5))
    assert ran.exit == 1
    assert ran.stderr.startswith(
        'Traceback (most recent call last):\n  File "program.py", line 3, in <module>\n    f()\n'
    )
    assert "ZeroDivisionError" in ran.stderr
    assert "keeper" not in ran.stderr


async def test_a_session_keeps_names_and_files(sandbox: LocalSandbox) -> None:
    first = await sandbox.run(Program(code="x = 41\nopen('s.txt', 'w').write('s')", timeout=5, session="r1"))
    second = await sandbox.run(Program(code="print(x + 1, open('s.txt').read())", timeout=5, session="r1"))
    other = await sandbox.run(Program(code="print('x' in globals())", timeout=5, session="r2"))
    assert first.fresh
    assert [file.name for file in first.files] == ["s.txt"]
    assert (second.stdout, second.fresh, second.files) == ("42 s\n", False, ())
    assert (other.stdout, other.fresh) == ("False\n", True)
    await sandbox.end_session("r1")
    third = await sandbox.run(Program(code="print('x' in globals())", timeout=5, session="r1"))
    assert (third.stdout, third.fresh) == ("False\n", True)


async def test_a_session_outlives_errors_but_not_its_time(sandbox: LocalSandbox) -> None:
    await sandbox.run(Program(code="x = 1\nraise ValueError", timeout=5, session="r"))
    still = await sandbox.run(Program(code="print(x)\nimport sys; sys.exit(4)", timeout=5, session="r"))
    late = await sandbox.run(Program(code="import time; time.sleep(60)", timeout=0.5, session="r"))
    after = await sandbox.run(Program(code="print('x' in globals())", timeout=5, session="r"))
    assert (still.stdout, still.exit, still.fresh) == ("1\n", 4, False)
    assert (late.killed_by, late.fresh) == ("time", False)
    assert (after.stdout, after.fresh) == ("False\n", True)


async def test_the_oldest_session_gives_way(sandbox: LocalSandbox) -> None:
    for number in range(SESSIONS + 1):
        await sandbox.run(Program(code="x = 1", timeout=5, session=f"r{number}"))
    first = await sandbox.run(Program(code="print('x' in globals())", timeout=5, session="r0"))
    last = await sandbox.run(Program(code="print('x' in globals())", timeout=5, session=f"r{SESSIONS}"))
    assert (first.stdout, last.stdout) == ("False\n", "True\n")


async def test_cancelling_kills(sandbox: LocalSandbox) -> None:
    before, mark = folders(), f"lead-{os.getpid() % 100000}"
    code = (
        MARKED.format(mark=mark)
        + "import signal\nsignal.signal(15, signal.SIG_IGN)\nif os.fork() == 0: os.setsid()\ntime.sleep(60)"
    )
    running = asyncio.create_task(sandbox.run(Program(code=code, timeout=20)))
    await until(lambda: len(sleepers(mark)) == 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: not sleepers(mark) and folders() <= before)


@pytest.mark.parametrize("name", ["bwrap", "landlock"])
async def test_closing_kills_what_runs(name: str) -> None:
    before, mark = folders(), f"leadc-{os.getpid() % 10000}"
    async with sandbox_of(name) as sandbox:
        running = asyncio.create_task(
            sandbox.run(Program(code=MARKED.format(mark=mark) + "time.sleep(60)", timeout=20))
        )
        await until(lambda: sleepers(mark))
    ran = await running
    assert ran.exit != 0
    await until(lambda: not sleepers(mark) and folders() <= before)


@pytest.mark.parametrize("name", ["bwrap", "landlock"])
async def test_a_warm_process_is_used_once(name: str) -> None:
    async with sandbox_of(name, warm=1) as sandbox:
        await sandbox.warmed()
        seen = [await sandbox.run(Program(code="print('x' in globals())\nx = 1")) for _ in range(3)]
    assert [ran.stdout for ran in seen] == ["False\n"] * 3
    assert all(ran.fresh for ran in seen)


@pytest.mark.parametrize("name", ["bwrap", "landlock"])
async def test_the_watchdog_ends_many_children_where_there_is_no_control_group(name: str) -> None:
    limits = Limits(memory=300 << 20)
    code = (
        "import os, time\n"
        "for _ in range(6):\n"
        "    if os.fork() == 0:\n"
        "        kept = bytearray(150 << 20)\n"
        "        for i in range(0, len(kept), 4096): kept[i] = 1\n"
        "        time.sleep(30)\n"
        "time.sleep(30)"
    )
    async with sandbox_of(name, limits=limits, groups=False) as sandbox:
        ran = await sandbox.run(Program(code=code, timeout=15))
    assert (ran.killed_by, ran.exit) == ("memory", 137)


@pytest.fixture
def groups() -> None:
    if cgroups.find() is None:
        pytest.skip("needs control groups that this process may make")


@pytest.mark.usefixtures("groups")
async def test_a_control_group_ends_them_too(sandbox: LocalSandbox) -> None:
    code = (
        "import os, signal\n"
        "for _ in range(4):\n"
        "    if os.fork() == 0:\n"
        "        kept = bytearray(400 << 20)\n"
        "        for i in range(0, len(kept), 4096): kept[i] = 1\n"
        "        signal.pause()\n"
        "print(os.waitstatus_to_exitcode(os.wait()[1]))"
    )
    ran = await sandbox.run(Program(code=code, timeout=10))
    assert LIMITS.memory < 4 * (400 << 20)
    assert ran.stdout == "-9\n" or ran.killed_by == "memory"


@pytest.mark.usefixtures("groups")
async def test_groups_are_removed(sandbox: LocalSandbox) -> None:
    await sandbox.run(Program(code="print(1)"))
    await sandbox.close()
    mark = f"leadline-{os.getpid()}-"
    left = [path for path in cgroups.ROOT.glob("*/**/leadline-*") if path.name.startswith(mark)]
    assert left == []


async def test_programs_run_side_by_side_and_no_more_than_allowed(sandbox: LocalSandbox) -> None:
    with within(5):
        async with asyncio.TaskGroup() as tasks:
            runs = [
                tasks.create_task(sandbox.run(Program(code="import time; time.sleep(0.5); print(1)", timeout=10)))
                for _ in range(3)
            ]
        assert [task.result().stdout for task in runs] == ["1\n"] * 3


@pytest.mark.parametrize(
    "program",
    [
        Program(code="x", files={"../a": b""}),
        Program(code="x", files={".a": b""}),
        Program(code="x", files={"a\n": b""}),
        Program(code="x" * (2 << 20)),
        Program(code="x", timeout=0),
        Program(code="x", timeout=10_000),
        Program(code="x", files={f"f{n}": b"" for n in range(50)}),
        Program(code="x", files={"f": bytes(40 << 20)}),
    ],
)
async def test_what_is_over_the_limits_is_refused(sandbox: LocalSandbox, program: Program) -> None:
    with pytest.raises(InvalidArguments):
        await sandbox.run(program)


def test_the_watchdog_measures_this_process() -> None:
    use = watchdog.measure(os.getpid())
    assert use.processes >= 1
    assert 1 << 20 < use.memory < 1 << 40


def test_a_folder_that_hides_its_size_counts_as_huge(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(1 << 16))
    assert 1 << 16 <= watchdog.folder_size(tmp_path) < 1 << 20
    deep = tmp_path
    for _ in range(70):
        deep /= "d"
        deep.mkdir()
    assert watchdog.folder_size(tmp_path) == watchdog.HUGE


@pytest.mark.parametrize("abi", [4, 5])
async def test_a_kernel_without_scopes_lets_no_signal_out_and_leaves_no_process(abi: int, world: World) -> None:
    design = Landlock(tree=tree.in_place(), limits=LIMITS, abi=abi)
    mark = f"leadk-{os.getpid() % 10000}"
    signals = (
        "import os\nfor pid in (BYSTANDER, os.getppid(), -1):\n"
        "    try:\n        os.kill(pid, 9); print('reached', pid)\n    except OSError:\n        print('refused')\n"
    )
    daemon = MARKED.format(mark=mark) + "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(60)\n"
    async with LocalSandbox(design, limits=LIMITS, cgroups=None) as sandbox:
        refused = await sandbox.run(Program(code=signals.replace("BYSTANDER", world.values["BYSTANDER"]), timeout=5))
        left = await sandbox.run(Program(code=daemon + "time.sleep(0.1)", timeout=5))
    assert refused.stdout == "refused\n" * 3
    assert (left.stdout, left.exit) == ("on\n", 0)
    assert sleepers(mark) == []
    assert world.intact() == ""
