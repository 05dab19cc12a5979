"""Which sandbox is taken, and that none is ever taken on trust."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from leadline.errors import SettingsError, ToolFailed
from leadline.ports import Program
from leadline.sandbox import choose, tree
from leadline.sandbox.choose import NoSandbox, Options, open_sandbox
from leadline.sandbox.design import Design, Slot, Start, environment, keeper_settings, text_of
from leadline.sandbox.remote import RemoteSandbox
from leadline.sandbox.supervisor import LocalSandbox
from leadline.sandbox.types import Limits

LIMITS = Limits(memory=768 << 20)


def options(choice: str, folder: Path) -> Options:
    return Options(choice=choice, folder=folder, limits=LIMITS)


class Bare:
    """What must never be chosen: a plain process."""

    name = "bare"
    own_processes = False
    needs_folder = True

    def start(self, slot: Slot) -> Start:
        assert slot.folder is not None
        here = tree.in_place()
        settings = keeper_settings(slot, work=str(slot.folder), tree=here, limits=LIMITS)
        code = (
            "import ctypes, sys, json; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); "  # its orphans are its own
            "text = sys.argv.pop(); names = {'__name__': 'keeper'}; "
            "exec(text, names); names['keep'](json.loads(sys.argv[1]))"
        )
        return Start(
            command=(str(here.python), "-I", "-S", "-c", code, json.dumps(settings), text_of("inside")),
            environment=environment(here, home=str(slot.folder), temporary=str(slot.folder)),
            handles=(slot.control,),
        )


@pytest.mark.server("bwrap")
async def test_auto_takes_bubblewrap(tmp_path: Path) -> None:
    async with open_sandbox(options("auto", tmp_path)) as sandbox:
        assert isinstance(sandbox, LocalSandbox)
        assert sandbox.name == "bwrap"
        assert (await sandbox.run(Program(code="print(6 * 7)"))).stdout == "42\n"


async def test_auto_takes_landlock_where_bubblewrap_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "_SBIN", str(tmp_path))
    async with open_sandbox(options("auto", tmp_path)) as sandbox:
        assert isinstance(sandbox, LocalSandbox)
        assert sandbox.name == "landlock"
    with pytest.raises(NoSandbox, match="not installed"):
        async with open_sandbox(options("bwrap", tmp_path)):
            pass


async def test_a_design_that_holds_nothing_back_is_refused_with_every_hole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bare(name: str, *, tree: object, limits: Limits) -> Design:
        return Bare()

    monkeypatch.setattr(choose, "design_of", bare)
    with pytest.raises(NoSandbox) as refused:
        async with open_sandbox(options("auto", tmp_path)):
            pass
    for hole in (
        "a file that all may read",
        "loopback",
        "abstract socket",
        "environment outside",
        "datagram",
        "canary",
    ):
        assert hole in str(refused.value), hole
    assert left_behind() == 0


async def test_a_design_that_cannot_start_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Bare):
        def start(self, slot: Slot) -> Start:
            return Start(
                command=(sys.executable, "-c", "import sys; sys.exit('no such thing')"),
                environment={},
                handles=(slot.control,),
            )

    monkeypatch.setattr(choose, "design_of", lambda name, *, tree, limits: Broken())
    with pytest.raises(NoSandbox, match="no such thing"):
        async with open_sandbox(options("landlock", tmp_path)):
            pass


async def test_off_is_nothing_and_says_so(tmp_path: Path) -> None:
    async with open_sandbox(options("off", tmp_path)) as sandbox:
        assert sandbox is None


async def test_an_address_is_a_remote_executor(tmp_path: Path) -> None:
    async with open_sandbox(options("http://127.0.0.1:9", tmp_path)) as sandbox:
        assert isinstance(sandbox, RemoteSandbox)
        with pytest.raises(ToolFailed, match="cannot be reached"):
            await sandbox.run(Program(code="print(1)"))


@pytest.mark.parametrize("choice", ["none", "", "docker", "ftp://host", "http://", "http://user@host/"])
async def test_other_choices_are_errors(tmp_path: Path, choice: str) -> None:
    with pytest.raises(SettingsError):
        async with open_sandbox(options(choice, tmp_path)):
            pass


def left_behind() -> int:
    """Count the processes of the plain design that outlived it."""
    count = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            count += b"names['keep'](json" in path.read_bytes()
    return count


def exists(path: str) -> bool:
    return Path(path).exists()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def writable(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.stat().st_mode & 0o222]


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.blocking("the test installs a tree itself")
async def test_an_installed_tree_is_used(tmp_path: Path) -> None:
    told: list[str] = []
    built = tree.install(tmp_path, packages=(), tell=told.append)
    again = tree.install(tmp_path, packages=())
    assert (built, told) == (again, ["copying the interpreter", "compiling"])
    assert writable(built.read[0]) == []
    assert names(tmp_path) == [built.read[0].name]
    code = "import sys, json, sqlite3, ctypes; print(sys.executable); print(json.__cached__)"
    for name in ("bwrap", "landlock"):
        async with open_sandbox(options(name, tmp_path)) as sandbox:
            assert sandbox is not None
            ran = await sandbox.run(Program(code=code))
            executable, cached = ran.stdout.split()
            assert executable == str(built.python)
            assert exists(cached)
