"""uvicorn without its own ways with signals and logs; needs the extra `server`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from leadline.service.asgi import Asgi, Receive, Scope, Send

ABORT: Final = "leadline.abort"
"""Where a request's scope holds what cuts its connection at once, without waiting for who does not read."""

_BACKLOG = 2_048
# A client that is slow with its headers, or keeps an idle connection, is not waited for.
_IDLE_SECONDS = 30


class Protocol(H11Protocol):
    """HTTP/1.1 whose requests may cut their connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself
        """Give the connection's requests their means to cut it."""
        super().connection_made(transport)
        inner = cast("Asgi", self.app)

        async def cutting(scope: Scope, receive: Receive, send: Send) -> None:
            scope[ABORT] = transport.abort
            await inner(scope, receive, send)

        self.app = cast("Any", cutting)


class Server(uvicorn.Server):
    """A server that leaves signals to its caller and tells when it takes requests."""

    def __init__(
        self, app: Asgi, *, drain: float, at_once: int | None, started: Callable[[], None], cuts: bool = True
    ) -> None:
        config = uvicorn.Config(
            app,
            http=Protocol if cuts else "auto",
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
