"""Micro-batches for what a server computes better together: embeddings and reranking.

Not for chat: servers batch generation themselves, token by token, and a batch of ours would only
hold answers back until the slowest is whole.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from leadline.errors import ModelBroken, ModelError, ModelRateLimited
from leadline.resilience import Owned

I = TypeVar("I")  # noqa: E741 an input
O = TypeVar("O")  # noqa: E741 an output


@dataclass(eq=False, slots=True)
class _Item(Generic[I, O]):
    value: I
    size: int
    done: asyncio.Future[O]


class Batcher(Generic[I, O]):
    """Gathers single calls of `work` into calls with several; an asynchronous context manager.

    A batch goes off with `most` entries, or with `most_size` in all by `size_of`, or `delay` seconds
    after its first entry came, whichever is first; `at_once` batches run side by side. Every caller
    gets its own result or an error: what `work` raises, `ModelBroken` where it gave another number
    of results, and `ModelError` where the batcher was closed. A caller that leaves is left out, and
    when all callers of a batch have left, its work is cancelled. `waiting` bounds entries not yet
    sent: beyond it `ModelRateLimited` is raised.
    """

    def __init__(
        self,
        work: Callable[[Sequence[I]], Awaitable[Sequence[O]]],
        *,
        name: str = "batch",
        most: int = 32,
        most_size: int | None = None,
        size_of: Callable[[I], int] | None = None,
        delay: float = 0.01,
        at_once: int = 4,
        waiting: int = 10_000,
    ) -> None:
        self._work = work
        self._most = most
        self._most_size = most_size
        self._size_of = size_of or _one
        self._delay = delay
        self._at_once = at_once
        self._waiting = waiting
        self._queue: deque[_Item[I, O]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks = Owned(name)
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_failure: object) -> None:
        await self.close()

    @property
    def waiting(self) -> int:
        """How many entries wait to be sent."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """How many batches are at work."""
        return len(self._running)

    async def call(self, value: I) -> O:
        """Return the result of `value`; one wait, the same for the first and the last of a batch."""
        if self._closed:
            raise ModelError("the batcher is closed")
        if len(self._queue) >= self._waiting:
            raise ModelRateLimited(f"{len(self._queue)} entries wait already", retry_after=max(self._delay, 0.1))
        item: _Item[I, O] = _Item(value, self._size_of(value), asyncio.get_running_loop().create_future())
        self._queue.append(item)
        self._look()
        try:
            return await item.done
        finally:
            if not item.done.done():
                item.done.cancel()
            if item in self._queue:
                self._queue.remove(item)

    async def close(self) -> None:
        """End: what runs is cancelled, who waits is told."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        waiting, self._queue = self._queue, deque()
        _fail(list(waiting), ModelError("the batcher was closed"))
        await self._tasks.close()

    # --- when a batch goes off ---

    def _look(self) -> None:
        """Send what is full; make sure that the rest goes off in time."""
        while self._queue and len(self._running) < self._at_once and self._full():
            self._send()
        if self._queue and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._delay, self._due)

    def _due(self) -> None:
        self._timer = None
        if self._queue and len(self._running) < self._at_once:
            self._send()
        if self._queue and len(self._running) < self._at_once:
            self._look()

    def _full(self) -> bool:
        if len(self._queue) >= self._most:
            return True
        return self._most_size is not None and sum(item.size for item in self._queue) >= self._most_size

    def _send(self) -> None:
        batch = self._cut()
        if not batch:
            return
        task = self._tasks.spawn(self._run(batch), name="send")
        self._running.add(task)
        task.add_done_callback(self._ended)
        for item in batch:
            item.done.add_done_callback(lambda _done: self._left(batch, task))

    def _cut(self) -> list[_Item[I, O]]:
        batch: list[_Item[I, O]] = []
        size = 0
        while self._queue and len(batch) < self._most:
            item = self._queue[0]
            if batch and self._most_size is not None and size + item.size > self._most_size:
                break
            self._queue.popleft()
            if not item.done.done():
                batch.append(item)
                size += item.size
        return batch

    # --- a batch at work ---

    async def _run(self, batch: list[_Item[I, O]]) -> None:
        try:
            results = await self._work([item.value for item in batch])
        except asyncio.CancelledError:
            _fail(batch, ModelError("the batch was cancelled"))
            raise
        except Exception as error:  # noqa: BLE001 whatever the work raises belongs to its callers
            _fail(batch, error)
            return
        if len(results) != len(batch):
            _fail(batch, ModelBroken(f"{len(results)} results came for {len(batch)} entries"))
            return
        for item, result in zip(batch, results, strict=True):
            if not item.done.done():
                item.done.set_result(result)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not self._closed and self._queue and self._timer is None:
            self._due()

    @staticmethod
    def _left(batch: list[_Item[I, O]], task: asyncio.Task[None]) -> None:
        if all(item.done.cancelled() for item in batch) and not task.done():
            task.cancel()


def _one(_value: object) -> int:
    return 1


def _fail(batch: Sequence[_Item[I, O]], error: Exception) -> None:
    for item in batch:
        if not item.done.done():
            item.done.set_exception(error)
