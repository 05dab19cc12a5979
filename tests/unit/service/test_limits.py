from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.errors import LeadlineError
from leadline.service.leaving import ClientGone, while_there
from leadline.service.limits import too_deep
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
