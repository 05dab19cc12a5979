"""Work side by side whose first failure comes out as itself, and whose results come in the order asked."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from leadline.errors import StoreError

T = TypeVar("T")


async def together(works: Mapping[str, Coroutine[Any, Any, T]]) -> list[T]:
    """Carry out named works at once and return their results in the order of `works`.

    The first that fails ends the others. What a store raises goes before any other failure: it
    ends the hold on a run.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work, name=name) for name, work in works.items()]
    except BaseExceptionGroup as failures:
        raise _first(failures.subgroup(StoreError) or failures) from failures
    return [task.result() for task in tasks]


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = failures.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
