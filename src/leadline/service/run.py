"""Run the service in this process, from settings to the end of its drain."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from typing import TypeAlias

from leadline.errors import MissingExtra
from leadline.ports import Observer
from leadline.service.keys import check_host
from leadline.service.serving import EXTRA, Leaving, Listen, serve
from leadline.settings import Settings
from leadline.wire.hosts import is_loopback
from leadline.wiring.accounts import has_keys, open_accounts
from leadline.wiring.telemetry import Telemetry

Following: TypeAlias = Callable[[Callable[[Settings], None]], AbstractAsyncContextManager[None]]
"""Opens what has the settings read again while it is open, and hands them on."""


async def run_service(
    settings: Settings,
    listen: Listen,
    *,
    started: Callable[[str], None],
    taken: socket.socket | None = None,
    observers: Sequence[Observer] = (),
    telemetry: Telemetry | None = None,
    following: Following | None = None,
) -> None:
    """Serve until a signal. `started` gets the address once requests are taken.

    `taken` is a socket that listens already, where a parent holds it; then the end of this
    process's standard input, that of the parent, is a signal to go as well. Raises `SettingsError`
    for what cannot work or must not (no key, yet others may ask), `StoreError`, `InputError` where
    the port cannot be had. The model servers of settings that `following` hands on are taken.
    """
    try:
        from leadline.service.app import create_app, wrapped  # noqa: PLC0415 an extra
    except ModuleNotFoundError as error:
        raise MissingExtra(EXTRA) from error
    await check_keys(settings, listen.host)
    leaving = Leaving()
    local = is_loopback(listen.host)
    api = create_app(settings, leaving=leaving, local=local, observers=observers, telemetry=telemetry)

    def tell(host: str, port: int) -> None:
        started(url_of(host, port))

    def follow(again: Settings) -> None:
        api.state.services.platform.models.follow(again)

    followed = nullcontext() if following is None else following(follow)
    async with api.router.lifespan_context(api), followed, _parent(leaving, watched=taken is not None):
        await serve(wrapped(api, telemetry=telemetry), replace(listen, taken=taken), leaving=leaving, started=tell)


async def check_keys(settings: Settings, host: str) -> None:
    """Refuse to listen to other machines before there is a key. Raises `SettingsError`."""
    if is_loopback(host) or settings.auth.jwt_issuer is not None:
        return
    async with open_accounts(settings) as accounts:
        made = await has_keys(accounts)
    check_host(host, has_key=made, setting="one with `leadline keys create`")


def url_of(host: str, port: int) -> str:
    """Return the address of a service."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@asynccontextmanager
async def _parent(leaving: Leaving, *, watched: bool) -> AsyncIterator[None]:
    """Leave when the parent has gone: it holds the other end of standard input."""
    if not watched:
        yield
        return
    loop = asyncio.get_running_loop()

    def gone() -> None:
        if not os.read(sys.stdin.fileno(), 1):
            loop.remove_reader(sys.stdin)
            leaving.begin()

    loop.add_reader(sys.stdin, gone)
    try:
        yield
    finally:
        loop.remove_reader(sys.stdin)
