"""Headers that keep browsers from making more of an answer than it is; a route's own go before them."""

from __future__ import annotations

from typing import Final

from leadline.service.asgi import Asgi, Message, Receive, Scope, Send

SAFE: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


class SafeHeaders:
    """Wraps an application."""

    def __init__(self, app: Asgi) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add what its answer lacks."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                names = {name.lower() for name, _ in given}
                message["headers"] = [*given, *(pair for pair in SAFE if pair[0] not in names)]
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)
