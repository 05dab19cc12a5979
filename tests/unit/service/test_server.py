"""Connections of hostile clients: who begins no request is not waited for, and no request hides in another's body."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial

import pytest

from leadline.service.asgi import Receive, Scope, Send, answer
from leadline.service.server import Server
from leadline.service.serving import bound

MOMENT = 0.05
HEAD = b"GET / HTTP/1.1\r\nHost: leadline.test\r\n"


@dataclass
class Served:
    """A small application behind a real server: what it was asked; `/held` is answered when the gate opens.

    `bear` sets for how long those are waited for who come from then on; whom it answers it bears for a moment.
    """

    port: int = 0
    asked: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    bear: Callable[[float], None] = lambda _: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        self.asked.append(scope["path"])
        if scope["path"] == "/held":
            await self.gate.wait()
        self.bear(MOMENT)
        await answer(send, status=200, body=b"ok", headers=[])

    async def said(self, *pieces: bytes) -> bytes:
        """Return all that comes back until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(60):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                return await reader.read()
        finally:
            writer.close()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    app, started = Served(), asyncio.Event()
    with bound("127.0.0.1", 0) as listener:
        app.port = listener.getsockname()[1]
        one = Server(app, drain=1, at_once=None, started=started.set)
        app.bear = partial(setattr, one.config, "timeout_keep_alive")
        running = asyncio.create_task(one.serve([listener]))
        await started.wait()
        try:
            yield app
        finally:
            app.gate.set()
            one.should_exit = True
            await running


@pytest.mark.parametrize("sent", [b"", b"GET", HEAD, HEAD + b"X-Slow: "])
async def test_who_begins_no_request_is_not_waited_for(served: Served, sent: bytes) -> None:
    served.bear(MOMENT)
    assert b"200 OK" not in await served.said(sent)
    assert served.asked == []


async def test_nor_is_who_begins_no_second_one(served: Served) -> None:
    assert (await served.said(HEAD + b"\r\n", b"GET /half HTTP/1.1\r\n")).count(b"200 OK") == 1
    assert served.asked == ["/"]


async def test_who_waits_for_an_answer_is_not_cut_off(served: Served) -> None:
    served.bear(1.0)
    waiting = asyncio.create_task(served.said(HEAD.replace(b"/ ", b"/held ", 1) + b"Connection: close\r\n\r\n"))
    while not served.asked:  # noqa: ASYNC110 it is asked from the other end of a socket
        await asyncio.sleep(0.01)
    await served.said(b"")  # for as long as a silent client is borne
    served.gate.set()
    assert (await waiting).endswith(b"ok")


async def test_a_request_whose_end_two_readers_see_in_two_places_is_refused(served: Served) -> None:
    hidden = b"GET /hidden HTTP/1.1\r\nHost: leadline.test\r\n\r\n"
    both = b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (5 + len(hidden))
    told = await served.said(HEAD.replace(b"GET", b"POST") + both + hidden)
    assert told.startswith(b"HTTP/1.1 400 ")
    assert b"200 OK" not in told
    assert "/hidden" not in served.asked
