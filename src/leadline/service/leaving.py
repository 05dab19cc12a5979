"""Work that ends when its client has gone, or when its time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

from leadline.service.asgi import Receive

T = TypeVar("T")


class ClientGone(Exception):
    """The client closed its connection; what was under way has ended."""


async def while_there(receive: Receive, work: Coroutine[Any, Any, T], *, seconds: float) -> T:
    """Return what `work` returns; it is cancelled at once when the client goes away.

    To be called after the request's body was read whole. Raises `ClientGone`, `TimeoutError` after
    `seconds`, and what `work` raises.
    """
    try:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            watching = group.create_task(_watch(receive), name="watch for the client")
            result = await work
            watching.cancel()
    except BaseExceptionGroup as failures:
        _raise(failures)
    return result


async def _watch(receive: Receive) -> NoReturn:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise ClientGone


def _raise(failures: BaseExceptionGroup[BaseException]) -> NoReturn:
    """Raise what the group's end is about, as if there had been no group."""
    gone = failures.subgroup(ClientGone)
    first = (gone or failures).exceptions[0]
    if isinstance(first, BaseExceptionGroup):
        _raise(first)
    raise first
