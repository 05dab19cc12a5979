"""What the supervisor knows of its parts, in a file that other processes read; who holds the lock is the supervisor."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import orjson
import psutil

from leadline.errors import WrongState

_SLACK = 1.0
"""Seconds by which two readings of one process's start may differ."""


class PartState(StrEnum):
    """How a part does."""

    WAITING = "waiting"  # for the parts before it
    STARTING = "starting"  # it runs, and does not answer yet
    READY = "ready"  # it answers
    SILENT = "silent"  # it runs, answered before, and does not any more
    RESTARTING = "restarting"  # it ended unasked, and is started again after a pause
    DONE = "done"  # it did its work and ended
    FAILED = "failed"  # it could not start
    HELD = "held"  # it is kept down until somebody lets it start again
    STOPPED = "stopped"  # it was ended


class Phase(StrEnum):
    """How the whole does."""

    STARTING = "starting"
    UP = "up"
    STOPPING = "stopping"
    DOWN = "down"
    FAILED = "failed"  # a part could not start, and all others were ended


@dataclass(frozen=True, kw_only=True, slots=True)
class PartStatus:
    """One part. `since` is when its process began (Unix time); `born` is the same by the system's own clock."""

    name: str
    state: PartState
    pid: int | None = None
    born: float | None = None
    since: float | None = None
    restarts: int = 0
    address: str = ""
    log: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """All parts, and the supervisor itself."""

    pid: int
    phase: Phase
    since: float
    detail: str = ""
    parts: tuple[PartStatus, ...] = ()

    def write(self, path: Path) -> None:
        """Replace the file in one step; only its owner may read it."""
        new = path.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(asdict(self)))
        new.replace(path)

    @classmethod
    def read(cls, path: Path) -> State | None:
        """Return what the file says; `None` where there is none, or none that this version wrote."""
        try:
            raw = orjson.loads(path.read_bytes())
            parts = tuple(PartStatus(**{**part, "state": PartState(part["state"])}) for part in raw.pop("parts"))
            return cls(**{**raw, "phase": Phase(raw["phase"])}, parts=parts)
        except (OSError, ValueError, KeyError, TypeError):
            return None


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock of the supervisor; it falls with the process. Raises `WrongState` where another has it."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WrongState("the parts are supervised already: leadline status") from None
        yield


def is_held(path: Path) -> bool:
    """Return whether a supervisor holds the lock."""
    if not path.exists():
        return False
    try:
        with held(path):
            return False
    except WrongState:
        return True


def leftovers(state: State) -> list[PartStatus]:
    """Return the parts whose very processes still run, though nobody supervises them."""
    return [part for part in state.parts if _is_same(part)]


def end_leftovers(parts: list[PartStatus], *, seconds: float) -> None:
    """End parts that a killed supervisor left behind, the last ones first; what does not go is killed."""
    for part in reversed(parts):
        if part.pid is None or not _is_same(part):
            continue
        with suppress(psutil.Error):
            process = psutil.Process(part.pid)
            process.terminate()
            _wait(process, seconds)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(part.pid, signal.SIGKILL)


def _wait(process: psutil.Process, seconds: float) -> None:
    with suppress(psutil.TimeoutExpired):
        process.wait(seconds)


def _is_same(part: PartStatus) -> bool:
    if part.pid is None or part.born is None:
        return False
    try:
        process = psutil.Process(part.pid)
        return abs(process.create_time() - part.born) < _SLACK and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
