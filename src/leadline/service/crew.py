"""Several processes of the service behind one socket, which their parent holds: what waits in it outlives them."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from leadline.service.run import url_of
from leadline.service.serving import Listen, bound

log = logging.getLogger("leadline.service")

DIED: Final = "service_process_died"
"""Name of the log line of a process that ended unasked; another one takes its place."""

SOONEST: Final = 1.0
LONGEST: Final = 30.0
"""Seconds before a process that died is started again: the first time, and at most."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Crew:
    """`count` processes of `command`, each given the socket by `--listening FD`.

    `gone` is told the id of each that ended.
    """

    def __init__(self, command: Sequence[str], *, count: int, gone: Callable[[int], None] | None = None) -> None:
        self._command = tuple(command)
        self._gone = gone
        self._count = count
        self._alive: dict[int, Process] = {}
        self._serving: dict[int, Process] = {}
        self._reloads = 0
        self._ready: asyncio.Queue[bool] = asyncio.Queue()
        self._leaving = asyncio.Event()
        self._failed = 0

    async def run(self, listen: Listen, *, started: Callable[[str], None]) -> int:
        """Keep them going until a signal, and return the exit code; `started` is told when all take requests.

        A process that cannot even start ends all with its exit code. Raises `InputError` where the
        port cannot be had.
        """
        with bound(listen.host, listen.port) as listener, self._signals():
            listener.listen()
            async with asyncio.TaskGroup() as group:
                for place in range(self._count):
                    group.create_task(self._keep(place, listener), name=f"process {place}")
                if await self._all_ready():
                    started(url_of(*listener.getsockname()[:2]))
        return self._failed

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        try:
            yield
        finally:
            for number in (*_SIGNALS, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _end(self) -> None:
        """Pass a signal on: the first lets each drain, a second one ends it."""
        self._leaving.set()
        self._ready.put_nowait(False)
        for process in self._alive.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)

    def _reload(self) -> None:
        """Pass SIGHUP on; one that only starts, whom it would end, gets it when it takes requests."""
        self._reloads += 1
        for process in self._serving.values():
            _hang_up(process)

    async def _all_ready(self) -> bool:
        for _ in range(self._count):
            if not await self._ready.get():
                return False
        return True

    async def _keep(self, place: int, listener: socket.socket) -> None:
        """Have one process, again and again."""
        pause, was_ready = SOONEST, False
        while not self._leaving.is_set():
            reloads = self._reloads
            process = await self._spawned(listener)
            self._alive[place] = process
            if self._leaving.is_set():
                process.send_signal(signal.SIGTERM)
            answered = await self._told(process)
            if answered and not was_ready:
                was_ready = True
                self._ready.put_nowait(True)
            if answered:
                self._serving[place] = process
            if answered and self._reloads != reloads:
                _hang_up(process)
            code = await process.wait()
            del self._alive[place]
            self._serving.pop(place, None)
            if self._gone is not None:
                await asyncio.to_thread(self._gone, process.pid)
            if self._leaving.is_set():
                return
            log.error(DIED, extra={"place": place, "code": code})
            if not was_ready:
                self._failed = code if code > 0 else 1
                self._end()
                return
            pause = SOONEST if answered else min(LONGEST, pause * 2)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._leaving.wait()

    async def _spawned(self, listener: socket.socket) -> Process:
        # A session of its own: a terminal's Ctrl-C reaches the parent alone, which passes it on once.
        number = listener.fileno()
        return await asyncio.create_subprocess_exec(
            *self._command,
            "--listening",
            str(number),
            pass_fds=(number,),
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,
        )

    @staticmethod
    async def _told(process: Process) -> bool:
        """Return whether the process said that it takes requests."""
        assert process.stdout is not None  # noqa: S101 it is a pipe
        return bool(await process.stdout.readline())


def _hang_up(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGHUP)
