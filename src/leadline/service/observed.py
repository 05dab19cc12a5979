"""Each request as a signal, once it was answered: for metrics, the access log and traces."""

from __future__ import annotations

import secrets
import time
from typing import Final

from leadline.ports.correlation import TRACEPARENT, Ids, begun, belonging, parse_traceparent
from leadline.ports.signals import HttpAnswered, Signals
from leadline.resilience import Monotonic
from leadline.service.asgi import Asgi, Message, Receive, Scope, Send, header
from leadline.service.tracing import request_id

UNMATCHED: Final = "unmatched"
"""The route of a request that no route takes: its path would be a series of its own."""

GONE: Final = 499
"""The status of a request whose client went away before it was answered."""


class Observed:
    """Wraps an application, inside of `RequestIds`: its work belongs to the request and its trace.

    Of the traces that begin here the share `traced` is recorded; of others, what who asked decided.
    """

    def __init__(
        self, app: Asgi, signals: Signals, *, traced: float = 0.0, monotonic: Monotonic = time.monotonic
    ) -> None:
        self._app = app
        self._signals = signals
        self._traced = traced
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and tell how it was answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = self._monotonic(), GONE
        parent = parse_traceparent(header(scope, TRACEPARENT))
        trace = begun(parent, secrets.token_hex(16), span=secrets.token_hex(8), share=self._traced)

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with belonging(Ids(request=request_id(scope), trace=trace)):
                await self._app(scope, receive, sending)
        finally:
            client = scope.get("client")
            self._signals.signal(
                HttpAnswered(
                    method=scope["method"],
                    route=_route(scope),
                    status=status,
                    seconds=self._monotonic() - began,
                    request=request_id(scope),
                    client=client[0] if client else "",
                    trace=trace,
                    parent=parent.span if parent is not None else "",
                )
            )


def _route(scope: Scope) -> str:
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else UNMATCHED
