"""How large and how deep a body may be, checked before anything parses it."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from leadline.service.asgi import Asgi, Message, Receive, Scope, Send, header
from leadline.service.problems import plain_problem, send_problem

MOST_BYTES: Final = 1 << 20
MOST_DEPTH: Final = 32
FROM_ANYBODY: Final = 1 << 16
"""Bytes of a body that are read of whoever has not shown who that is."""

LARGE_AT_ONCE: Final = 4
"""Bodies above `MOST_BYTES` that a tenant may have here at a time: they lie in memory."""

PATIENCE: Final = 30.0
"""Seconds for which the next piece of a body is waited for."""

_BODIES: Final = frozenset({"POST", "PUT", "PATCH"})
MOST_CONTAINERS: Final = 100_000
_ALIKE: Final = bytes.maketrans(b"{}", b"[]")
_OTHERS: Final = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_LARGE: Final = 1 << 16


Whose: TypeAlias = Callable[[Scope], Awaitable[str | Asgi]]
"""Returns the tenant whose request it is, or the answer that refuses it."""


class _Refused(Exception):
    """A body is not taken; `answer` says why."""

    def __init__(self, answer: Asgi) -> None:
        super().__init__()
        self.answer = answer


class _Gone(Exception):
    """The client went away before all of its body had come."""


class BodyLimits:
    """Wraps an application that takes JSON: a body that is too large, too deep or no JSON is refused.

    `most` are bytes by path; other paths have `default`. The body is read whole, once, and handed
    on in one piece; what comes after it (the client went away) is handed on as well. With `empty`
    a request may have no body at all. Paths that fit `streamed` are left to the application. With
    `whose`, more than `FROM_ANYBODY` is read only of those whom it knows, and of a tenant's large
    bodies a few at a time. Who sends nothing for `patience` seconds is not waited for.
    """

    def __init__(
        self,
        app: Asgi,
        *,
        most: Mapping[str, int] | None = None,
        default: int = MOST_BYTES,
        empty: bool = False,
        streamed: re.Pattern[str] | None = None,
        whose: Whose | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._app = app
        self._most = dict(most or {})
        self._default = default
        self._empty = empty
        self._streamed = streamed
        self._whose = whose
        self._patience = patience
        self._large: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400, 408, 413, 415 or 429, or what `whose` refuses with."""
        if scope["type"] != "http" or scope["method"] not in _BODIES or self._passes(scope):
            await self._app(scope, receive, send)
            return
        try:
            await self._read(scope, receive, send)
        except _Refused as refused:
            await refused.answer(scope, receive, send)
        except _Gone:
            return

    async def _read(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body as far as it may go, and pass the request on. Raises `_Refused`, `_Gone`."""
        most = self._most.get(scope["path"], self._default)
        if header(scope, "content-type").partition(";")[0].strip().lower() != "application/json":
            raise _refusal(415, "unsupported_type", "send `application/json`")
        announced = header(scope, "content-length")
        size = int(announced) if announced.isascii() and announced.isdigit() else None
        if size is not None and size > most:
            raise _too_large(most)
        body = _Body(receive, self._patience)
        if self._whose is None:
            await body.read(most)
        elif size is None or size <= FROM_ANYBODY:
            await body.read(min(most, FROM_ANYBODY))
        if body.whole or self._whose is None:
            await self._pass_on(body, most)(scope, receive, send)
            return
        large = most > self._default and (size is None or size > self._default)
        with self._place(await _known(self._whose, scope), large=large):
            await body.read(most)
            await self._pass_on(body, most)(scope, receive, send)

    @contextmanager
    def _place(self, tenant: str, *, large: bool) -> Iterator[None]:
        """Hold one of a tenant's places for large bodies, until its request is answered. Raises `_Refused`."""
        if not large:
            yield
            return
        if self._large[tenant] >= LARGE_AT_ONCE:
            told = "too many large bodies are sent at a time: wait for the answers to some"
            raise _refusal(429, "large_bodies", told, retry_after=1.0)
        self._large[tenant] += 1
        try:
            yield
        finally:
            self._large[tenant] -= 1
            self._large += Counter()  # who has none is forgotten

    def _pass_on(self, body: _Body, most: int) -> Asgi:
        """Return what answers a request whose body has come, or is too large already."""

        async def answering(scope: Scope, receive: Receive, send: Send) -> None:
            whole = body.joined()
            if len(whole) > most:
                raise _too_large(most)
            if await _is_too_deep(whole):
                raise _refusal(400, "too_deep", f"the body is nested deeper than {MOST_DEPTH} levels")
            await self._app(scope, _replay(whole, receive), send)

        return answering

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


class _Body:
    """The pieces of a body that have come; `whole` when the last one has."""

    def __init__(self, receive: Receive, patience: float) -> None:
        self._receive = receive
        self._patience = patience
        self._parts: list[bytes] = []
        self._size = 0
        self.whole = False

    async def read(self, most: int) -> None:
        """Read until it is whole, or more than `most` has come. Raises `_Gone`, `_Refused` where nothing comes."""
        while not self.whole and self._size <= most:
            try:
                async with asyncio.timeout(self._patience):
                    message = await self._receive()
            except TimeoutError:
                raise _refusal(408, "slow_body", f"nothing came for {self._patience:g} s: send it again") from None
            if message["type"] == "http.disconnect":
                raise _Gone
            part = message.get("body", b"")
            self._parts.append(part)
            self._size += len(part)
            self.whole = not message.get("more_body", False)

    def joined(self) -> bytes:
        """Return what has come in one piece."""
        self._parts = [b"".join(self._parts)]
        return self._parts[0]


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


async def _known(whose: Whose, scope: Scope) -> str:
    """Return the tenant whose request it is. Raises `_Refused`."""
    found = await whose(scope)
    if isinstance(found, str):
        return found
    raise _Refused(found)


def _too_large(most: int) -> _Refused:
    return _refusal(413, "too_large", f"the body is larger than {most} bytes")


def _refusal(status: int, code: str, detail: str, **more: Any) -> _Refused:  # noqa: ANN401 members of JSON
    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        await send_problem(scope, send, {**plain_problem(status, code, detail), **more})

    return _Refused(answering)
