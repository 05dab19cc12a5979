"""A world outside the sandbox whose harm would be seen, sandboxes of this machine, and a run of probes."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.integration.sandbox.probes.probe import Probe, World

import leadline
from leadline.ports import Program, Ran
from leadline.sandbox import cgroups, seccomp, tree
from leadline.sandbox.choose import design_of
from leadline.sandbox.supervisor import LocalSandbox
from leadline.sandbox.types import Limits

MARK = "leadline-left"
KEY = "sk-leadline-probe-0123456789abcdef"
DYING = 10.0
"""Seconds that a killed process may take to be gone on a crowded machine; what was left asks for 600."""
LIMITS = Limits(memory=768 << 20, seconds=30)


def sandbox_of(
    name: str, *, limits: Limits = LIMITS, groups: bool = True, workers: int = 4, warm: int = 0
) -> LocalSandbox:
    return LocalSandbox(
        design_of(name, tree=tree.in_place(), limits=limits),
        limits=limits,
        cgroups=cgroups.find() if groups else None,
        workers=workers,
        warm=warm,
    )


class Outside:
    """The targets, and what was done to them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.canary = folder / "canary.txt"
        self.canary.write_text("canary", encoding="ascii")
        self.canary.chmod(0o644)
        self._before = self._state()
        self.streams = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.streams6 = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        self.datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.datagrams.bind(("127.0.0.1", 0))
        self.letters = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.letters.bind(str(folder / "letters"))
        for name in (f"\0leadline-probes-{os.getpid()}", str(folder / "stream")):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(name)
            listener.listen()
        for name in ("stream", "letters"):
            (folder / name).chmod(0o777)
        self.bystander = subprocess.Popen(
            [sys.executable, "-S", "-c", "import signal; signal.pause()"], env={"PROBE": KEY}
        )
        stack.callback(self.bystander.wait)
        stack.callback(self.bystander.kill)

    def _state(self) -> tuple[int, int, int]:
        now = self.canary.stat()
        return now.st_mode, now.st_mtime_ns, now.st_nlink

    def touched(self) -> str:
        found = []
        if self.canary.read_text(encoding="ascii") != "canary":
            found.append("the canary was written")
        if self._state() != self._before:
            found.append("the canary's mode, times or links were changed")
        for box in (self.datagrams, self.letters):
            box.setblocking(False)
            with suppress(BlockingIOError):
                found.append(f"a datagram got out: {box.recv(100)!r}")
        if self.bystander.poll() is not None:
            found.append("the bystander was killed")
        left = _left()
        if left:
            found.append(f"a process was left behind: {left}")
        return "; ".join(found)

    def values(self) -> dict[str, str]:
        return {
            "CANARY": str(self.canary),
            "FOLDER": str(self.folder),
            "SOURCE": str(Path(leadline.__file__).parent / "version.py"),
            "SHOWN": repr([part for path in tree.in_place().read for part in path.parts]),
            "PORT": str(self.streams.getsockname()[1]),
            "PORT6": str(self.streams6.getsockname()[1]),
            "UDP": str(self.datagrams.getsockname()[1]),
            "ABSTRACT": f"leadline-probes-{os.getpid()}",
            "SOCKET": str(self.folder / "stream"),
            "DATAGRAMS": str(self.folder / "letters"),
            "OUTER": str(self.bystander.pid),
            "BYSTANDER": str(self.bystander.pid),
            "KEY": KEY,
            "MARK": MARK,
        }


@contextmanager
def open_world() -> Iterator[World]:
    """Set the targets up: files, sockets, a bystander with a key in its environment."""
    folder = Path("/tmp") / f"leadline-probes-{os.getpid()}"
    folder.mkdir(mode=0o755)
    with ExitStack() as stack:
        outside = Outside(folder, stack)
        yield World(values=outside.values(), intact=outside.touched)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _left() -> list[dict[str, str]]:
    """Return what is known of marked processes that do not go; one that was killed needs a core to die on."""
    end = time.monotonic() + DYING
    while (found := _marked()) and time.monotonic() < end:
        time.sleep(0.01)
    return found


def _marked() -> list[dict[str, str]]:
    found = []
    for path in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            lines = path.read_text(encoding="utf-8").splitlines()
            told = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
            # A dead one that the host's first process has yet to take is not ours any more.
            if told["Name"] == MARK and not told["State"].startswith("Z"):
                found.append({name: told[name] for name in ("Pid", "PPid", "State", "NSpid", "Uid")})
    return found


def text_of(probe: Probe, world: World) -> str:
    numbers = {f"NR:{name}": str(number) for name, number in seccomp.denied(platform.machine()).items()}
    return probe.program({**world.values, **numbers})


async def run_probes(design: str, probes: list[Probe], world: World) -> dict[tuple[str, str], Ran]:
    """Run probes side by side: most of their time is waiting."""
    results = {}
    async with sandbox_of(design) as sandbox, asyncio.TaskGroup() as tasks:

        async def one(probe: Probe) -> None:
            program = Program(code=text_of(probe, world), timeout=probe.seconds)
            results[probe.area, probe.name] = await sandbox.run(program)

        for probe in probes:
            tasks.create_task(one(probe))
    return results
