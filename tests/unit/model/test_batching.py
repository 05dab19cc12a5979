"""Micro-batches, and each fault of a batcher that flushes by number alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from leadline.errors import ModelBroken, ModelError, ModelRateLimited
from leadline.model.batching import Batcher


class Echo:
    """Doubles numbers, remembers its batches, and does what a test says."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.short = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.cancelled = 0

    async def __call__(self, values: Sequence[int]) -> list[int]:
        self.batches.append(list(values))
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return [value * 2 for value in values][: len(values) - self.short]


async def called(batcher: Batcher[int, int], values: Sequence[int]) -> list[int | BaseException]:
    tasks = [asyncio.get_running_loop().create_task(batcher.call(value)) for value in values]
    await asyncio.wait(tasks)
    return [task.exception() or task.result() for task in tasks]


async def test_a_partial_batch_goes_off_in_time() -> None:
    work = Echo()
    async with Batcher(work, most=8, delay=0.01) as batcher:
        results = await asyncio.wait_for(called(batcher, [1, 2, 3]), 20)
    assert results == [2, 4, 6]
    assert work.batches == [[1, 2, 3]]


async def test_a_full_batch_goes_off_at_once() -> None:
    work = Echo()
    async with Batcher(work, most=4, delay=60.0) as batcher:
        assert await asyncio.wait_for(called(batcher, range(8)), 20) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert work.batches == [[0, 1, 2, 3], [4, 5, 6, 7]]


async def test_a_batch_is_bounded_by_size_too_and_a_giant_goes_alone() -> None:
    work = Echo()
    async with Batcher(work, most=9, most_size=10, size_of=int, delay=0.005) as batcher:
        assert await called(batcher, [6, 3, 4, 50, 1]) == [12, 6, 8, 100, 2]
    assert work.batches == [[6, 3], [4], [50], [1]]


async def test_an_error_reaches_every_caller() -> None:
    work = Echo()
    work.error = ModelBroken("engine died")
    async with Batcher(work, most=4, delay=0.001) as batcher:
        results = await asyncio.wait_for(called(batcher, [1, 2, 3]), 20)
        assert [str(result) for result in results] == ["engine died"] * 3
        work.error = None
        assert await batcher.call(5) == 10, "the next batch is not harmed"


async def test_too_few_results_are_an_error_for_each() -> None:
    work = Echo()
    work.short = 1
    async with Batcher(work, most=4, delay=0.001) as batcher:
        results = await asyncio.wait_for(called(batcher, [1, 2]), 20)
    assert all(isinstance(result, ModelBroken) for result in results)


async def test_a_caller_that_leaves_harms_no_other() -> None:
    work = Echo()
    work.gate.clear()
    async with Batcher(work, most=3, delay=60.0) as batcher:
        loop = asyncio.get_running_loop()
        calls = [loop.create_task(batcher.call(value)) for value in (1, 2, 3)]
        await asyncio.sleep(0.01)
        calls[1].cancel()
        await asyncio.sleep(0)
        work.gate.set()
        assert [await calls[0], await calls[2]] == [2, 6]
        assert calls[1].cancelled()
        assert work.cancelled == 0


async def test_a_caller_that_leaves_before_is_not_computed() -> None:
    work = Echo()
    async with Batcher(work, most=8, delay=0.02) as batcher:
        loop = asyncio.get_running_loop()
        calls = [loop.create_task(batcher.call(value)) for value in (1, 2)]
        await asyncio.sleep(0)
        calls[0].cancel()
        assert await calls[1] == 4
    assert work.batches == [[2]]


async def test_work_that_nobody_waits_for_is_stopped() -> None:
    work = Echo()
    work.gate.clear()
    async with Batcher(work, most=2, delay=60.0) as batcher:
        loop = asyncio.get_running_loop()
        calls = [loop.create_task(batcher.call(value)) for value in (1, 2)]
        await asyncio.sleep(0.01)
        for call in calls:
            call.cancel()
        await asyncio.sleep(0.01)
        assert work.cancelled == 1
        assert batcher.running == 0


async def test_what_waits_is_bounded() -> None:
    work = Echo()
    work.gate.clear()
    async with Batcher(work, most=1, delay=0.001, at_once=1, waiting=2) as batcher:
        loop = asyncio.get_running_loop()
        calls = [loop.create_task(batcher.call(value)) for value in range(3)]
        await asyncio.sleep(0.01)
        assert (batcher.running, batcher.waiting) == (1, 2)
        with pytest.raises(ModelRateLimited) as caught:
            await batcher.call(9)
        assert caught.value.retry_after
        work.gate.set()
        assert [await call for call in calls] == [0, 2, 4]
    assert work.batches == [[0], [1], [2]]


async def test_closing_tells_everybody() -> None:
    work = Echo()
    work.gate.clear()
    async with Batcher(work, most=2, delay=60.0, at_once=1) as batcher:
        loop = asyncio.get_running_loop()
        calls = [loop.create_task(batcher.call(value)) for value in range(3)]
        await asyncio.sleep(0.01)
    await asyncio.wait(calls)
    assert all(isinstance(call.exception(), ModelError) for call in calls)
    with pytest.raises(ModelError, match="closed"):
        await batcher.call(1)
