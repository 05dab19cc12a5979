"""A second try beside a first that does not begin: the answer that begins first is the answer.

After Dean and Barroso, "The tail at scale" (CACM 56(2), 2013). Only ever before the first byte: once
either has begun, the other is cancelled, so no two answers are paid for in full and none is mixed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from leadline.model.attempt import ProgressTo, Relay
from leadline.resilience import Owned

T = TypeVar("T")

Try: TypeAlias = Callable[[Relay], Coroutine[Any, Any, T]]
"""Makes one call, telling the relay what arrives."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hedging:
    """When a second server is asked: after the 95th percentile of the first's times to first token.

    Never before `least` seconds, never for more than `share` of all calls.
    """

    least: float = 1.0
    share: float = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Raced(Generic[T]):
    """An answer, and how many calls it took."""

    value: T
    calls: int


class Race(Generic[T]):
    """One answer from a first try and, `after` seconds without a sign of it, a second.

    `second` is asked then, and may decline with `None`. `progress` hears the try that wins, no other.
    """

    def __init__(self, tasks: Owned, *, progress: ProgressTo | None, after: float) -> None:
        self._tasks = tasks
        self._progress = progress
        self._after = after
        self._runners: list[asyncio.Task[T]] = []
        self._winner: int | None = None
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, first: Try[T], second: Callable[[], Try[T] | None]) -> Raced[T]:
        """Return the answer. Raises the first try's error where none gives one."""
        try:
            self._start(first)
            if not await self._moves(self._after):
                other = second()
                if other is not None:
                    self._start(other)
            return Raced(value=await self._decide(), calls=len(self._runners))
        finally:
            await self._end()

    def _start(self, attempt: Try[T]) -> None:
        number = len(self._runners)

        def alive() -> None:
            self._won(number)

        def told(kind: str, text: str) -> None:
            if self._progress is not None and self._winner == number:
                self._progress(kind, text)

        self._runners.append(self._tasks.spawn(attempt(Relay(told, alive=alive)), name=f"try-{number}"))

    def _won(self, number: int) -> None:
        if self._winner is None:
            self._winner = number
            self._begun.set_result(None)

    async def _moves(self, seconds: float) -> bool:
        """Return whether the first try begins or ends within `seconds`."""
        watched: set[asyncio.Future[Any]] = {self._begun, *self._runners}
        done, _ = await asyncio.wait(watched, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)

    async def _decide(self) -> T:
        """Wait for a winner: who begins, or who ends with an answer; then for its answer."""
        pending: set[asyncio.Future[Any]] = set(self._runners)
        while pending and self._winner is None:
            done, _ = await asyncio.wait({self._begun, *pending}, return_when=asyncio.FIRST_COMPLETED)
            pending -= done
            answered = [at for at, run in enumerate(self._runners) if run in done and not _failed(run)]
            if answered:
                self._won(answered[0])
        winner = self._winner or 0
        for at, runner in enumerate(self._runners):
            if at != winner:
                runner.cancel()
        return await self._runners[winner]

    async def _end(self) -> None:
        for runner in self._runners:
            runner.cancel()
        if self._runners:
            await asyncio.wait(self._runners)
        for runner in self._runners:
            _failed(runner)  # an error that nobody else looks at was looked at here


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.cancelled() or task.exception() is not None
