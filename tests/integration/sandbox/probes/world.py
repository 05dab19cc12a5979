"""A world outside the sandbox whose harm would be seen, sandboxes of this machine, and a run of probes."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import leadline
from leadline.sandbox import cgroups, seccomp, tree
from leadline.sandbox.choose import design_of
from leadline.sandbox.supervisor import LocalSandbox
from leadline.sandbox.types import Limits, Program, Ran
from tests.integration.sandbox.probes.probe import Probe, World

KEY = "sk-leadline-probe-0123456789abcdef"
LIMITS = Limits(memory=768 << 20, seconds=30)


def sandbox_of(
    name: str, *, limits: Limits = LIMITS, groups: bool = True, workers: int = 3, warm: int = 0
) -> LocalSandbox:
    return LocalSandbox(
        design_of(name, tree=tree.in_place(), limits=limits),
        limits=limits,
        cgroups=cgroups.find() if groups else None,
        workers=workers,
        warm=warm,
    )


@contextmanager
def open_world() -> Iterator[World]:
    """Set the targets up: files, sockets, a bystander, a key in our environment."""
    folder = Path("/tmp") / f"leadline-probes-{os.getpid()}"
    folder.mkdir(mode=0o755)
    canary = folder / "canary.txt"
    canary.write_text("canary", encoding="ascii")
    canary.chmod(0o644)
    before = canary.stat()
    with ExitStack() as stack:
        streams = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        streams6 = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        datagrams.bind(("127.0.0.1", 0))
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0leadline-probes-{os.getpid()}")
        local = stack.enter_context(socket.socket(socket.AF_UNIX))
        local.bind(str(folder / "stream"))
        letters = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        letters.bind(str(folder / "letters"))
        for name in ("stream", "letters"):
            (folder / name).chmod(0o777)
        for listener in (abstract, local):
            listener.listen()
        bystander = subprocess.Popen(
            [sys.executable, "-S", "-c", "import signal; signal.pause()"], env={"PROBE": KEY}
        )
        stack.callback(bystander.wait)
        stack.callback(bystander.kill)

        def intact() -> str:
            now = canary.stat()
            found = []
            if canary.read_text(encoding="ascii") != "canary":
                found.append("the canary was written")
            if (now.st_mode, now.st_mtime_ns, now.st_nlink) != (before.st_mode, before.st_mtime_ns, before.st_nlink):
                found.append("the canary's mode, times or links were changed")
            for box in (datagrams, letters):
                box.setblocking(False)
                try:
                    found.append(f"a datagram got out: {box.recv(100)!r}")
                except BlockingIOError:
                    pass
            if bystander.poll() is not None:
                found.append("the bystander was killed")
            if _named("leadline-left"):
                found.append("a process was left behind")
            return "; ".join(found)

        values = {
            "CANARY": str(canary),
            "FOLDER": str(folder),
            "SOURCE": str(Path(leadline.__file__).parent / "errors.py"),
            "SHOWN": repr([part for path in tree.in_place().read for part in path.parts]),
            "PORT": str(streams.getsockname()[1]),
            "PORT6": str(streams6.getsockname()[1]),
            "UDP": str(datagrams.getsockname()[1]),
            "ABSTRACT": f"leadline-probes-{os.getpid()}",
            "SOCKET": str(folder / "stream"),
            "DATAGRAMS": str(folder / "letters"),
            "OUTER": str(bystander.pid),
            "BYSTANDER": str(bystander.pid),
            "KEY": KEY,
            "MARK": "leadline-left",
        }
        yield World(values=values, intact=intact)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _named(name: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text(encoding="utf-8").strip() == name[:15]:
                found.append(path.parent.name)
        except OSError:
            continue
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
