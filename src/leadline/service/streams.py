"""A run's events as a stream (server-sent events, WHATWG HTML 9.2): what was, then what comes.

`id:` is the event's number, so a client that comes back with `Last-Event-ID` goes on where it was,
at any process. Live text of a model has no id: it is shown where the run's own process streams,
and never again. A client that does not read is cut off; what it missed stands in the journal. So
is one whose key has ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from fastapi.responses import Response

from leadline import codec
from leadline.errors import AccessError, LeadlineError
from leadline.events import Progress, Record
from leadline.research.reporting.archive import line
from leadline.service.asgi import Message, Receive, Scope, Send
from leadline.service.door import Limited
from leadline.service.leaving import ClientGone
from leadline.service.server import ABORT
from leadline.service.serving import Leaving
from leadline.service.shown import record_shown
from leadline.service.tracing import request_id
from leadline.settings import ServiceSettings

log = logging.getLogger("leadline.service")

RETRY_MS: Final = 2_000
"""What a client waits before it comes back, in milliseconds."""

LEAVING_MS: Final = 250
"""The same where this process leaves: another one is there already."""

SLOW: Final = "stream_cut"
"""Name of the log line of a client that did not read."""

ENDED: Final = "stream_key_ended"
"""Name of the log line of a stream whose key is not accepted any more."""

BROKEN: Final = "stream_ended"
"""Name of the log line of a stream that ended because the journal could not be read."""

BEAT: Final = b": still here\n\n"
_RETRY_AFTER: Final = 5.0


class Streams:
    """How many streams a process holds, in all and for each key."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._most = settings.streams
        self._key_most = settings.key_streams
        self._held: Counter[str] = Counter()

    @property
    def held(self) -> int:
        """How many streams are open now."""
        return self._held.total()

    def check(self, key: str) -> None:
        """Raise `Limited` where one more is too many."""
        if self._held[key] >= self._key_most:
            raise Limited(
                "this key has as many streams open as it may have",
                status=429,
                code="key_streams",
                retry_after=_RETRY_AFTER,
            )
        if self.held >= self._most:
            raise Limited(
                "the service has as many streams open as it can hold",
                status=503,
                code="streams",
                retry_after=_RETRY_AFTER,
            )

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Count a stream of a key while the context is open."""
        self._held[key] += 1
        try:
            yield
        finally:
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """Seconds between two signs of life, and for which a client may not read."""

    heartbeat: float
    slow: float


class EventStream(Response):
    """An answer that goes on until the run ended, the client went, or the process leaves.

    `check` raises `AccessError` where the client may not read on; it is asked before each piece.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        items: Callable[[], AsyncGenerator[Record | Progress]],
        *,
        patience: Patience,
        leaving: Leaving,
        hold: Callable[[], AbstractContextManager[None]],
        check: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._items = items
        self._patience = patience
        self._leaving = leaving
        self._hold = hold
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            with self._hold():
                async with asyncio.TaskGroup() as group:
                    watching = group.create_task(_watch(receive), name="watch for the client")
                    await self._written(scope, send, group)
                    watching.cancel()
        except* ClientGone:
            pass  # it may come back

    async def _written(self, scope: Scope, send: Send, group: asyncio.TaskGroup) -> None:
        """Send all of it, or cut the connection of a client that does not read."""
        try:
            await self._sent(send, {"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._told(send, b"retry: %d\n\n" % RETRY_MS)
            try:
                async with aclosing(self._items()) as items:
                    await self._events(send, _Waiting(group, items, self._leaving))
            except AccessError:
                log.info(ENDED, extra={"request": request_id(scope)})
            if self._leaving.now:
                await self._told(send, b"retry: %d\n\n" % LEAVING_MS)
            await self._sent(send, {"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            log.info(SLOW, extra={"request": request_id(scope)})
            abort = scope.get(ABORT)
            if abort is not None:
                abort()

    async def _events(self, send: Send, waiting: _Waiting) -> None:
        try:
            while (chunk := await waiting.chunk(self._patience.heartbeat)) is not None:
                await self._check()
                await self._told(send, chunk)
        finally:
            await waiting.end()

    async def _told(self, send: Send, chunk: bytes) -> None:
        await self._sent(send, {"type": "http.response.body", "body": chunk, "more_body": True})

    async def _sent(self, send: Send, message: Message) -> None:
        async with asyncio.timeout(self._patience.slow):
            await send(message)


class _Waiting:
    """Waits for the next event without losing it: a sign of life does not interrupt the wait."""

    def __init__(self, group: asyncio.TaskGroup, items: AsyncGenerator[Record | Progress], leaving: Leaving) -> None:
        self._group = group
        self._items = items
        self._leaving = group.create_task(leaving.wait(), name="stream leaving")
        self._next: asyncio.Task[Record | Progress | None] | None = None

    async def chunk(self, seconds: float) -> bytes | None:
        """Return the next event, or after so many seconds a sign of life; `None` at the end."""
        if self._next is None:
            self._next = self._group.create_task(_next(self._items), name="stream next")
        waits: set[asyncio.Task[Any]] = {self._next, self._leaving}
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if self._next.done():
            item, self._next = self._next.result(), None
            return None if item is None else chunk_of(item)
        return None if self._leaving.done() else BEAT

    async def end(self) -> None:
        """Leave nothing behind."""
        self._leaving.cancel()
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait({self._next})


def chunk_of(item: Record | Progress) -> bytes:
    """Return an event as it stands in a stream; JSON holds no line break, so that it is one line of data."""
    if isinstance(item, Progress):
        return b"event: progress\ndata: %b\n\n" % codec.encode(item)
    told = line(record_shown(item))
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (item.seq, item.event.type.encode(), told)


async def _next(items: AsyncGenerator[Record | Progress]) -> Record | Progress | None:
    """Return the next event, `None` after the last, and where no more can be read now: the client comes back."""
    try:
        return await anext(items, None)
    except LeadlineError as error:
        log.warning(BROKEN, extra={"code": error.code, "reason": str(error)})
        return None


async def _watch(receive: Receive) -> NoReturn:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise ClientGone
