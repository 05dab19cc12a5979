"""Chromium where it can reach nothing: bubblewrap around it, and its own sandbox inside.

Outside: every namespace of its own, a root with nothing but libraries, fonts and the browser,
read-only, folders in memory, a network without a way out but the doors that `apart` hands to the
supervisor. Inside: Chromium's own sandbox (user namespaces and seccomp) between pages and browser;
it is never told to do without, and where it cannot be had Chromium does not start. As root the
browser runs as a plain user of its own.

Not stopped: a fault of the kernel that can be reached from inside both.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from leadline.errors import SettingsError, ToolMissing
from leadline.sandbox import cgroups, watchdog
from leadline.sandbox.cgroups import Cgroups, Group
from leadline.sandbox.design import FIRST_USER, launcher, outer_python, reachable_by_all, system_links, system_paths
from leadline.sandbox.types import Limits, MiB

PLACES: Final = (
    *("/usr/lib/chromium/chromium", "/usr/lib/chromium-browser/chromium-browser"),
    *("/usr/lib64/chromium-browser/chromium-browser", "/usr/lib64/chromium/chromium"),
    *("/opt/google/chrome/chrome", "/opt/chromium.org/chromium/chromium"),
)
"""Where distributions put the program itself, not the script that starts it."""

FIRST_DOOR: Final = 3128
USER: Final = FIRST_USER + 256
"""The plain user that root's browsers run as; above those of sandboxed programs."""

START_SECONDS: Final = 20.0
_PROCESSES: Final = 1024  # Chromium has some hundred threads before the first page
_CPUS: Final = 2.0
_FOLDER: Final = 256 * MiB
_HOME: Final = "/tmp"  # noqa: S108 its own, in memory
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 as above
_INSIDE_USER: Final = "1000"
_BINARIES: Final = "/usr/bin:/bin:/usr/local/bin"
_NAMESPACES: Final = (
    *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"),
    *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"),
    *("--uid", _INSIDE_USER, "--gid", _INSIDE_USER, "--hostname", "browser"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cage:
    """Makes cells for one browser each: `chromium` behind `bwrap`. `memory` bounds all its processes, in bytes."""

    chromium: Path
    bwrap: Path
    memory: int
    doors: int = 1

    async def cell(self, arguments: Sequence[str]) -> Cell:
        """Return a cell in which Chromium is to be started with `arguments`; it must be closed."""
        return await asyncio.to_thread(Cell, self, tuple(arguments))


def cage(chromium: Path | None, *, memory: int, doors: int) -> Cage:
    """Return a cage for the browser at `chromium`, or at a known place. Raises `SettingsError` where one is missing."""
    bwrap = shutil.which("bwrap", path=_BINARIES)
    if bwrap is None:
        raise SettingsError(
            "pages are rendered inside bubblewrap only, which is missing; on Debian: apt-get install bubblewrap"
        )
    return Cage(chromium=_program(chromium), bwrap=Path(bwrap), memory=memory, doors=doors)


def _program(named: Path | None) -> Path:
    if named is None:
        found = next((path for path in map(Path, PLACES) if os.access(path, os.X_OK)), None)
        if found is None:
            raise SettingsError(
                "Chromium is not at any place known for it; on Debian: apt-get install chromium, or name its program "
                "with `visit.browser`"
            )
        return found.resolve()
    if not os.access(named, os.X_OK) or not named.is_file():
        raise SettingsError(f"`visit.browser` names no program: {named}")
    program = named.resolve()
    with program.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            raise SettingsError(f"`visit.browser` is a script: {named}; name the program that it starts")
    if os.geteuid() == 0 and not reachable_by_all(program):
        raise SettingsError(f"`visit.browser` lies where a plain user cannot reach it: {named}")
    return program


class _Handle:
    """A process that is named by a handle, so that no other one of its number is meant later."""

    def __init__(self, pid: int, handle: int) -> None:
        self.pid = pid
        self._handle = handle

    @classmethod
    def of(cls, pid: int | None) -> _Handle | None:
        """Return the process of that number, `None` where there is none any more."""
        with contextlib.suppress(OSError):
            return cls(pid, os.pidfd_open(pid)) if pid is not None else None
        return None

    def kill(self) -> None:
        """End it; one that has ended stays so."""
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def close(self) -> None:
        """Let go of it; once."""
        os.close(self._handle)


class Cell:
    """One browser's process tree: what to start, the doors of its network, its memory and its end."""

    def __init__(self, of: Cage, arguments: tuple[str, ...]) -> None:
        self._cage = of
        self._folder = tempfile.TemporaryDirectory(prefix="leadline-browser-")
        self._group = _group(of.memory)
        self._process: _Handle | None = None
        self._driver: _Handle | None = None
        self._doors: tuple[socket.socket, ...] = ()
        path = str(Path(self._folder.name) / "call")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(path)
        self._socket.listen(1)
        self._socket.setblocking(False)
        self.program = str(outer_python())
        plan = {"socket": path, "ports": list(self.ports), "exec": list(self._launched(arguments))}
        self.arguments = ("-I", "-S", "-B", "-c", _apart(), json.dumps(plan))

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports on 127.0.0.1, in the browser's own network, behind which the doors are."""
        return tuple(range(FIRST_DOOR, FIRST_DOOR + self._cage.doors))

    async def doors(self) -> tuple[socket.socket, ...]:
        """Wait until the browser's network is made, and return the sockets that listen in it; the cell closes them.

        Raises `ToolMissing` where it cannot be had on this machine.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(START_SECONDS):
                caller, _ = await loop.sock_accept(self._socket)
                with caller:
                    process = _peer(caller)
                    self._process = _Handle.of(process)
                    self._driver = _Handle.of(await asyncio.to_thread(_parent, process))
                    caller.setblocking(False)
                    await _readable(caller)
                    _, handles, _, _ = socket.recv_fds(caller, 16, self._cage.doors)
        except TimeoutError as error:
            raise ToolMissing("the browser's process did not start") from error
        self._doors = tuple(socket.socket(fileno=handle) for handle in handles)
        for door in self._doors:
            door.setblocking(False)
        if len(self._doors) != self._cage.doors:
            raise ToolMissing("the browser can have no network of its own here: it is not started without")
        return self._doors

    def memory(self) -> int:
        """Return the bytes that nobody else bounds; blocks for some milliseconds.

        Of what drives the browser, and of the browser itself where it has no control group.
        """
        if self._driver is None:
            return 0
        return watchdog.resident(self._driver.pid) if self._group else watchdog.measure(self._driver.pid).memory

    def out_of_memory(self) -> bool:
        """Whether the kernel killed a process of it for want of memory; blocks for a moment."""
        return self._group is not None and self._group.out_of_memory()

    def kill(self, *, driver: bool) -> None:
        """End the browser at once, and what drives it too where `driver` says so."""
        for handle in (self._process, self._driver if driver else None):
            if handle is not None:
                handle.kill()

    def close(self) -> None:
        """Take everything away; a browser that still runs is killed. Blocks for a moment, may be called again."""
        self.kill(driver=False)
        for handle in (self._process, self._driver):
            if handle is not None:
                handle.close()
        self._process = self._driver = None
        for one in (self._socket, *self._doors):
            one.close()
        if self._group is not None:
            self._group.end()
        self._folder.cleanup()

    def _launched(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        command = (*self._outside(), "--", str(self._cage.chromium), *arguments)
        user = USER if os.geteuid() == 0 else None
        if user is None and self._group is None:
            return command
        reach = [str(path) for path in (self._cage.bwrap, self._cage.chromium.parent, *system_paths())]
        groups = [str(folder) for folder in self._group.folders] if self._group else []
        plan: dict[str, Any] = {"cgroups": groups, "user": user, "reach": reach, "sizes": {}, "exec": command}
        return launcher(plan, python=outer_python())

    def _outside(self) -> Iterator[str]:
        yield from (str(self._cage.bwrap), *_NAMESPACES, "--proc", "/proc", "--dev", "/dev")
        for folder in (_HOME, _SHARED_MEMORY):
            yield from ("--perms", "0700", "--size", str(_FOLDER), "--tmpfs", folder)
        for path in (*system_paths(), self._cage.chromium.parent):
            yield from ("--ro-bind", str(path), str(path))
        for target, link in system_links():
            yield from ("--symlink", target, link)
        yield from ("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", _HOME)
        for name, value in (("HOME", _HOME), ("TMPDIR", _HOME), ("PATH", "/usr/bin"), ("LANG", "C.UTF-8")):
            yield from ("--setenv", name, value)


def _group(memory: int) -> Group | None:
    """Return a control group for a browser, `None` where there is none to be had: then only its memory is watched."""
    groups: Cgroups | None = cgroups.find(mark=f"-{os.urandom(4).hex()}")
    if groups is None:
        return None
    limits = Limits(memory=memory, processes=_PROCESSES, cpus=_CPUS)
    try:
        return groups.make(f"browser-{os.getpid()}-{os.urandom(4).hex()}", limits)
    except OSError:
        return None


@cache
def _apart() -> str:
    return resources.files("leadline.sandbox").joinpath("apart.py").read_text(encoding="utf-8")


def _peer(caller: socket.socket) -> int:
    """Return the process at the other end, as the kernel names it (`SO_PEERCRED`, unix(7))."""
    credentials = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    process: int = struct.unpack("3i", credentials)[0]
    return process


def _parent(process: int) -> int | None:
    """Return who started a process: the driver that speaks with the browser."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[1])
    return None


async def _readable(caller: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(caller.fileno(), tell)
    try:
        await ready
    finally:
        loop.remove_reader(caller.fileno())
