"""Control groups, where this process may make them: version 2, else version 1, else none.

A group bounds the memory of a whole run - swap, page cache and sized folders included - its
number of processes and its share of processors, and it can be killed to the last process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from leadline.sandbox.types import Limits

ROOT: Final = Path("/sys/fs/cgroup")
_PERIOD: Final = 100_000
_TRIES: Final = 100
_PAUSE: Final = 0.01
_NEEDED: Final = ("memory", "pids")
_PREFIX: Final = "leadline-"


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The group of one run: one folder in version 2, one a controller in version 1."""

    folders: tuple[Path, ...]

    def out_of_memory(self) -> bool:
        """Whether the kernel killed one of its processes for want of memory."""
        names = ("memory.events", "memory.oom_control")
        for path in (folder / name for folder in self.folders for name in names):
            with contextlib.suppress(OSError, ValueError):
                rows = dict(line.split() for line in path.read_text(encoding="ascii").splitlines())
                if int(rows.get("oom_kill", 0)):
                    return True
        return False

    def end(self) -> None:
        """Kill every process in it and remove it; takes milliseconds, blocks, may be called again."""
        for _ in range(_TRIES):
            self._kill()
            left = [folder for folder in self.folders if not _removed(folder)]
            if not left:
                return
            time.sleep(_PAUSE)

    def _kill(self) -> None:
        for folder in self.folders:
            try:
                (folder / "cgroup.kill").write_text("1", encoding="ascii")
            except OSError:
                _kill_each(folder)


class Cgroups(Protocol):
    """Makes groups."""

    @property
    def version(self) -> int:
        """1 or 2."""
        ...

    def make(self, name: str, limits: Limits) -> Group:
        """Return a new group with its limits set. Raises `OSError`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Version2:
    """Groups below `parent`, which hands its `memory` and `pids` on to its children."""

    parent: Path
    version: int = 2

    def make(self, name: str, limits: Limits) -> Group:
        """See `Cgroups`."""
        folder = self.parent / f"{_PREFIX}{name}"
        folder.mkdir()
        group = Group(folders=(folder,))
        values = {
            "memory.max": str(limits.memory),
            "memory.swap.max": "0",
            "memory.oom.group": "1",
            "pids.max": str(limits.processes),
            "cpu.max": f"{int(limits.cpus * _PERIOD)} {_PERIOD}",
        }
        return _filled(group, {folder / key: value for key, value in values.items()}, needed=("memory.max", "pids.max"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Version1:
    """Groups in a folder a controller: `memory`, `pids`, and `cpu` where there is one."""

    controllers: Mapping[str, Path]
    version: int = 1

    def make(self, name: str, limits: Limits) -> Group:
        """See `Cgroups`."""
        folders = {kind: path / f"{_PREFIX}{name}" for kind, path in self.controllers.items()}
        for folder in folders.values():
            folder.mkdir()
        values = {
            folders["memory"] / "memory.limit_in_bytes": str(limits.memory),
            folders["memory"] / "memory.memsw.limit_in_bytes": str(limits.memory),
            folders["memory"] / "memory.swappiness": "0",
            folders["pids"] / "pids.max": str(limits.processes),
        }
        if "cpu" in folders:
            values[folders["cpu"] / "cpu.cfs_period_us"] = str(_PERIOD)
            values[folders["cpu"] / "cpu.cfs_quota_us"] = str(int(limits.cpus * _PERIOD))
        return _filled(Group(folders=tuple(folders.values())), values, needed=("memory.limit_in_bytes", "pids.max"))


def find(root: Path = ROOT, *, own: Path = Path("/proc/self/cgroup"), mark: str = "") -> Cgroups | None:
    """Return the groups that this process may make, `None` where it may not; tried, not guessed.

    `mark` tells this process's groups from those of others.
    """
    memberships = _memberships(own)
    for candidate in (_second(root, memberships), _first(root, memberships)):
        if candidate is None:
            continue
        with contextlib.suppress(OSError):
            candidate.make(f"try-{os.getpid()}{mark}", Limits()).end()
            return candidate
    return None


def _memberships(own: Path) -> Mapping[str, str]:
    """Return this process's group by controller; that of version 2 has no name."""
    try:
        rows = [line.split(":", 2) for line in own.read_text(encoding="ascii").splitlines()]
    except (OSError, UnicodeDecodeError):
        return {}
    return {kind: path for _, kinds, path in rows for kind in kinds.split(",")}


def _second(root: Path, memberships: Mapping[str, str]) -> Version2 | None:
    """Return version 2 at our own group, or at its parent where ours may have no children."""
    path = memberships.get("")
    if path is None or not (root / "cgroup.controllers").exists():
        return None
    own = root / path.strip("/")
    for parent in (own, *((own.parent,) if own != root else ())):
        control = parent / "cgroup.subtree_control"
        with contextlib.suppress(OSError):
            control.write_text("+memory +pids", encoding="ascii")
        with contextlib.suppress(OSError):
            control.write_text("+cpu", encoding="ascii")
        with contextlib.suppress(OSError):
            if set(_NEEDED) <= set(control.read_text(encoding="ascii").split()):
                return Version2(parent=parent)
    return None


def _first(root: Path, memberships: Mapping[str, str]) -> Version1 | None:
    controllers: dict[str, Path] = {}
    for kind in (*_NEEDED, "cpu"):
        # A container's own folder, where it is mounted as the root of what is seen.
        for folder in (root / kind / memberships.get(kind, "").strip("/"), root / kind):
            if (folder / "cgroup.procs").exists() and os.access(folder, os.W_OK):
                controllers[kind] = folder
                break
    return Version1(controllers=controllers) if set(_NEEDED) <= set(controllers) else None


def _filled(group: Group, values: Mapping[Path, str], *, needed: Sequence[str]) -> Group:
    """Write the limits; those not `needed` may be unknown to the kernel."""
    for path, value in values.items():
        try:
            path.write_text(value, encoding="ascii")
        except OSError:
            if path.name in needed:
                group.end()
                raise
    return group


def _kill_each(folder: Path) -> None:
    """Kill the processes of a group that cannot be killed as one; what they start meanwhile is for the next round."""
    try:
        pids = (folder / "cgroup.procs").read_text(encoding="ascii").split()
    except OSError:
        return
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(int(pid), signal.SIGKILL)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
