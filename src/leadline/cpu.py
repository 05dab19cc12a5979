"""`Cpu`: pure work beside the event loop, in a fixed number of child processes.

Children are plain interpreters that talk over a pair of pipes, not `multiprocessing`'s: a child
never imports the user's `__main__` (a script without a guard would start again in each), gets no
environment and thus no key, and ends with its parent whatever way that ends.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from types import TracebackType
from typing import Any, Self, TypeVar

from leadline.errors import WorkDied

T = TypeVar("T")

SMALL = 8_000
"""Characters up to which work runs in place: sentence cutting and ranking go through some 2 to 4
million characters a second, so that this many take less than 5 ms."""

_TRIES = 2
_BOOT = "import sys; sys.path[:] = {path!r}; from leadline.cpu import serve; serve({handle})"


class InlineCpu:
    """`Cpu` without processes: everything runs in place; for tests, replay and small machines."""

    async def run(self, function: Callable[..., T], /, *arguments: object, size: int = 0) -> T:
        """See `Cpu`."""
        return await _in_place(function, arguments)


async def _in_place(function: Callable[..., T], arguments: tuple[object, ...]) -> T:
    """Do it here; with a `TextReader` among the arguments in a thread, for it reads files."""
    if any(hasattr(argument, "read") for argument in arguments):
        return await asyncio.to_thread(function, *arguments)
    return function(*arguments)


@dataclass(slots=True, eq=False)
class _Work:
    """A call under way; `worker` holds it while it is being done."""

    function: Callable[..., Any]
    arguments: tuple[object, ...]
    worker: _Worker | None = None
    abandoned: bool = False
    # Held so that `abandon` kills the worker of this work and never one that went on to another.
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, worker: _Worker) -> bool:
        """Take a worker; return false where nobody waits for the result any more."""
        with self.lock:
            self.worker = worker
            return not self.abandoned

    def end(self) -> bool:
        """Let the worker go; return whether it is fit for other work."""
        with self.lock:
            self.worker = None
            return not self.abandoned

    def abandon(self) -> None:
        """Stop it: nobody waits for its result any more."""
        with self.lock:
            self.abandoned = True
            if self.worker is not None:
                self.worker.kill()


class ProcessCpu:
    """`Cpu` over at most `workers` child processes, each started when it is first needed.

    Work whose `size` is up to `small` characters runs in place. One pool serves a process tree:
    functions that run in a child get no `Cpu`. A cancelled call's worker is killed, so that its
    place is free at once. Use it as an asynchronous context or `close` it.
    """

    def __init__(self, workers: int, *, small: int = SMALL) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1: {workers}")
        self._small = small
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="leadline-cpu")
        self._lock = threading.Lock()  # guards `_idle`, `_all` and `_closed`
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def run(self, function: Callable[..., T], /, *arguments: object, size: int = 0) -> T:
        """See `Cpu`. Raises `WorkDied` where a worker died of the work twice."""
        if size <= self._small:
            return await _in_place(function, arguments)
        work = _Work(function, arguments)
        try:
            result: T = await asyncio.get_running_loop().run_in_executor(self._threads, partial(self._do, work))
        except asyncio.CancelledError:
            work.abandon()
            raise
        return result

    async def close(self) -> None:
        """Kill the children; what they were doing fails."""
        await asyncio.get_running_loop().run_in_executor(None, self._end)

    def _end(self) -> None:
        with self._lock:
            self._closed = True
            workers = list(self._all)
        for worker in workers:
            worker.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in workers:
            worker.reap()

    def _do(self, work: _Work) -> Any:  # noqa: ANN401 whatever the function returns
        request = bytes(ForkingPickler.dumps((work.function, work.arguments)))
        for _ in range(_TRIES):
            reply = self._attempt(work, request)
            if reply is not None:
                done, value = ForkingPickler.loads(reply)
                if done:
                    return value
                raise value
            if work.abandoned:
                break
        raise WorkDied(
            f"a worker process died of `{work.function.__module__}.{work.function.__qualname__}`"
            f" {_TRIES} times; it may need more memory than there is"
        )

    def _attempt(self, work: _Work, request: bytes) -> bytes | None:
        """Return a worker's reply, or `None` where it died."""
        worker = self._take()
        if not work.begin(worker):
            self._give_back(worker)
            return None
        try:
            reply = worker.call(request)
        except (EOFError, OSError):
            reply = None
        if work.end() and reply is not None:
            self._give_back(worker)
        else:
            self._discard(worker)
        return reply

    def _take(self) -> _Worker:
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                worker = _Worker()
            with self._lock:
                self._all.add(worker)
                closed = self._closed
            if not closed and worker.alive():
                return worker
            self._discard(worker)
            if closed:
                raise WorkDied("the worker processes are closed")

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            self._idle.append(worker)

    def _discard(self, worker: _Worker) -> None:
        with self._lock:
            self._all.discard(worker)
        worker.kill()
        worker.reap()


class _Worker:
    """A child process and our end of its pipe; used by one thread at a time, but for `kill`."""

    def __init__(self) -> None:
        self._pipe, theirs = Pipe()
        with theirs:
            boot = _BOOT.format(path=sys.path, handle=theirs.fileno())
            # Its own process group: Ctrl-C is for the parent to judge.
            self._process = subprocess.Popen(
                [sys.executable, "-c", boot],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PYTHONUTF8": "1"},
                pass_fds=[theirs.fileno()],
                process_group=0,
            )

    def alive(self) -> bool:
        """Return whether the child has not ended."""
        return self._process.poll() is None

    def call(self, request: bytes) -> bytes:
        """Return the child's reply. Raises `EOFError` or `OSError` where it died."""
        self._pipe.send_bytes(request)
        return self._pipe.recv_bytes()

    def kill(self) -> None:
        """End the child; whoever waits for its reply gets `EOFError`."""
        self._process.kill()

    def reap(self) -> None:
        """Forget the killed child."""
        self._pipe.close()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def serve(handle: int) -> None:
    """Be a child: do what comes over the pipe until it closes; end when the parent does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with Connection(handle) as pipe:
        while True:
            try:
                request = pipe.recv_bytes()
            except EOFError:
                return
            pipe.send_bytes(_answer(request))


def _end_with_parent() -> None:
    """Wait for the end of standard input, whose other end only the parent holds."""
    sys.stdin.buffer.read()
    os._exit(0)


def _answer(request: bytes) -> bytes:
    """Return the pickled pair: whether the function returned, and its result or error."""
    try:
        function, arguments = ForkingPickler.loads(request)
        return bytes(ForkingPickler.dumps((True, function(*arguments))))
    except Exception as error:  # noqa: BLE001 the border of a process: raised again in the parent
        return _packed(error)


def _packed(error: Exception) -> bytes:
    """Pickle an error; one that cannot travel is told in words."""
    try:
        packed = bytes(ForkingPickler.dumps((False, error)))
        ForkingPickler.loads(packed)
    except Exception:  # noqa: BLE001 a foreign class may raise anything when it is pickled
        words = RuntimeError(f"{type(error).__name__}: {error}")
        packed = bytes(ForkingPickler.dumps((False, words)))
    return packed
