"""What bubblewrap and Landlock have in common: how a design turns a slot into a process to start."""

from __future__ import annotations

import json
import platform
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, Protocol

from leadline.sandbox.tree import Tree
from leadline.sandbox.types import Limits

PATH: Final = "/usr/bin:/bin"
FIRST_USER: Final = 60_600
"""The lowest user id that a sandbox of root's takes; in a range that neither Debian nor systemd gives to anybody."""

_READ_ONLY_SYSTEM: Final = ("/etc/ld.so.cache", "/usr/share/zoneinfo", "/usr/share/fonts", "/etc/fonts")


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """One start: a plain user of its own where we are root, its groups, a folder where it needs one.

    `handles` are what the new process inherits, `control` the one that its keeper writes to.
    """

    user: int | None
    groups: tuple[str, ...]
    folder: Path | None
    control: int
    info: int
    preload: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """A command with its environment and the handles that it inherits besides its three streams."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    handles: tuple[int, ...]
    close: tuple[int, ...] = field(default=())


class Design(Protocol):
    """A way to confine a process."""

    @property
    def name(self) -> str:
        """`bwrap` or `landlock`."""
        ...

    @property
    def own_processes(self) -> bool:
        """Whether its processes have a namespace whose first process ends all."""
        ...

    @property
    def needs_folder(self) -> bool:
        """Whether it works in a folder of the host."""
        ...

    def start(self, slot: Slot) -> Start:
        """Return what to start. Blocks for a moment. Raises `OSError`."""
        ...


@cache
def text_of(module: str) -> str:
    """Return the source of one of the two modules that run inside."""
    return resources.files("leadline.sandbox").joinpath(f"{module}.py").read_text(encoding="utf-8")


def system_paths() -> tuple[Path, ...]:
    """Return the folders and files of the system that every interpreter needs, those that exist.

    The shared libraries of this machine, the loader and its cache, time zones, fonts; never
    configuration, homes, run-time, temporary or variable data.
    """
    machine = platform.machine()
    multiarch = Path(f"/usr/lib/{machine}-linux-gnu")
    libraries = [multiarch] if multiarch.is_dir() else [Path("/usr/lib")]
    libraries += [Path("/usr/lib64"), *sorted(Path("/usr/lib").glob("ld-linux*.so*"))]
    libraries += [path for path in (Path("/lib"), Path("/lib64")) if path.is_dir() and not path.is_symlink()]
    return tuple(path for path in (*libraries, *map(Path, _READ_ONLY_SYSTEM)) if path.exists())


def system_links() -> tuple[tuple[str, str], ...]:
    """Return the links at the root that lead to the libraries: (target, link)."""
    links = (Path("/lib"), Path("/lib64"))
    return tuple((str(link.readlink()), str(link)) for link in links if link.is_symlink())


def environment(tree: Tree, *, home: str, temporary: str) -> dict[str, str]:
    """Return all that a program finds in its environment."""
    variables = {
        "PATH": PATH,
        "HOME": home,
        "TMPDIR": temporary,
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": temporary,
    }
    # A thread a processor, each with its own arena, is what breaks numerical libraries under limits.
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    variables |= dict.fromkeys(threads, "1") | {"MALLOC_ARENA_MAX": "2"}
    if tree.libraries is not None:
        variables["LD_LIBRARY_PATH"] = str(tree.libraries)
    return variables


def keeper_settings(slot: Slot, *, work: str, tree: Tree, limits: Limits, tasks: int = 0) -> dict[str, Any]:
    """Return what the keeper must know, as JSON. `tasks` are those that already count against the user."""
    lowered = {
        "CORE": 0,
        "FSIZE": limits.file,
        "NOFILE": limits.open_files,
        "AS": limits.address_space,
        "MEMLOCK": 0,
        "MSGQUEUE": 0,
        "SIGPENDING": 256,
        "NPROC": limits.processes + tasks,
    }
    caps = {"files_out": limits.files_out, "file_out": limits.file_out, "files_count": limits.files_count}
    return {
        "control": slot.control,
        "site": str(tree.site) if tree.site else "",
        "work": work,
        "preload": list(slot.preload),
        "limits": lowered,
        "session_cpu": limits.seconds,
        "caps": caps,
    }


def launcher(plan: Mapping[str, Any], *, python: Path) -> tuple[str, ...]:
    """Return the command that runs `launch` with its plan and the keeper's text."""
    return (str(python), "-I", "-S", "-B", "-c", text_of("launch"), json.dumps(plan), text_of("inside"))


def reachable_by_all(path: Path) -> bool:
    """Whether a stranger may pass every folder above `path`."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)


def outer_python() -> Path:
    """Return the interpreter that runs the launcher: ours."""
    return Path(sys.executable)
