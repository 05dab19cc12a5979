"""An id for each request: the client's own where it is fit to be logged, else a random one."""

from __future__ import annotations

import re
import secrets
from typing import Final

from leadline.service.asgi import Asgi, Message, Receive, Scope, Send, header

REQUEST_ID: Final = "X-Request-Id"
_FIT: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_STATE: Final = "leadline.request_id"


class RequestIds:
    """Wraps an application: each request has an id, and its answer carries it."""

    def __init__(self, app: Asgi) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = header(scope, REQUEST_ID)
        id = given if _FIT.fullmatch(given) else secrets.token_hex(8)
        scope[_STATE] = id

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID.lower().encode(), id.encode())]
            await send(message)

        await self._app(scope, receive, sending)


def request_id(scope: Scope) -> str:
    """Return the id of a request, `-` where none was given."""
    return str(scope.get(_STATE, "-"))
