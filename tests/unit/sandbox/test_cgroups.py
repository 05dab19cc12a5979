"""Control groups are tried, not guessed; over folders that stand for the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadline.sandbox import cgroups
from leadline.sandbox.cgroups import Group, Version1
from leadline.sandbox.types import Limits


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own"
    path.write_text(text, encoding="ascii")
    return path


def test_nothing_is_found_where_there_is_nothing(tmp_path: Path) -> None:
    assert cgroups.find(tmp_path, own=own(tmp_path, "0::/a\n")) is None
    assert cgroups.find(tmp_path, own=tmp_path / "missing") is None


def test_version_1_needs_memory_and_pids(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "memory" / "box").mkdir(parents=True)
    (root / "memory" / "box" / "cgroup.procs").touch()
    assert cgroups.find(root, own=own(tmp_path, "4:memory:/box\n5:pids:/box\n")) is None


def test_a_group_that_cannot_be_limited_is_not_kept(tmp_path: Path) -> None:
    """A folder of a plain file system takes the values, but its files are in the way of its removal."""
    controllers = {kind: tmp_path / kind for kind in ("memory", "pids")}
    for folder in controllers.values():
        folder.mkdir()
    group = Version1(controllers=controllers).make("x", Limits(memory=5 << 20, processes=7))
    folder = tmp_path / "memory" / "leadline-x"
    assert (folder / "memory.limit_in_bytes").read_text(encoding="ascii") == str(5 << 20)
    assert (tmp_path / "pids" / "leadline-x" / "pids.max").read_text(encoding="ascii") == "7"
    assert group.folders == (folder, tmp_path / "pids" / "leadline-x")


@pytest.mark.parametrize(
    ("name", "text", "killed"),
    [
        ("memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n", True),
        ("memory.events", "oom_kill 0\n", False),
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", True),
        ("memory.oom_control", "rubbish\n", False),
    ],
)
def test_out_of_memory_is_told(tmp_path: Path, name: str, text: str, killed: bool) -> None:
    (tmp_path / name).write_text(text, encoding="ascii")
    assert Group(folders=(tmp_path,)).out_of_memory() is killed
