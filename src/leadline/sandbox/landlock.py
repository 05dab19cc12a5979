"""Landlock with seccomp: no privilege, no program, no namespace needed; for where bubblewrap is missing.

Stopped: opening any file but the interpreter, the libraries and a fresh private folder; running any
program but the interpreter; every socket (seccomp), so TCP, UDP, abstract and path-based unix
sockets alike; signals and tracing beyond the sandbox; changing modes, owners, times, attributes,
limits or priorities of what is not opened (seccomp); other calls as under bubblewrap.

Not stopped: asking whether a file of the host exists, and its size, owner and times (Landlock does
not handle `stat`); the host's name and process numbers, whose namespaces are shared; a fault of the
kernel in a call that stays allowed. `chmod` and `utime` report success and do nothing. Where we are not
root the private folder is on the host's disk and bounded by a watchdog that looks ten times a
second, and the limit of processes counts the user's others too, so that one program's forks can
cause another's to fail. Below ABI 6 a program cannot signal its own children.
"""

from __future__ import annotations

import os
import platform
from typing import Final

from leadline.sandbox.design import (
    Slot,
    Start,
    environment,
    keeper_settings,
    launcher,
    system_paths,
)
from leadline.sandbox.seccomp import Sockets, program
from leadline.sandbox.tree import Tree
from leadline.sandbox.types import Limits
from leadline.sandbox.watchdog import tasks_of

_SIGNALS: Final = {"x86_64": (62, 234, 200), "aarch64": (129, 131, 130)}
_NEWEST: Final = 1_000


class Landlock:
    """A `Design`: the launcher confines itself and becomes the keeper.

    `abi` is the highest version of Landlock to use, for trying what an older kernel would do.
    """

    name = "landlock"
    own_processes = False
    needs_folder = True

    def __init__(self, *, tree: Tree, limits: Limits, abi: int = _NEWEST) -> None:
        self._tree = tree
        self._limits = limits
        self._abi = abi
        self._filter = program(platform.machine(), Sockets.NONE)
        self._system = system_paths()

    def start(self, slot: Slot) -> Start:
        """See `Design`."""
        folder = slot.folder
        if folder is None:
            raise ValueError("this design needs a folder of the host")
        work, temporary = folder / "work", folder / "tmp"
        tasks = tasks_of(os.getuid()) if slot.user is None else 0
        owner = f"uid={slot.user},gid={slot.user}" if slot.user is not None else ""
        size = self._limits.work + self._limits.temporary
        paths = [str(path) for path in (*self._system, *self._tree.read)]
        plan = {
            "cgroups": slot.groups,
            "user": slot.user,
            "reach": [*paths, str(folder)],
            "sizes": {str(folder): f"mode=0700,{owner},size={size},nr_inodes=20k"},
            "exec": None,
            "abi": self._abi,
            "seccomp": self._filter.hex(),
            "signals": _SIGNALS[platform.machine()],
            "read": paths,
            "write": [str(work), str(temporary)],
            "keeper": keeper_settings(slot, work=str(work), tree=self._tree, limits=self._limits, tasks=tasks),
        }
        return Start(
            command=launcher(plan, python=self._tree.python),
            environment=environment(self._tree, home=str(work), temporary=str(temporary)),
            handles=(slot.control,),
        )
