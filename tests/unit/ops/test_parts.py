"""The doctor's view of `leadline up`: each part that is down is named, with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from leadline.ops.doctor import Look, Status
from leadline.ops.doctor.parts import parts
from leadline.ops.topology.home import Home
from leadline.ops.topology.state import PartState, PartStatus, Phase, State, held
from leadline.settings import load

pytestmark = pytest.mark.blocking("lays down small files of its own")

READY = PartStatus(name="nginx", state=PartState.READY)
DONE = PartStatus(name="migrate", state=PartState.DONE)
HELD = PartStatus(name="worker-1", state=PartState.HELD, detail="kept down: leadline start worker-1")
BACK = PartStatus(name="redis-cache", state=PartState.RESTARTING, detail="was killed by SIGKILL")


@contextmanager
def up(folder: Path, *found: PartStatus, phase: Phase = Phase.UP, supervised: bool = True) -> Iterator[Look]:
    home = Home(folder=folder / "up")
    home.folder.mkdir()
    State(pid=1, phase=phase, since=0.0, parts=found).write(home.state)
    with ExitStack() as stack:
        if supervised:
            stack.enter_context(held(home.lock))
        yield Look(settings=load(environ={"LEADLINE_DATA_DIR": str(home.data)}))


async def test_where_all_parts_answer_nothing_is_wrong(tmp_path: Path) -> None:
    with up(tmp_path, READY, DONE) as look:
        found = await parts(look)
    assert (found.status, found.told) == (Status.HEALTHY, "2 parts answer")


@pytest.mark.parametrize(
    ("part", "told", "command"),
    [
        (HELD, "worker-1 is held (kept down: leadline start worker-1)", "leadline start worker-1"),
        (BACK, "redis-cache is restarting (was killed by SIGKILL)", "leadline logs redis-cache"),
    ],
)
async def test_a_part_that_is_down_is_named(part: PartStatus, told: str, command: str, tmp_path: Path) -> None:
    with up(tmp_path, READY, part) as look:
        found = await parts(look)
    assert (found.status, found.cause, found.command) == (Status.UNHEALTHY, told, command)
    assert [name for name, one in found.parts.items() if one.status is Status.UNHEALTHY] == [part.name]


async def test_a_supervisor_that_is_gone_is_told(tmp_path: Path) -> None:
    with up(tmp_path, READY, supervised=False) as look:
        found = await parts(look)
    assert found.status is Status.UNHEALTHY
    assert "the supervisor is gone" in found.cause
    assert found.command == "leadline status"


async def test_what_is_down_on_purpose_or_was_never_up_is_no_fault(tmp_path: Path) -> None:
    with up(tmp_path, phase=Phase.DOWN, supervised=False) as look:
        assert (await parts(look)).status is Status.OFF
    elsewhere = Look(settings=load(environ={"LEADLINE_DATA_DIR": str(tmp_path / "other")}))
    assert (await parts(elsewhere)).status is Status.OFF
