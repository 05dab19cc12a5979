"""The supervisor: all parts in order, kept running until a signal, then ended in reverse."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from leadline.errors import NotStarted
from leadline.ops.topology import holds, logs
from leadline.ops.topology.part import Clock, Part
from leadline.ops.topology.state import PartState, PartStatus, Phase, State
from leadline.ops.topology.units import Unit, in_order

ROUNDS: Final = 5.0
"""Seconds between two looks for logs that have grown, and for orphans that ended."""

ORDERS: Final = 0.2
"""Seconds between two looks for which parts are to be kept down."""

_PR_SET_CHILD_SUBREAPER: Final = 36


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """Where the supervisor writes: its state, and a log for each part; `grows` are logs that parts write themselves.

    `held` names the parts that are to be kept down; it is read again and again.
    """

    state: Path
    logs: Path
    held: Path
    grows: tuple[Path, ...] = ()

    def log_of(self, name: str) -> Path:
        """Return a part's log."""
        return self.logs / f"{name}.log"


class Supervisor:
    """Keeps `units` running. `told` hears each change of a part."""

    def __init__(
        self,
        units: Sequence[Unit],
        *,
        files: Files,
        environment: Mapping[str, str],
        clock: Clock,
        told: Callable[[PartStatus], None],
    ) -> None:
        self._files = files
        self._clock = clock
        self._told = told
        self._stop = asyncio.Event()
        self._phase = Phase.STARTING
        self._detail = ""
        self._since = clock.now()
        self._strangers: frozenset[int] = frozenset()
        self._seen: dict[str, PartState] = {}
        self._parts = {
            unit.name: Part(
                unit, log_file=files.log_of(unit.name), environment=environment, clock=clock, changed=self._changed
            )
            for unit in in_order(units)
        }

    async def run(self, *, up: Callable[[], None]) -> None:
        """Start all, call `up` when all are ready, and return after a signal when all have ended.

        Raises `NotStarted` where a part cannot start, all others having been ended.
        """
        holds.forget(self._files.held)
        with self._signals(), _orphans() as self._strangers:
            async with asyncio.TaskGroup() as group:
                for part in self._parts.values():
                    needed = [self._parts[name] for name in part.unit.after]
                    group.create_task(self._live(part, needed), name=part.unit.name)
                rounds = group.create_task(self._rounds(), name="rounds")
                rising = group.create_task(self._rise(up), name="rise")
                await self._stop.wait()
                rising.cancel()
                self._enter(Phase.STOPPING)
                await self._end_all()
                rounds.cancel()
        failed = self._failed()
        self._enter(Phase.DOWN if failed is None else Phase.FAILED, "" if failed is None else str(failed))
        if failed is not None:
            raise failed

    def stop(self) -> None:
        """End all parts."""
        self._stop.set()

    async def _live(self, part: Part, needed: list[Part]) -> None:
        await part.live(needed)
        if part.failed is not None:
            self.stop()

    async def _rise(self, up: Callable[[], None]) -> None:
        for part in self._parts.values():
            await part.ready.wait()
        self._enter(Phase.UP)
        up()
        async with asyncio.TaskGroup() as ending:
            await self._obey(ending)

    async def _obey(self, ending: asyncio.TaskGroup) -> None:
        """Keep down what is to be kept down."""
        kept: frozenset[str] = frozenset()
        while True:
            wanted = holds.read(self._files.held) & self._parts.keys()
            for name in sorted(kept - wanted):
                self._parts[name].release()
            for name in sorted(wanted - kept):
                ending.create_task(self._parts[name].hold(), name=f"hold {name}")
            kept = wanted
            await asyncio.sleep(ORDERS)

    async def _end_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for name, part in self._parts.items():
                dependants = [other for other in self._parts.values() if name in other.unit.after]
                group.create_task(part.end(dependants), name=f"end {name}")

    async def _rounds(self) -> None:
        """Keep logs bounded, and collect what the parts' own children left behind."""
        while True:
            await asyncio.sleep(ROUNDS)
            paths = (*(self._files.log_of(name) for name in self._parts), *self._files.grows)
            await asyncio.to_thread(_turn_over, paths)
            self._reap()

    def _reap(self) -> None:
        known = {part.status.pid for part in self._parts.values()} | self._strangers
        for child in psutil.Process().children():
            with suppress(psutil.Error, ChildProcessError):
                if child.pid not in known and child.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(child.pid, os.WNOHANG)

    def _failed(self) -> NotStarted | None:
        return next((part.failed for part in self._parts.values() if part.failed is not None), None)

    def _enter(self, phase: Phase, detail: str = "") -> None:
        self._phase, self._detail = phase, detail
        self._changed()

    def _changed(self) -> None:
        parts = tuple(part.status for part in self._parts.values())
        for status in parts:
            if self._seen.get(status.name) is not status.state:
                self._seen[status.name] = status.state
                self._told(status)
        State(pid=os.getpid(), phase=self._phase, since=self._since, detail=self._detail, parts=parts).write(
            self._files.state
        )

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT)
        for number in numbers:
            loop.add_signal_handler(number, self.stop)
        # It outlives the terminal. To ignore the signal would be inherited by the parts, some of which reload by it.
        loop.add_signal_handler(signal.SIGHUP, _outlive)
        try:
            yield
        finally:
            for number in (*numbers, signal.SIGHUP):
                loop.remove_signal_handler(number)


def _outlive() -> None:
    """Hear a signal and go on."""


def _turn_over(paths: Sequence[Path]) -> None:
    for path in paths:
        logs.turn_over(path)


@contextmanager
def _orphans() -> Iterator[frozenset[int]]:
    """Be the parent of descendants whose own parent dies (prctl(2)), and kill what is left of them at the end.

    Yields the children that this process had before, which are not the parts' and stay.
    """
    before = frozenset(child.pid for child in psutil.Process().children())
    _become_subreaper(on=True)
    try:
        yield before
    finally:
        _become_subreaper(on=False)
        new = [child for child in psutil.Process().children() if child.pid not in before]
        left = [one for child in new for one in (*_descendants(child), child)]
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=5)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _become_subreaper(*, on: bool) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)
