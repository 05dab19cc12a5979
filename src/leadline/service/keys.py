"""Who may ask a service: those with the shared key, compared in constant time, or this machine alone."""

from __future__ import annotations

import hmac
from typing import Final

from leadline.errors import SettingsError
from leadline.service.asgi import Asgi, Receive, Scope, Send, header
from leadline.service.problems import UNAUTHORIZED, plain_problem, send_problem
from leadline.wire.hosts import is_loopback, is_own_host

OPEN: Final = frozenset({"/healthz", "/readyz"})
"""Paths that anybody may ask: they tell nothing but whether the service is there."""


class SharedKey:
    """Wraps an application: without `Authorization: Bearer <key>` a request is refused.

    `besides` are paths that decide by themselves who may ask.
    """

    def __init__(self, app: Asgi, *, key: str, besides: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._key = key.encode()
        self._open = OPEN | besides

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] != "http" or scope["path"] in self._open or self._fits(header(scope, "authorization")):
            await self._app(scope, receive, send)
            return
        await send_problem(scope, send, plain_problem(401, UNAUTHORIZED, "the key is missing or wrong"))

    def _fits(self, given: str) -> bool:
        scheme, _, key = given.partition(" ")
        return hmac.compare_digest(key.strip().encode(), self._key) and scheme.lower() == "bearer"


class OwnHost:
    """Wraps an application without a key: a request by any other name than this machine's own is refused.

    A page in a browser may let its name resolve to this machine, and so reach what listens on
    loopback; its name stays in `Host`.
    """

    def __init__(self, app: Asgi) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421."""
        if scope["type"] != "http" or is_own_host(header(scope, "host")):
            await self._app(scope, receive, send)
            return
        told = "without a key this service answers to this machine's own names alone"
        await send_problem(scope, send, plain_problem(421, "wrong_host", told))


def check_host(host: str, *, has_key: bool, setting: str) -> None:
    """Refuse to listen to others without a key. Raises `SettingsError`; `setting` is where one is set."""
    if not has_key and not is_loopback(host):
        raise SettingsError(f"without a key only this machine is served, not {host}: set {setting}")
