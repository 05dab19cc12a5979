"""How large and how deep a body may be, checked before anything parses it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Final

from leadline.service.asgi import Asgi, Message, Receive, Scope, Send, header
from leadline.service.problems import plain_problem, send_problem

MOST_BYTES: Final = 1 << 20
MOST_DEPTH: Final = 32
_BODIES: Final = frozenset({"POST", "PUT", "PATCH"})
MOST_CONTAINERS: Final = 100_000
_ALIKE: Final = bytes.maketrans(b"{}", b"[]")
_OTHERS: Final = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_LARGE: Final = 1 << 16


class BodyLimits:
    """Wraps an application that takes JSON: a body that is too large, too deep or no JSON is refused.

    `most` are bytes by path; other paths have `default`. The body is read whole, once, and handed
    on in one piece; what comes after it (the client went away) is handed on as well. With `empty`
    a request may have no body at all. Paths that fit `streamed` are left to the application.
    """

    def __init__(
        self,
        app: Asgi,
        *,
        most: Mapping[str, int] | None = None,
        default: int = MOST_BYTES,
        empty: bool = False,
        streamed: re.Pattern[str] | None = None,
    ) -> None:
        self._app = app
        self._most = dict(most or {})
        self._default = default
        self._empty = empty
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400, 413 or 415."""
        if scope["type"] != "http" or scope["method"] not in _BODIES or self._passes(scope):
            await self._app(scope, receive, send)
            return
        most = self._most.get(scope["path"], self._default)
        if header(scope, "content-type").partition(";")[0].strip().lower() != "application/json":
            await send_problem(scope, send, plain_problem(415, "unsupported_type", "send `application/json`"))
            return
        announced = header(scope, "content-length")
        if announced.isascii() and announced.isdigit() and int(announced) > most:
            await send_problem(scope, send, _too_large(most))
            return
        body = await _whole(receive, most)
        if body is None:
            return
        if len(body) > most:
            await send_problem(scope, send, _too_large(most))
        elif await _is_too_deep(body):
            deep = f"the body is nested deeper than {MOST_DEPTH} levels"
            await send_problem(scope, send, plain_problem(400, "too_deep", deep))
        else:
            await self._app(scope, _replay(body, receive), send)

    def _passes(self, scope: Scope) -> bool:
        if self._streamed is not None and self._streamed.fullmatch(scope["path"]):
            return True
        bare = not header(scope, "transfer-encoding") and header(scope, "content-length") in {"", "0"}
        return self._empty and bare


def too_deep(body: bytes, most: int) -> bool:
    """Whether JSON is nested deeper than `most` levels, or has more containers than anybody needs.

    In a few passes at the speed of memory, whatever the bytes are. What is no JSON may be judged
    either way: it is refused in the end.
    """
    if body.count(b"[") + body.count(b"{") <= most:
        return False
    # What is escaped goes first, so that every quotation mark that is left begins or ends a text.
    marks = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(_ALIKE, _OTHERS)
    brackets = b"".join(marks.split(b'"')[::2])
    if brackets.count(b"[") > MOST_CONTAINERS:
        return True
    for _ in range(most):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


async def _whole(receive: Receive, most: int) -> bytes | None:
    """Return the body, or its beginning once it is too large; `None` where the client went away."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > most or not message.get("more_body", False):
            return b"".join(parts)


async def _is_too_deep(body: bytes) -> bool:
    if len(body) < _LARGE:
        return too_deep(body, MOST_DEPTH)
    return await asyncio.to_thread(too_deep, body, MOST_DEPTH)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


def _too_large(most: int) -> dict[str, object]:
    return plain_problem(413, "too_large", f"the body is larger than {most} bytes")
