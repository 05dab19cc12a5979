"""A pool of killable processes that turn hostile bytes into text.

Each child serves one document at a time under caps on time, memory, CPU and open files. A child
that runs too long is killed; one that crashes costs only its document. Children start with an empty
environment, inherit nothing but two pipes, dump no core and may not write files.
They are not confined otherwise: a parser that is taken over can still read what this user can.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple, Self

from leadline.errors import BrokenDocument, ExtractError, ExtractTimeout, TooLarge
from leadline.extract import frames
from leadline.extract.builder import called
from leadline.extract.types import Extracted, Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_PACKAGE_ROOT: Final = str(Path(__file__).resolve().parents[2])
_BOOTSTRAP: Final = (
    "import sys; sys.path.append(sys.argv[1]); from leadline.extract.child import main; sys.exit(main())"
)
_ENVIRONMENT: Final = {"PATH": os.defpath, "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}
_START_SECONDS: Final = 30.0
_INLINE: Final = 1 << 16
_PIECE: Final = 1 << 20
_UTF8_MOST: Final = 4  # bytes a code point


class ExtractPool:
    """Extracts documents in child processes; use as `async with ExtractPool(...) as pool`.

    workers: documents read at the same time. limits: what each may cost. recycle_after: documents
    after which a child is replaced, so that leaks of parsers stay bounded. Children start when
    first needed; leaving the block kills them.
    """

    def __init__(
        self,
        *,
        workers: int = 2,
        limits: Limits | None = None,
        recycle_after: int = 500,
    ) -> None:
        if workers < 1 or recycle_after < 1:
            msg = f"`workers` and `recycle_after` must be at least 1: {workers}, {recycle_after}"
            raise ValueError(msg)
        self._workers = workers
        self._limits = limits or Limits()
        self._limits_sent = frames.limits_to(self._limits)
        self._recycle_after = recycle_after
        self._slots = asyncio.Semaphore(workers)
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Kill all children, those at work included, and wait until they are gone."""
        self._closed = True
        children = [*self._idle, *self._busy]
        self._idle.clear()
        for child in children:
            child.kill()
        for child in children:
            await child.gone()

    async def extract(
        self,
        source: bytes | Path,
        *,
        name: str | None = None,
        declared: str | None = None,
        password: str | None = None,
    ) -> Extracted:
        """Extract bytes, or a file that the child reads itself.

        source: a path must be absolute, and no symbolic link. name: file name or URL, by default the
        path. Raises an `ExtractError` that names the document; cancelling kills the child at work.
        """
        path = source if isinstance(source, Path) else None
        if path is not None and not path.is_absolute():
            msg = f"a path to extract must be absolute: `{path}`"
            raise ValueError(msg)
        name = name if name is not None or path is None else str(path)
        body = source if isinstance(source, bytes) else b""
        if len(body) > self._limits.bytes:
            msg = f"{called(name)} has {len(body)} bytes; at most {self._limits.bytes} are read"
            raise TooLarge(msg)
        header = {
            "path": str(path) if path is not None else None,
            "name": name,
            "declared": declared,
            "password": password,
            "limits": self._limits_sent,
        }
        async with self._slots, self._child() as child:
            result = await self._ask(child, frames.pack(header, body), body, name=name)
        if isinstance(result, ExtractError):
            raise result
        return result

    @asynccontextmanager
    async def _child(self) -> AsyncIterator[_Child]:
        """Lend a child; it goes back only if it can serve another document."""
        if self._closed:
            msg = "the extraction pool is closed"
            raise ExtractError(msg)
        child = await self._living() or await _Child.start()
        self._busy.add(child)
        try:
            yield child
        except BaseException:
            child.kill()
            raise
        finally:
            self._busy.discard(child)
            await self._give_back(child)

    async def _living(self) -> _Child | None:
        """Take an idle child; one that has died in the meantime must not cost a document."""
        while self._idle:
            child = self._idle.pop()
            if not child.has_ended:
                return child
            child.kill()
            await child.gone()
        return None

    async def _give_back(self, child: _Child) -> None:
        if child.alive and not self._closed and child.served < self._recycle_after:
            self._idle.append(child)
            return
        child.kill()
        await child.gone()

    async def _ask(self, child: _Child, head: bytes, body: bytes, *, name: str | None) -> Extracted | ExtractError:
        """Put one document to a child; whatever happens becomes a result or an `ExtractError`."""
        try:
            async with asyncio.timeout(self._limits.seconds):
                header, text = await child.exchange(head, body, most=self._limits.chars * _UTF8_MOST)
            if len(header) + len(text) <= _INLINE:
                result = frames.read_reply(header, text)
            else:
                result = await asyncio.to_thread(frames.read_reply, header, text)
            if isinstance(result, TooLarge):
                child.kill()  # it may have met its memory cap, and not come back from it sound
            return result
        except TimeoutError:
            child.kill()
            return ExtractTimeout(f"{called(name)} took longer than {self._limits.seconds:g} s to read")
        except frames.BadReply as error:
            child.kill()
            return BrokenDocument(f"{called(name)} made its parser misbehave: {error}")
        except (asyncio.IncompleteReadError, ConnectionError):
            child.kill()
            return _death(await child.gone(), name, self._limits)


class _Child:
    """One child process and its two pipes."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        *,
        writer: asyncio.StreamWriter,
        replies: asyncio.ReadTransport,
    ) -> None:
        self.served = 0
        self.alive = True
        self._process = process
        self._reader = reader
        self._writer = writer
        self._replies = replies

    @property
    def has_ended(self) -> bool:
        """Whether the process closed its side, as it does when it dies."""
        return not self.alive or self._reader.at_eof()

    @classmethod
    async def start(cls) -> _Child:
        """Start a process and wait until it has loaded what it needs."""
        loop = asyncio.get_running_loop()
        spawned = await _spawned(loop)
        reader = asyncio.StreamReader()
        try:
            replies, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), spawned.from_child)
            requests, flow = await loop.connect_write_pipe(
                lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), spawned.to_child
            )
        except BaseException:
            _discard(spawned)
            raise
        writer = asyncio.StreamWriter(requests, flow, None, loop)
        child = cls(spawned.process, reader, writer=writer, replies=replies)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await child.receive(most=0)
        except (TimeoutError, asyncio.IncompleteReadError, frames.BadReply) as error:
            child.kill()
            code = await child.gone()
            msg = f"an extraction process could not be started: {type(error).__name__}, exit status {code}"
            raise ExtractError(msg) from error
        except BaseException:
            child.kill()
            await child.gone()
            raise
        return child

    async def exchange(self, head: bytes, body: bytes, *, most: int) -> tuple[bytes, bytes]:
        """Send one request and return header and body of the reply."""
        self.served += 1
        self._writer.write(head)
        for start in range(0, len(body), _PIECE):
            self._writer.write(memoryview(body)[start : start + _PIECE])
            await self._writer.drain()
        return await self.receive(most=most)

    async def receive(self, *, most: int) -> tuple[bytes, bytes]:
        """Read one frame whose body has at most `most` bytes."""
        header_length, body_length = frames.PREFIX.unpack(await self._reader.readexactly(frames.PREFIX.size))
        if header_length > frames.MAX_HEADER or body_length > most:
            msg = f"a reply of {header_length} and {body_length} bytes"
            raise frames.BadReply(msg)
        return await self._read(header_length), await self._read(body_length)

    async def _read(self, length: int) -> bytes:
        """Read in pieces: one large copy would hold up the event loop."""
        if length <= _PIECE:
            return await self._reader.readexactly(length)
        pieces: list[bytes] = []
        while length:
            piece = await self._reader.readexactly(min(length, _PIECE))
            pieces.append(piece)
            length -= len(piece)
        return await asyncio.to_thread(b"".join, pieces)

    def kill(self) -> None:
        """End the process at once; `gone` waits for it. A second call does nothing."""
        if not self.alive:
            return
        self.alive = False
        self._process.kill()
        if not self._writer.transport.is_closing():
            self._writer.transport.abort()
        self._replies.close()

    async def gone(self) -> int:
        """Wait for the end of a killed process; returns its status, negative for a signal."""
        status = self._process.poll()
        return status if status is not None else await asyncio.to_thread(self._process.wait)


class _Spawned(NamedTuple):
    process: subprocess.Popen[bytes]
    to_child: IO[bytes]
    from_child: IO[bytes]


def _spawn() -> _Spawned:
    """Start an interpreter with two plain pipes as its only way to the world."""
    child_in, to_child = os.pipe()
    from_child, child_out = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _BOOTSTRAP, _PACKAGE_ROOT],
            stdin=child_in,
            stdout=child_out,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_ENVIRONMENT,
            start_new_session=True,
        )
    except BaseException:
        os.close(to_child)
        os.close(from_child)
        raise
    finally:
        os.close(child_in)
        os.close(child_out)
    return _Spawned(
        process,
        os.fdopen(to_child, "wb", buffering=0),
        os.fdopen(from_child, "rb", buffering=0),
    )


async def _spawned(loop: asyncio.AbstractEventLoop) -> _Spawned:
    """Start one beside the loop; who is cancelled meanwhile waits for these milliseconds, and leaves none behind."""
    starting = loop.run_in_executor(None, _spawn)
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting])
        if starting.exception() is None:
            _discard(starting.result())
        raise


def _discard(spawned: _Spawned) -> None:
    """End a process whose user was cancelled before it could be used."""
    spawned.process.kill()
    spawned.to_child.close()
    spawned.from_child.close()
    spawned.process.wait()


def _death(status: int, name: str | None, limits: Limits) -> ExtractError:
    """Explain the end of a child in terms of its document."""
    if status == -signal.SIGXCPU:
        return ExtractTimeout(f"{called(name)} took more than {limits.seconds:g} s of processor time")
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
    return BrokenDocument(f"{called(name)} made its parser crash ({how})")
