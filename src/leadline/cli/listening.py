"""An ASGI application on a socket until it is stopped: first emptied, then closed."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from leadline.errors import MissingExtra, SettingsError

_BACKLOG: Final = 2048


async def listen(
    app: Callable[..., Awaitable[None]],
    *,
    host: str,
    port: int,
    drain: Callable[[], Awaitable[Any]],
    listens: Callable[[str], None],
) -> None:
    """Serve `app` until SIGTERM or SIGINT; `listens` is told the base URL once it can be called.

    The first signal calls `drain`, during which the application still answers; the second one ends
    what is left. Raises `SettingsError` for an address that cannot be listened on, `MissingExtra`.
    """
    try:
        import uvicorn  # noqa: PLC0415 an extra
    except ImportError as error:
        raise MissingExtra("serving needs an extra: pip install 'leadline[server]'") from error

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Leave signals to `listen`, which empties the application before it closes."""
            yield

    taken = _socket(host, port)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=1)
    server = Server(config)
    asked, at_once = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (at_once if asked.is_set() else asked).set()

    async def emptied() -> None:
        await asked.wait()
        await drain()
        at_once.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve(sockets=[taken]), name="serve")
            serving.add_done_callback(lambda _task: at_once.set())
            emptying = group.create_task(emptied(), name="drain")
            listens(_url(taken))
            await at_once.wait()
            emptying.cancel()
            server.should_exit = True
            await serving
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        taken.close()


def _socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        taken = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    taken.setblocking(False)
    return taken


def _url(taken: socket.socket) -> str:
    host, port = taken.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
