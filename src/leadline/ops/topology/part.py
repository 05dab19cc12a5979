"""One part's life under the supervisor: started when what it needs is ready, watched, started again, ended."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

import psutil

from leadline.errors import NotStarted
from leadline.ops.topology import logs
from leadline.ops.topology.inherited import inherited
from leadline.ops.topology.probes import answers
from leadline.ops.topology.state import PartState, PartStatus
from leadline.ops.topology.units import Unit

SOONEST: Final = 0.5
LONGEST: Final = 30.0
"""Seconds before a part that ended is started again: the first time, and at most."""

STEADY: Final = 60.0
"""Seconds after which a part that runs is forgiven its earlier ends."""

LOOK: Final = 0.2
WATCH: Final = 5.0
"""Seconds between two questions whether a part answers: until it does for the first time, and afterwards."""

SILENT: Final = 3
"""Questions without an answer after which a part is called silent."""


class Clock(Protocol):
    """Unix time."""

    def now(self) -> float:
        """Return the seconds."""
        ...


class Part:
    """A unit and its process. `changed` is told whenever its status is another one."""

    def __init__(
        self, unit: Unit, *, log_file: Path, environment: Mapping[str, str], clock: Clock, changed: Callable[[], None]
    ) -> None:
        self.unit = unit
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        self.failed: NotStarted | None = None
        self.status = PartStatus(name=unit.name, state=PartState.WAITING, address=unit.address, log=str(log_file))
        self._log = log_file
        self._environment = environment
        self._clock = clock
        self._changed = changed
        self._leaving = asyncio.Event()
        self._down = asyncio.Event()
        self._released = asyncio.Event()
        self._process: Process | None = None

    async def live(self, needed: list[Part]) -> None:
        """Be started, and started again, until `end`; return early only where the first start fails."""
        try:
            for other in needed:
                await self._unless_leaving(other.ready.wait())
            failures = 0
            while not self._leaving.is_set():
                began = time.monotonic()
                code = await self._run()
                if self._leaving.is_set() or self.status.state in {PartState.DONE, PartState.FAILED}:
                    return
                failures = 1 if time.monotonic() - began > STEADY else failures + 1
                if not self._down.is_set():
                    await self._pause(code, failures)
                if self._down.is_set():
                    await self._stay_down()
                    failures = 0
        finally:
            if self.status.state not in {PartState.DONE, PartState.FAILED}:
                self._tell(state=PartState.STOPPED, pid=None, born=None)
            self.ended.set()

    async def hold(self) -> None:
        """End the part, and keep it down until `release`; it may have ended by itself, and wait for its next start."""
        self._released.clear()
        self._down.set()
        process = self._process
        if process is not None:
            await self._end(process)

    def release(self) -> None:
        """Let a part start again that is kept down."""
        self._down.clear()
        self._released.set()

    async def end(self, dependants: list[Part]) -> None:
        """Ask the part to end once those that need it have, and kill it where it does not."""
        for other in dependants:
            await other.ended.wait()
        self._leaving.set()
        process = self._process
        if process is not None:
            await self._end(process)
        await self.ended.wait()

    async def _end(self, process: Process) -> None:
        _send(process, self.unit.stop)
        with suppress(TimeoutError):
            async with asyncio.timeout(self.unit.stop_seconds):
                await process.wait()
        kill_group(process.pid)

    async def _stay_down(self) -> None:
        detail = f"kept down: leadline start {self.unit.name}"
        self._tell(state=PartState.HELD, pid=None, born=None, since=self._clock.now(), detail=detail)
        await self._unless_leaving(self._released.wait())
        if not self._leaving.is_set():
            self._tell(state=PartState.RESTARTING, detail="")

    async def _run(self) -> int:
        """Run the program once, to its end."""
        process = await self._spawned()
        self._process = process
        self._tell(
            state=PartState.STARTING if not self.ready.is_set() else PartState.RESTARTING,
            pid=process.pid,
            born=_born(process.pid),
            since=self._clock.now(),
        )
        if self._leaving.is_set() or self._down.is_set():
            _send(process, self.unit.stop)
        over = asyncio.create_task(process.wait(), name=f"{self.unit.name} ends")  # noqa: TID251 awaited just below
        try:
            if self.unit.once:
                await self._finish(over)
            else:
                await self._watch(over)
            return await over
        finally:
            over.cancel()
            self._process = None
            kill_group(process.pid)

    async def _finish(self, over: asyncio.Task[int]) -> None:
        """Wait for a part that does its work once."""
        await asyncio.wait({over}, timeout=self.unit.start_seconds)
        if over.done() and over.result() == 0:
            self._tell(state=PartState.DONE, pid=None, born=None)
            self.ready.set()
            return
        if not self._leaving.is_set():
            self._fail(_how(over))
        self._kill_unless(over)

    async def _watch(self, over: asyncio.Task[int]) -> None:
        """Ask whether the part answers, until its process ends."""
        assert self.unit.ready is not None  # noqa: S101 else it is one that ends by itself
        deadline = time.monotonic() + self.unit.start_seconds
        misses, heard = 0, False
        while not over.done():
            if await answers(self.unit.ready):
                misses, heard = 0, True
                self._is_ready()
            else:
                misses += 1
            if heard and misses >= SILENT:
                self._tell(state=PartState.SILENT, detail=f"no answer to {misses} questions")
            if not heard and time.monotonic() > deadline:
                break
            await asyncio.wait({over}, timeout=WATCH if heard else LOOK)
        if not self.ready.is_set() and not self._leaving.is_set():
            self._fail(_how(over))
        self._kill_unless(over)

    def _kill_unless(self, over: asyncio.Task[int]) -> None:
        if not over.done() and self._process is not None:
            kill_group(self._process.pid)

    def _is_ready(self) -> None:
        if self.status.state is not PartState.READY and not self._leaving.is_set() and not self._down.is_set():
            self._tell(state=PartState.READY, detail="")
            self.ready.set()

    def _fail(self, how: str) -> None:
        said = logs.last_lines(self._log, 5)
        tail = f"; its last lines: {' | '.join(line.strip() for line in said)}" if said else ""
        name = self.unit.name
        self.failed = NotStarted(f"{name} could not start: {how}{tail}; look into its log: leadline logs {name}")
        self._tell(state=PartState.FAILED, pid=None, born=None, detail=how)

    async def _pause(self, code: int, failures: int) -> None:
        seconds = min(LONGEST, SOONEST * 2.0 ** (failures - 1))
        how = f"ended with {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
        self._tell(
            state=PartState.RESTARTING,
            pid=None,
            born=None,
            restarts=self.status.restarts + 1,
            detail=f"{how}; starts again after {seconds:g} s",
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._unless_leaving(self._down.wait())

    async def _spawned(self) -> Process:
        unit = self.unit
        who: dict[str, Any] = {}
        if unit.user is not None and os.geteuid() == 0:
            entry = pwd.getpwnam(unit.user)
            who = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        descriptor = logs.opened(self._log)
        out = descriptor if unit.out is None else os.open(unit.out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            return await asyncio.create_subprocess_exec(
                *unit.argv,
                cwd=unit.folder,
                env=inherited(unit, self._environment),
                stdin=DEVNULL,
                stdout=out,
                stderr=descriptor,
                start_new_session=True,
                umask=0o077,
                **who,
            )
        finally:
            for number in {descriptor, out}:
                os.close(number)

    async def _unless_leaving(self, wait: Any) -> None:  # noqa: ANN401 any awaitable; what it gives is not looked at
        """Await something, or that the part is to end."""
        waiting = asyncio.ensure_future(wait)  # noqa: TID251 awaited just below
        leaving = asyncio.ensure_future(self._leaving.wait())  # noqa: TID251 as above
        try:
            await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            leaving.cancel()

    def _tell(self, **changes: Any) -> None:  # noqa: ANN401 fields of the status
        self.status = replace(self.status, **changes)
        self._changed()


def kill_group(pid: int) -> None:
    """Kill what is left of a part's processes: each part leads a group of its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _send(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(number)


def _born(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def _how(over: asyncio.Task[int]) -> str:
    if not over.done():
        return "it did not answer in time"
    code = over.result()
    return f"it ended with status {code}" if code >= 0 else f"it was killed by {signal.Signals(-code).name}"
