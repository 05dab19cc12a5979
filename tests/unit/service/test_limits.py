from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.errors import LeadlineError
from leadline.service.asgi import Asgi, Message, Receive, Scope, Send
from leadline.service.leaving import ClientGone, while_there
from leadline.service.limits import FROM_ANYBODY, LARGE_AT_ONCE, MOST_BYTES, BodyLimits, too_deep
from leadline.service.problems import STATUSES, status_of

JSON = st.recursive(
    st.none() | st.integers(-9, 9) | st.text('[]{}"\\a', max_size=8),
    lambda of: st.lists(of, max_size=3) | st.dictionaries(st.text('[]{}"\\a', max_size=4), of, max_size=3),
    max_leaves=12,
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(JSON, st.integers(0, 6))
def test_depth_is_counted_outside_of_texts(value: Any, most: int) -> None:
    assert too_deep(orjson.dumps(value), most) is (depth(value) > most)


@given(st.binary(max_size=100))
def test_any_bytes_are_judged(body: bytes) -> None:
    assert too_deep(body, 0) in {True, False}


def test_many_brackets_are_judged_in_no_time() -> None:
    assert too_deep(b"[" * 1_000_000, 32)
    assert not too_deep(b"[]" * 50_000, 32)
    assert too_deep(b"[]" * 500_000, 32)
    assert not too_deep(b'["' + b"\\\\" * 500_000 + b"[" * 99 + b'"]', 32)
    assert not too_deep(b'"' + b"[" * 1_000_000, 32)


def test_every_kind_of_failure_has_a_status() -> None:
    waiting: list[type[LeadlineError]] = [LeadlineError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        assert 400 <= status_of(kind.__new__(kind)) <= 599
    assert all(issubclass(kind, LeadlineError) for kind in STATUSES)


class Wire:
    """What a server tells an application: at first nothing, then that the client went away."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}


async def test_work_is_done_while_the_client_is_there() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 5

    assert await while_there(Wire().receive, work(), seconds=1) == 5


async def test_work_ends_when_the_client_goes() -> None:
    wire, ended = Wire(), asyncio.Event()

    async def work() -> None:
        wire.gone.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(ClientGone):
        await while_there(wire.receive, work(), seconds=5)
    assert ended.is_set()


async def test_failures_time_and_cancels_come_out_as_themselves() -> None:
    async def broken() -> None:
        raise ValueError("x")

    async def endless() -> None:
        await asyncio.Event().wait()

    with pytest.raises(ValueError, match="x"):
        await while_there(Wire().receive, broken(), seconds=1)
    with pytest.raises(TimeoutError):
        await while_there(Wire().receive, endless(), seconds=0.01)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(while_there(Wire().receive, endless(), seconds=5))
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()


class Sender:
    """A client that sends a body piece by piece, and then nothing; `taken` are the bytes that were read of it."""

    def __init__(self, pieces: int, *, ends: bool, size: int = 1 << 14) -> None:
        self.taken = 0
        self.status = 0
        self._pieces = iter([b" " * size] * (pieces - 1) + [b"[]".ljust(size)])
        self._left = pieces
        self._ends = ends

    async def receive(self) -> Message:
        piece = next(self._pieces, None)
        if piece is None:
            await asyncio.Event().wait()
        self._left -= 1
        self.taken += len(piece or b"")
        return {"type": "http.request", "body": piece, "more_body": self._left > 0 or not self._ends}

    async def send(self, message: Message) -> None:
        self.status = message.get("status", self.status)

    async def ask(self, app: Asgi, *, announced: int | None = None) -> int:
        headers = [(b"content-type", b"application/json")]
        headers += [(b"content-length", str(announced).encode())] if announced is not None else []
        scope = {"type": "http", "method": "POST", "path": "/large", "headers": headers}
        await app(scope, self.receive, self.send)
        return self.status


class Taking:
    """An application that answers once it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.full = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        await receive()
        self.asked += 1
        if self.asked == LARGE_AT_ONCE:
            self.full.set()
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 401, "headers": []})


async def nobody(scope: Scope) -> str | Asgi:
    del scope
    return refuse


async def acme(scope: Scope) -> str | Asgi:
    del scope
    return "acme"


@pytest.mark.parametrize("announced", [None, 8 << 20])
async def test_who_shows_no_key_is_read_no_more_than_a_little(announced: int | None) -> None:
    app = Taking()
    sender = Sender(512, ends=True)
    limits = BodyLimits(app, most={"/large": 16 << 20}, whose=nobody)
    assert await sender.ask(limits, announced=announced) == 401
    assert (app.asked, sender.taken <= FROM_ANYBODY + (1 << 14)) == (0, True)


@pytest.mark.parametrize("sent", [1, 20])
async def test_who_stops_in_the_middle_of_a_body_is_not_waited_for(sent: int) -> None:
    limits = BodyLimits(Taking(), whose=acme, patience=0.01)
    assert await Sender(sent, ends=False).ask(limits) == 408


async def test_a_tenant_has_few_large_bodies_here_at_a_time() -> None:
    app = Taking()
    limits = BodyLimits(app, most={"/large": 8 * MOST_BYTES}, whose=acme)
    large = {"announced": 2 * MOST_BYTES}

    def body() -> Sender:
        return Sender(2, ends=True, size=MOST_BYTES)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(body().ask(limits, **large)) for _ in range(LARGE_AT_ONCE)]
        await app.full.wait()
        assert await body().ask(limits, **large) == 429
        app.go.set()
    assert [task.result() for task in tasks] == [200] * LARGE_AT_ONCE
    assert await body().ask(limits, **large) == 200
