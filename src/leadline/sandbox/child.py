"""One sandboxed process as the outside sees it: its start, one exchange after another, its certain end.

The process is a stranger: every reply is bounded before it is read, its output is kept up to a
cap and counted beyond, and nothing waits for the end of a stream that a survivor may hold open.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import orjson

from leadline.errors import ToolFailed
from leadline.ports import KilledBy, Program
from leadline.sandbox import folders
from leadline.sandbox.cgroups import Group
from leadline.sandbox.design import Start
from leadline.sandbox.types import Limits

_LENGTH: Final = struct.Struct(">Q")
_MOST_HEAD: Final = 64 << 10
_MOST_INFO: Final = 4 << 10
_MOST_REASON: Final = 300
_PIECE: Final = 1 << 16
START_SECONDS: Final = 20.0
# What the keeper gets beyond the program's time to end it itself and to hand over the files.
GRACE_SECONDS: Final = 2.0
# What a keeper that was asked to end everything gets for it on a crowded machine: killed earlier, it leaves some.
_TERM_SECONDS: Final = 5.0


class Reply(NamedTuple):
    """What the keeper said of one program: unproven, but bounded."""

    exit: int
    timed_out: bool
    lost: bool
    left_out: bool
    files: tuple[tuple[str, bytes], ...]


class Gone(Exception):
    """The process ended, or spoke out of turn, before it had replied."""


@dataclass(slots=True, eq=False)
class Capture(asyncio.Protocol):
    """Takes a stream: keeps the first `most` bytes, counts all, cries `flood` above `limit`."""

    most: int
    limit: int
    flood: Callable[[], None]
    kept: bytearray = field(default_factory=bytearray)
    seen: int = 0

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self.seen += len(data)
        self.kept += data[: max(0, self.most - len(self.kept))]
        if self.seen > self.limit:
            self.flood()

    def take(self) -> tuple[bytes, bool]:
        """Return what came since the last call, and whether some of it was not kept."""
        data, cut = bytes(self.kept), self.seen > len(self.kept)
        self.kept.clear()
        self.seen = 0
        return data, cut


@dataclass(frozen=True, kw_only=True, slots=True)
class Belongings:
    """What a process leaves behind when it ends."""

    group: Group | None = None
    folder: Path | None = None

    def remove(self) -> None:
        """Kill what is still in the group, and remove both; blocks for a moment."""
        if self.group is not None:
            self.group.end()
        if self.folder is not None:
            folders.remove(self.folder)


class Pipes(NamedTuple):
    """Our ends: what the keeper says, and what bubblewrap says of the namespace where there is one."""

    control: int
    info: int
    namespace: bool


class Child:
    """A started process with its keeper at the other end."""

    def __init__(
        self, process: subprocess.Popen[bytes], pipes: Pipes, *, belongings: Belongings, limits: Limits
    ) -> None:
        self.process = process
        self.belongings = belongings
        self.killed_by: KilledBy | None = None
        self.served = 0
        self._pipes = pipes
        self._limits = limits
        self._first: int | None = None
        self._transports: list[asyncio.BaseTransport] = []
        self._stdout = self._capture()
        self._stderr = self._capture()
        self._control = asyncio.StreamReader(limit=_MOST_HEAD)
        self._alive = True
        self._gone = False
        self._ending = asyncio.Lock()

    def _capture(self) -> Capture:
        return Capture(most=self._limits.output, limit=self._limits.flood, flood=partial(self.kill, "output"))

    async def connect(self) -> None:
        """Take hold of its streams. Raises `OSError`; `gone` is needed then, too."""
        loop = asyncio.get_running_loop()
        process = self.process
        streams: list[tuple[asyncio.Protocol, IO[bytes] | None]] = [
            (self._stdout, process.stdout),
            (self._stderr, process.stderr),
            (asyncio.StreamReaderProtocol(self._control), os.fdopen(self._pipes.control, "rb", buffering=0)),
        ]
        for protocol, pipe in streams:
            transport, _ = await loop.connect_read_pipe(lambda protocol=protocol: protocol, pipe)  # type: ignore[misc] # mypy cannot infer a lambda with a default
            self._transports.append(transport)
        requests, flow = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), process.stdin
        )
        self._transports.append(requests)
        self._requests = asyncio.StreamWriter(requests, flow, None, loop)

    async def ready(self) -> None:
        """Wait until the keeper has loaded what it loads ahead. Raises `ToolFailed`."""
        try:
            async with asyncio.timeout(START_SECONDS):
                reply = await self._head()
        except (TimeoutError, Gone) as error:
            self.kill("crash")
            _, (said, _) = self.output()
            await self.gone()
            reason = said[-_MOST_REASON:].decode(errors="replace").strip()
            raise ToolFailed(f"the sandbox could not be started: {reason or 'it gave no reason'}") from error
        if reply.get("ready") is not True:
            self.kill("crash")
            raise ToolFailed("the sandbox could not be started: its keeper speaks another language")
        self._first = self._first_process()

    def _first_process(self) -> int | None:
        """Return a handle on the first process of the namespace, whose end is the end of all."""
        if not self._pipes.namespace:
            return None
        try:
            os.set_blocking(self._pipes.info, False)
            said = orjson.loads(os.read(self._pipes.info, _MOST_INFO))
            return os.pidfd_open(int(said["child-pid"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None  # it has ended already, or only its parent can be killed, which ends it as well

    async def exchange(self, program: Program) -> Reply:
        """Send a program and return the reply. Raises `Gone`, also when its time and the grace are over."""
        self.served += 1
        request = {
            "code": program.code.encode("utf-8", "replace").decode(),
            "files": {name: base64.b64encode(data).decode() for name, data in program.files.items()},
            "timeout": program.timeout,
            "session": program.session is not None,
        }
        body = await asyncio.to_thread(orjson.dumps, request) if program.files else orjson.dumps(request)
        try:
            async with asyncio.timeout(program.timeout + GRACE_SECONDS):
                self._requests.write(_LENGTH.pack(len(body)) + body)
                await self._requests.drain()
                return await self._reply()
        except TimeoutError as error:
            self.kill("time")
            raise Gone from error
        except (ConnectionError, ValueError, KeyError, TypeError) as error:
            self.kill("crash")
            raise Gone from error

    async def _reply(self) -> Reply:
        head = await self._head()
        files: list[tuple[str, bytes]] = []
        room = self._limits.files_out
        for name, size in head["files"]:
            if not (isinstance(name, str) and isinstance(size, int) and 0 <= size <= room):
                raise ValueError("a reply of a wrong shape")
            room -= size
            files.append((name, await self._exactly(size)))
        return Reply(
            exit=int(head["exit"]) & 0xFF,
            timed_out=head["timed_out"] is True,
            lost=head["lost"] is True,
            left_out=bool(head["left_out"]),
            files=tuple(files),
        )

    async def _head(self) -> dict[str, Any]:
        (length,) = _LENGTH.unpack(await self._exactly(_LENGTH.size))
        if length > _MOST_HEAD:
            raise Gone
        try:
            head = orjson.loads(await self._exactly(length))
        except ValueError as error:
            raise Gone from error
        if not isinstance(head, dict):
            raise Gone
        return head

    async def _exactly(self, length: int) -> bytes:
        try:
            return await self._control.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise Gone from error

    def output(self) -> tuple[tuple[bytes, bool], tuple[bytes, bool]]:
        """Return what was written so far to both streams, what lies in the pipes included.

        Whatever wrote it has ended or is a guest of its session: the end of the stream is not waited for.
        """
        for transport, capture in zip(self._transports[:2], (self._stdout, self._stderr), strict=True):
            pipe = transport.get_extra_info("pipe")
            if isinstance(transport, asyncio.ReadTransport) and not transport.is_closing():
                transport.pause_reading()
                _drain(pipe.fileno(), capture)
                transport.resume_reading()
        return self._stdout.take(), self._stderr.take()

    def kill(self, why: KilledBy) -> None:
        """End it and all that it started; `gone` waits for it. Only the first reason counts."""
        if not self._alive:
            return
        self._alive = False
        self.killed_by = why
        with contextlib.suppress(ProcessLookupError):
            if self._first is not None:
                # Its parent takes its status and ends; killed itself, it would leave that to the host's init.
                signal.pidfd_send_signal(self._first, signal.SIGKILL)
            else:
                # The keeper of a design without a namespace ends what it can reach when it is asked to, if it goes on.
                self.process.send_signal(signal.SIGKILL if self._pipes.namespace else signal.SIGTERM)
                self.process.send_signal(signal.SIGCONT)

    @property
    def alive(self) -> bool:
        """Whether it was not ended and has not ended by itself."""
        return self._alive and self.process.poll() is None

    async def gone(self) -> None:
        """Close everything, wait for its end, and remove what it leaves."""
        self.kill("crash")
        async with self._ending:
            if not self._gone:
                self._gone = True
                await self._go()

    async def _go(self) -> None:
        for transport in self._transports:
            if isinstance(transport, asyncio.WriteTransport) and not transport.is_closing():
                transport.abort()
        await asyncio.to_thread(self._wait)
        for transport in self._transports:
            transport.close()
        for handle in (self._first, self._pipes.info):
            if handle is not None:
                os.close(handle)
        self._first = None

    def _wait(self) -> None:
        try:
            self.process.wait(_TERM_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.belongings.remove()


def _drain(handle: int, capture: Capture) -> None:
    with contextlib.suppress(BlockingIOError, OSError):
        while capture.seen <= capture.limit:
            piece = os.read(handle, _PIECE)
            if not piece:
                return
            capture.data_received(piece)


def popen(start: Start) -> subprocess.Popen[bytes]:
    """Start it, in a session of its own with nothing inherited but what it names. Raises `OSError`."""
    try:
        return subprocess.Popen(
            start.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            env=dict(start.environment),
            pass_fds=start.handles,
            start_new_session=True,
            umask=0o077,
        )
    finally:
        for handle in start.close:
            os.close(handle)
