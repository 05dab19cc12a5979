"""`LocalSandbox`: programs in sandboxed processes of this machine, at most so many at once.

Each program has a process of its own, used once; with a warm pool it was started ahead and has
numpy and pandas imported. Programs of one session share one, in order, until it ends or gives way.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import subprocess
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from leadline.errors import ToolFailed
from leadline.ports import KilledBy, Part, Program, Ran
from leadline.resilience import Owned
from leadline.sandbox import artefacts, folders, watchdog
from leadline.sandbox.cgroups import Cgroups
from leadline.sandbox.child import Belongings, Child, Gone, Pipes, Reply, popen
from leadline.sandbox.design import FIRST_USER, Design, Slot, Start
from leadline.sandbox.places import Places
from leadline.sandbox.sessions import Session, Sessions
from leadline.sandbox.types import Limits

WATCH_SECONDS: Final = 0.1
_KILLED: Final = 137
_USERS: Final = 256


class _Users:
    """Plain user ids for the processes of root's sandboxes: no two at once share one."""

    def __init__(self, first: int | None) -> None:
        self._free = deque(range(first, first + _USERS)) if first is not None else None

    def take(self) -> int | None:
        """Return one, `None` where we are a plain user ourselves. Raises `ToolFailed` when all are taken."""
        if self._free is None:
            return None
        if not self._free:
            raise ToolFailed(f"{_USERS} sandboxes are running; no more can be started")
        return self._free.popleft()

    def give_back(self, user: int | None) -> None:
        """Let another have it; the longest unused goes first."""
        if user is not None and self._free is not None:
            self._free.append(user)


class LocalSandbox:
    """A `Sandbox` by one design; an asynchronous context, whose end kills everything.

    `workers` programs run at once. `warm` processes are kept started ahead, with `preload`
    imported. `cgroups` bounds memory and processes where it can be had; without it a watchdog
    does. `below` is where folders for designs that need one are made.
    """

    def __init__(
        self,
        design: Design,
        *,
        limits: Limits,
        cgroups: Cgroups | None,
        workers: int = 2,
        warm: int = 0,
        preload: tuple[str, ...] = (),
        below: Path | None = None,
    ) -> None:
        self._design = design
        self._limits = limits
        self._cgroups = cgroups
        self._below = below
        self._places = Places(workers)
        self._warm_wanted = warm
        self._preload = preload
        self._idle: deque[Child] = deque()
        self._warming = self._closed = False
        self._full = asyncio.Event()
        self._all: dict[Child, int | None] = {}
        self._sessions = Sessions[Child]()
        self._users = _Users(FIRST_USER if os.geteuid() == 0 else None)
        self._numbers = itertools.count()
        self._mark = f"{os.getpid()}-{id(self):x}"
        self._owned = Owned("sandbox")
        # Bubblewrap dies with the thread that started it, so that thread must be a lasting one.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="leadline-sandbox")

    @property
    def name(self) -> str:
        """The design's name."""
        return self._design.name

    @property
    def warm(self) -> int:
        """How many processes wait for a program."""
        return len(self._idle)

    async def warmed(self) -> None:
        """Wait until the pool is full; without one, at once."""
        if self._warm_wanted:
            await self._full.wait()

    async def __aenter__(self) -> Self:
        self._refill()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Kill all processes, those at work included, and wait until they and their folders are gone."""
        self._closed = True
        await self._owned.close()
        for child in tuple(self._all):
            await self._end(child)
        # What was being started when its user was cancelled is discarded once the thread has it.
        await asyncio.to_thread(self._thread.shutdown, wait=True)

    async def run(self, program: Program) -> Ran:
        """See `Sandbox`."""
        artefacts.check(program, self._limits)
        if program.session is not None:
            return await self._run_in_session(program, program.session)
        async with self._places.held(program.tenant):
            child = await self._fresh()
            try:
                return await self._use(child, program)
            finally:
                await self._end(child)

    async def end_session(self, session: str) -> None:
        """Forget a session's names and files; one that is not there is no error."""
        child = self._sessions.forget(session)
        if child is not None:
            await self._end(child)

    async def _run_in_session(self, program: Program, name: str) -> Ran:
        session = self._sessions.enter(name)
        try:
            async with session.lock, self._places.held(program.tenant):
                return await self._use_shared(session, program)
        finally:
            for child in self._sessions.leave(name, session):
                await self._end(child)

    async def _use_shared(self, session: Session[Child], program: Program) -> Ran:
        child, fresh = session.child, False
        if child is None or not child.alive:
            child, fresh = await self._fresh(), True
            session.child = child
        keeps = False
        try:
            ran = await self._use(child, program)
            keeps = child.alive and ran.killed_by is None
        finally:
            if not keeps:
                session.child = None
                await self._end(child)
        return replace(ran, fresh=fresh)

    # --- processes ---------------------------------------------------------------------------

    async def _fresh(self) -> Child:
        """Return a process that has served nobody: a warm one where there is one."""
        while self._idle:
            child = self._idle.popleft()
            self._full.clear()
            if child.alive:
                return child
            await self._end(child)
        child = await self._start(())
        await self._ready(child)
        return child

    async def _ready(self, child: Child) -> None:
        try:
            await child.connect()
            await child.ready()
        except BaseException:
            await self._end(child)
            raise

    def _refill(self) -> None:
        if len(self._idle) < self._warm_wanted and not self._warming and not self._closed:
            self._warming = True
            self._owned.start(self._warm_up(), name="warm")

    async def _warm_up(self) -> None:
        """Fill the pool; where that fails, the next program starts its own process and tells why."""
        try:
            while len(self._idle) < self._warm_wanted:
                child = await self._start(self._preload)
                await self._ready(child)
                self._idle.append(child)
            self._full.set()
        except ToolFailed:
            return
        finally:
            self._warming = False

    async def _start(self, preload: tuple[str, ...]) -> Child:
        user = self._users.take()
        control, info = os.pipe(), os.pipe()
        left = Belongings()
        try:
            left = await asyncio.to_thread(self._prepare, user)
            slot = Slot(
                user=user,
                groups=tuple(map(str, left.group.folders)) if left.group else (),
                folder=left.folder,
                control=control[1],
                info=info[1],
                preload=preload,
            )
            start = await asyncio.to_thread(self._design.start, slot)
            process = await self._spawn(start)
        except BaseException as error:
            for handle in (control[0], info[0]):
                os.close(handle)
            await asyncio.to_thread(left.remove)
            self._users.give_back(user)
            if isinstance(error, OSError):
                raise ToolFailed(f"the sandbox could not be started: {error}") from error
            raise
        finally:
            os.close(control[1])
            os.close(info[1])
        pipes = Pipes(control[0], info[0], namespace=self._design.own_processes)
        child = Child(process, pipes, belongings=left, limits=self._limits)
        self._all[child] = user
        return child

    async def _spawn(self, start: Start) -> subprocess.Popen[bytes]:
        starting = asyncio.get_running_loop().run_in_executor(self._thread, popen, start)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_discard)
            raise

    def _prepare(self, user: int | None) -> Belongings:
        name = f"{self._mark}-{next(self._numbers)}"
        group = self._cgroups.make(name, self._limits) if self._cgroups else None
        try:
            folder = folders.make(user, below=self._below) if self._design.needs_folder else None
        except OSError:
            Belongings(group=group).remove()
            raise
        return Belongings(group=group, folder=folder)

    async def _end(self, child: Child) -> None:
        user = self._all.pop(child, None)
        if child in self._idle:
            self._idle.remove(child)
        await child.gone()
        self._users.give_back(user)
        # Only now: what imports for the next program would slow this one down.
        self._refill()

    # --- one program -------------------------------------------------------------------------

    async def _use(self, child: Child, program: Program) -> Ran:
        reply: Reply | None = None
        async with self._watched(child):
            with contextlib.suppress(Gone):
                reply = await child.exchange(program)
        (out, out_cut), (err, err_cut) = child.output()
        killed = self._killed(child, reply)
        if reply is not None and reply.lost:
            child.kill("crash")
        files, files_cut = await asyncio.to_thread(artefacts.typed, reply.files if reply else (), self._limits)
        cuts: dict[Part, bool] = {
            "stdout": out_cut,
            "stderr": err_cut,
            "files": files_cut or (reply is not None and reply.left_out),
        }
        return Ran(
            stdout=out.decode(errors="replace"),
            stderr=err.decode(errors="replace"),
            exit=reply.exit if reply else _KILLED,
            files=files,
            truncated=tuple(part for part, cut in cuts.items() if cut),
            killed_by=killed,
        )

    @staticmethod
    def _killed(child: Child, reply: Reply | None) -> KilledBy | None:
        group = child.belongings.group
        if child.killed_by is not None and child.killed_by != "crash":
            return child.killed_by
        if (reply is None or reply.exit == _KILLED) and group is not None and group.out_of_memory():
            return "memory"
        if reply is not None and reply.timed_out:
            return "time"
        return None if reply is not None else "crash"

    @asynccontextmanager
    async def _watched(self, child: Child) -> AsyncIterator[None]:
        """Watch what no group bounds while a program runs."""
        if child.belongings.group is not None and not self._design.needs_folder:
            yield
            return
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch(child), name="sandbox/watch")
            try:
                yield
            finally:
                watching.cancel()

    async def _watch(self, child: Child) -> None:
        while child.alive:
            excess = await asyncio.to_thread(self._excess, child)
            if excess is not None:
                child.kill(excess)
                return
            await asyncio.sleep(WATCH_SECONDS)

    def _excess(self, child: Child) -> KilledBy | None:
        limits, folder = self._limits, child.belongings.folder
        if child.belongings.group is None:
            use = watchdog.measure(child.process.pid)
            if use.memory > limits.memory:
                return "memory"
        if folder is not None and watchdog.folder_size(folder) > limits.work + limits.temporary:
            return "disk"
        return None


def _discard(starting: asyncio.Future[subprocess.Popen[bytes]]) -> None:
    """End a process whose start was still under way when its user was cancelled."""
    if not starting.cancelled() and starting.exception() is None:
        process = starting.result()
        process.kill()
        process.wait()
