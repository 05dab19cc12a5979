"""From the caller's process to the supervisor's: one of its own, which outlives terminal and caller."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson
import psutil

from leadline.errors import NotStarted, WrongState
from leadline.ops.topology import logs
from leadline.ops.topology.home import Home
from leadline.ops.topology.parts import Topology
from leadline.ops.topology.state import PartState, PartStatus, State, end_leftovers, held, is_held, leftovers
from leadline.ops.topology.supervisor import Files, Supervisor
from leadline.resilience import SystemClock
from leadline.settings import process_environment

LOG: Final = "supervisor"
"""The name under which the supervisor's own log is found."""

STOP_SECONDS: Final = 180.0
"""How long all parts together may take to end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One line of the supervisor to whoever waits for it: a part's new state, or that all is up."""

    part: str = ""
    state: PartState | None = None
    detail: str = ""
    up: bool = False


def supervise(topology: Topology, *, tell: Callable[[Told], None]) -> None:
    """Keep the parts running in this process until a signal; `tell` hears of each change.

    Raises `WrongState` where another process does so already, `NotStarted`.
    """
    home, clock = topology.home, SystemClock()
    nginx = topology.folder("nginx")
    files = Files(
        state=home.state,
        logs=home.logs,
        held=home.held,
        grows=(nginx / "access.log", nginx / "error.log", home.logs / f"{LOG}.log"),
    )

    def told(part: PartStatus) -> None:
        at = datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="milliseconds")
        sys.stderr.write(f"{at} {part.name} {part.state} {part.detail}".rstrip() + "\n")
        sys.stderr.flush()
        tell(Told(part=part.name, state=part.state, detail=part.detail))

    async def work() -> None:
        supervisor = Supervisor(
            topology.units(), files=files, environment=process_environment(), clock=clock, told=told
        )
        await supervisor.run(up=lambda: tell(Told(up=True)))

    with held(home.lock):
        asyncio.run(work())


def to_caller(told: Told) -> None:
    """Write a line to standard output, which the caller reads; after the last one nobody does."""
    line = orjson.dumps({"part": told.part, "state": told.state, "detail": told.detail, "up": told.up})
    with suppress(OSError):
        os.write(sys.stdout.fileno(), line + b"\n")
    if told.up:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 a device
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


@contextmanager
def launched(home: Home, words: Sequence[str]) -> Iterator[Iterator[Told]]:
    """Start a supervisor by `leadline WORDS` and yield what it tells until all is up.

    Where the context is left by an exception, it is asked to end everything. Raises `NotStarted`.
    """
    log = logs.opened(home.logs / f"{LOG}.log")
    try:
        process = subprocess.Popen(
            (sys.executable, "-P", "-m", "leadline", *words),
            cwd=home.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            umask=0o077,
        )
    finally:
        os.close(log)
    try:
        yield _lines(home, process)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()


def _lines(home: Home, process: subprocess.Popen[bytes]) -> Iterator[Told]:
    assert process.stdout is not None  # noqa: S101 it is a pipe
    for line in process.stdout:
        found = orjson.loads(line)
        state = found["state"]
        told = Told(part=found["part"], state=state and PartState(state), detail=found["detail"], up=found["up"])
        yield told
        if told.up:
            return
    process.wait()
    state = State.read(home.state)
    said = state.detail if state is not None and state.pid == process.pid else ""
    raise NotStarted(said or f"the supervisor ended: {' | '.join(logs.last_lines(home.logs / f'{LOG}.log', 5))}")


def end(home: Home, *, each: Callable[[State], None]) -> bool:
    """End all parts and return whether there were any; `each` is shown how they do while it lasts.

    Raises `WrongState` where they do not end in time.
    """
    state = State.read(home.state)
    if state is None:
        return False
    if is_held(home.lock):
        _end_supervisor(home, state, each=each)
        return True
    left = leftovers(state)
    end_leftovers(left, seconds=30.0)
    return bool(left)


def _end_supervisor(home: Home, state: State, *, each: Callable[[State], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        supervisor = psutil.Process(state.pid)
        supervisor.terminate()
        for _ in range(int(STOP_SECONDS * 2)):
            with suppress(psutil.TimeoutExpired):
                supervisor.wait(0.5)
                break
            found = State.read(home.state)
            if found is not None:
                each(found)
    if is_held(home.lock):
        raise WrongState(f"the parts did not end within {STOP_SECONDS:g} s; see: leadline logs {LOG}")
