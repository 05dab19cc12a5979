"""Run an application on a port until SIGTERM, then drain it: no new requests, those under way end.

After the first signal `/readyz` says that the service is leaving, for `notice` seconds in which it
still takes requests, so that a balancer can look away first. Then nothing new is taken, and what
is under way has `drain` seconds. A second signal ends at once.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from leadline.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from leadline.service.asgi import Asgi
    from leadline.service.server import Server

log = logging.getLogger("leadline.service")

LEAVING: Final = "service_leaving"
"""Name of the log line of the first signal."""

EXTRA: Final = "a service needs an extra: pip install 'leadline[server]'"
_UNHEARD_MS: Final = 60_000
"""Milliseconds after which a client that acknowledges nothing is gone (RFC 5482): nobody said goodbye."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@dataclass(slots=True)
class Leaving:
    """Whether this process is about to go: what `/readyz` answers by, and what waits for it."""

    now: bool = False
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self) -> None:
        """Leave from now on."""
        self.now = True
        self.told.set()

    async def wait(self) -> None:
        """Return once this process leaves."""
        await self.told.wait()


@dataclass(frozen=True, kw_only=True, slots=True)
class Listen:
    """Where and how to serve: seconds of `notice` and `drain`, requests at a time (`None`: any).

    `taken` is a socket that is bound already; `host` and `port` then only say to what.
    """

    host: str
    port: int
    notice: float = 0.0
    drain: float = 30.0
    at_once: int | None = None
    taken: socket.socket | None = None


async def serve(
    app: Asgi,
    listen: Listen,
    *,
    leaving: Leaving,
    started: Callable[[str, int], None],
    emptied: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """Serve until a signal, then drain. `started` gets the host and port that it listens on.

    `emptied` returns when an application that refuses what is new by itself has answered the rest:
    until then it is still asked. Raises `InputError` where the port cannot be had, `MissingExtra` without the extra.
    """
    try:
        from leadline.service.server import Server  # noqa: PLC0415 an extra
    except ModuleNotFoundError as error:
        raise MissingExtra(EXTRA) from error
    with bound(listen.host, listen.port) if listen.taken is None else nullcontext(listen.taken) as listener:
        host, port = listener.getsockname()[:2]
        server = Server(app, drain=listen.drain, at_once=listen.at_once, started=lambda: started(host, port))
        with _signals(server, leaving):
            async with asyncio.TaskGroup() as group:
                ending = group.create_task(_end(server, leaving, notice=listen.notice, emptied=emptied), name="drain")
                await server.serve([listener])
                ending.cancel()


async def _end(
    server: Server, leaving: Leaving, *, notice: float, emptied: Callable[[], Awaitable[object]] | None
) -> None:
    await leaving.wait()
    log.info(LEAVING)
    await asyncio.sleep(notice)
    if emptied is not None:
        await emptied()
    server.should_exit = True


@contextmanager
def _signals(server: Server, leaving: Leaving) -> Iterator[None]:
    """Take the signals of this process while it serves; only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def told() -> None:
        if leaving.now:
            server.should_exit = server.force_exit = True
        leaving.begin()

    for number in _SIGNALS:
        loop.add_signal_handler(number, told)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


_INSTEAD: Final[Mapping[int, str]] = MappingProxyType(
    {
        errno.EADDRINUSE: "; choose another port (`--port`), or 0 for a free one",
        errno.EACCES: "; ports below 1024 need a right: choose another one (`--port`)",
        errno.EADDRNOTAVAIL: "; name an address of this machine (`--host`)",
    }
)


@contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a listening socket; port 0 takes a free one. Raises `InputError`."""
    try:
        info: Any = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # The protocol is named, else asyncio leaves small answers to Nagle's delay of 40 ms.
        listener = socket.socket(info[0], socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise InputError(f"cannot listen on {host}: {error.strerror or error}") from error
    with listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # not on every system; connections inherit it
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD_MS)
            listener.bind(info[4])
        except OSError as error:
            raise InputError(
                f"cannot listen on {host}, port {port}: {error.strerror or error}{_INSTEAD.get(error.errno or 0, '')}"
            ) from error
        listener.setblocking(False)
        yield listener
