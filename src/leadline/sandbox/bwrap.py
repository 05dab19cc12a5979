"""Bubblewrap: every namespace of its own, an empty root, our seccomp filter.

Stopped: files of the host (nothing but the interpreter and libraries is mounted, read-only), the
network (a namespace without interfaces), other processes (a namespace whose first process ends
all), writes without bound (sized folders in memory), new privileges and nested namespaces.

Not stopped: a fault of the kernel in a call that stays allowed; reading which kernel, processors
and memory this machine has; timing other work on it; filling the sized folders with empty files,
which costs memory of the run alone. Without a control group, memory between two looks of the
watchdog.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from leadline.sandbox.design import (
    Slot,
    Start,
    environment,
    keeper_settings,
    launcher,
    outer_python,
    system_links,
    system_paths,
    text_of,
)
from leadline.sandbox.seccomp import Sockets, program
from leadline.sandbox.tree import Tree
from leadline.sandbox.types import Limits

WORK: Final = "/work"
TEMPORARY: Final = "/tmp"  # noqa: S108 the sandbox's own, in memory
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 as above
_USER: Final = "1000"
_MASKED: Final = ("/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/sched_debug", "/proc/kallsyms")
_NAMESPACES: Final = (
    *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
    *("--unshare-cgroup-try", "--disable-userns", "--die-with-parent", "--new-session"),
    *("--cap-drop", "ALL", "--clearenv", "--uid", _USER, "--gid", _USER, "--hostname", "sandbox"),
)


class Bwrap:
    """A `Design`: starts `binary` with `tree` as all there is to see."""

    name = "bwrap"
    own_processes = True
    needs_folder = False

    def __init__(self, *, binary: Path, tree: Tree, limits: Limits) -> None:
        self._binary = binary
        self._tree = tree
        self._limits = limits
        self._filter = program(platform.machine(), Sockets.LOCAL)
        self._system = system_paths()

    def start(self, slot: Slot) -> Start:
        """See `Design`."""
        handle = _readable(self._filter)
        try:
            command = (*self._outside(slot, handle), *self._interpreter(slot))
        except BaseException:
            os.close(handle)
            raise
        if slot.user is not None or slot.groups:
            command = launcher(self._plan(slot, command), python=outer_python())
        return Start(command=command, environment={}, handles=(slot.control, slot.info, handle), close=(handle,))

    def _outside(self, slot: Slot, handle: int) -> Iterator[str]:
        limits = self._limits
        yield from (str(self._binary), *_NAMESPACES, "--seccomp", str(handle), "--info-fd", str(slot.info))
        yield from ("--proc", "/proc", "--dev", "/dev")
        folders = ((TEMPORARY, limits.temporary), (WORK, limits.work), (_SHARED_MEMORY, limits.shared_memory))
        for folder, size in folders:
            yield from ("--perms", "0700", "--size", str(size), "--tmpfs", folder)
        # After the folders in memory: the tree may lie below one of their names.
        for path in (*self._system, *self._tree.read):
            yield from ("--ro-bind", str(path), str(path))
        for target, link in system_links():
            yield from ("--symlink", target, link)
        for masked in filter(os.path.exists, _MASKED):
            yield from ("--ro-bind", "/dev/null", masked)
        yield from ("--remount-ro", "/dev", "--remount-ro", "/")
        for name, value in environment(self._tree, home=WORK, temporary=TEMPORARY).items():
            yield from ("--setenv", name, value)

    def _interpreter(self, slot: Slot) -> Iterator[str]:
        settings = keeper_settings(slot, work=WORK, tree=self._tree, limits=self._limits)
        yield from (
            "--",
            str(self._tree.python),
            "-I",
            "-S",
            "-B",
            "-c",
            _MAIN,
            json.dumps(settings),
            text_of("inside"),
        )

    def _plan(self, slot: Slot, command: tuple[str, ...]) -> dict[str, Any]:
        return {
            "cgroups": slot.groups,
            "user": slot.user,
            "reach": [str(path) for path in (self._binary, *self._system, *self._tree.read)],
            "sizes": {},
            "exec": command,
        }


_MAIN: Final = (
    "import os, sys, json; text = sys.argv.pop(); "
    "names = {'__name__': 'keeper', 'REACH': 'namespace' if os.getpid() == 2 else 'children'}; "
    "exec(compile(text, '<keeper>', 'exec'), names); os._exit(names['keep'](json.loads(sys.argv[1])))"
)


def _readable(data: bytes) -> int:
    """Return a handle from which `data` can be read: it fits into a pipe."""
    out, into = os.pipe()
    try:
        os.write(into, data)
    finally:
        os.close(into)
    return out
