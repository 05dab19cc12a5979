"""The little of ASGI 3 and of OpenAI's error shape that the gateway needs.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from typing import Any, Final, TypeAlias

from leadline.codec import encode
from leadline.errors import (
    ContextOverflow,
    ModelDenied,
    ModelError,
    ModelRateLimited,
    ModelTimeout,
    ModelUnavailable,
)

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]

JSON_TYPE: Final = (b"content-type", b"application/json")


class ClientLeft(Exception):
    """The client closed its connection."""


class TooMuch(Exception):
    """The request's body is larger than allowed."""


class Refusal(Exception):
    """What a client is told instead of an answer: an HTTP status and an error of OpenAI's shape."""

    def __init__(self, status: int, message: str, *, code: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after

    def body(self) -> bytes:
        """Return the error as JSON."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return encode({"error": {"message": str(self), "type": kind, "param": None, "code": self.code}})

    def headers(self) -> list[Header]:
        """Return the headers that go with it."""
        headers: list[Header] = [JSON_TYPE]
        if self.retry_after is not None:
            headers.append((b"retry-after", str(math.ceil(self.retry_after)).encode()))
        if self.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        return headers


def refusal_of(error: ModelError) -> Refusal:
    """Return what a client is told of an error at the servers: no address, nothing internal."""
    if isinstance(error, ModelRateLimited):
        return Refusal(429, "the model servers are full", code=error.code, retry_after=error.retry_after or 1.0)
    if isinstance(error, ModelUnavailable):
        return Refusal(503, "no model server is in service", code=error.code, retry_after=error.retry_after or 1.0)
    if isinstance(error, ModelTimeout):
        return Refusal(504, "the model server did not answer in time", code=error.code)
    if isinstance(error, ContextOverflow):
        return Refusal(400, "the request is longer than the model's window", code="context_length_exceeded")
    if isinstance(error, ModelDenied):
        return Refusal(502, "the model servers do not accept the request", code=error.code)
    return Refusal(502, "the model server broke off its answer", code=error.code)


async def read_body(receive: Receive, *, limit: int) -> bytes:
    """Return a request's body. Raises `TooMuch`, `ClientLeft`."""
    event = await receive()
    if event["type"] == "http.disconnect":
        raise ClientLeft
    body: bytes = event.get("body", b"")
    if not event.get("more_body"):
        if len(body) > limit:
            raise TooMuch
        return body
    parts, size = [body], len(body)
    while event.get("more_body"):
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientLeft
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise TooMuch
    return b"".join(parts)


async def unless_left(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do `work`, and cancel it when the client leaves. Raises `ClientLeft` then."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        raise ClientLeft

    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch(), name="gateway/client")
            try:
                await work
            finally:
                watching.cancel()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors


async def respond(send: Send, body: bytes, *, status: int = 200, headers: Iterable[Header] = (JSON_TYPE,)) -> None:
    """Send a whole response."""
    fields = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def header(scope: Scope, name: bytes) -> str:
    """Return a request's header, empty where there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return ""
