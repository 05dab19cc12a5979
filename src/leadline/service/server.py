"""uvicorn without its own ways with signals and logs; needs the extra `server`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from leadline.service.asgi import Asgi, Receive, Scope, Send, answer

ABORT: Final = "leadline.abort"
"""Where a request's scope holds what cuts its connection at once, without waiting for who does not read."""

_BACKLOG = 2_048
# A client that is slow with its headers, or keeps an idle connection, is not waited for.
_IDLE_SECONDS = 30
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


class Protocol(H11Protocol):
    """HTTP/1.1 whose requests may cut their connection; one whose next request begins late is closed.

    uvicorn itself waits for headers without end. h11 bounds their bytes, as uvicorn's other parser does not.
    """

    _timer: asyncio.Handle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself
        """Begin to wait for the first request."""
        super().connection_made(transport)
        inner = cast("Asgi", self.app)

        async def begun(scope: Scope, receive: Receive, send: Send) -> None:
            self._stop()
            if {name for name, _ in scope["headers"]} >= _FRAMING:
                await _refuse_framing(send)
                return
            scope[ABORT] = transport.abort
            await inner(scope, receive, send)

        self.app = cast("Any", begun)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._wait()
        super().on_response_complete()

    def _wait(self) -> None:
        self._stop()
        self._timer = asyncio.get_running_loop().call_later(self.config.timeout_keep_alive, self._late)

    def _late(self) -> None:
        # A request that came in this very moment begins first, and stops this.
        self._timer = asyncio.get_running_loop().call_soon(self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


async def _refuse_framing(send: Send) -> None:
    """Answer and close: two who read such a request may see different ends of it (RFC 9112, section 6.1)."""
    await answer(send, status=400, body=b"", headers=[(b"connection", b"close")])


class Server(uvicorn.Server):
    """A server that leaves signals to its caller and tells when it takes requests."""

    def __init__(self, app: Asgi, *, drain: float, at_once: int | None, started: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            http=Protocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=at_once,
            backlog=_BACKLOG,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=max(1, round(drain)),
            ws="none",
        )
        super().__init__(config)
        self._tell = started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        self._tell()
