"""Policies against failure, pure and on an injected clock: deadline, retry, breaker, single flight.

Also here, because every layer above needs them: `SystemClock`, and `Owned`, the one place that
starts tasks which outlive the call that started them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from leadline.errors import LeadlineError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

Monotonic = Callable[[], float]
"""Seconds of a clock that never goes back."""


class Sleeps(Protocol):
    """What can wait; every `Clock` is one."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...


class SystemClock:
    """`Clock` on the machine's own time."""

    def now(self) -> float:
        """Return Unix time in seconds."""
        return time.time()  # noqa: TID251 this is the Clock that all others go through

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(seconds)


# --- deadline --------------------------------------------------------------------------------


class Deadline:
    """A point in time until which a call may last; travels with it and only ever comes nearer.

    `seconds` from now, `None` for no limit. Between processes it travels as `left()`.
    """

    __slots__ = ("_end", "_monotonic")

    def __init__(self, seconds: float | None, *, monotonic: Monotonic = time.monotonic) -> None:
        self._monotonic = monotonic
        self._end = math.inf if seconds is None else monotonic() + seconds

    def left(self) -> float:
        """Return the seconds left: 0 once expired, infinite without a limit."""
        return max(0.0, self._end - self._monotonic())

    @property
    def expired(self) -> bool:
        """Whether nothing is left."""
        return self.left() <= 0.0

    def cut(self, seconds: float) -> Deadline:
        """Return the nearer one of this and `seconds` from now."""
        nearer = Deadline(seconds, monotonic=self._monotonic)
        nearer._end = min(nearer._end, self._end)
        return nearer


# --- retry -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """How often and how patiently to try: waits double from `base` to `cap` seconds, all jitter.

    Full jitter spreads clients best (Brooker, "Exponential backoff and jitter", AWS, 2015).
    `attempts` counts the first try. A server's Retry-After is waited for, be it above `cap`, and
    up to `base` more, so that its clients do not all come back at once.
    """

    attempts: int = 3
    base: float = 0.5
    cap: float = 20.0

    def wait(self, failures: int, *, random: Random, retry_after: float | None = None) -> float:
        """Return the seconds to wait after the `failures`-th failure (1 is the first)."""
        if retry_after is not None:
            return retry_after + random.uniform(0.0, self.base)
        return random.uniform(0.0, min(self.cap, self.base * 2.0 ** (failures - 1)))


async def retry(
    work: Callable[[], Awaitable[T]],
    *,
    backoff: Backoff,
    deadline: Deadline,
    clock: Sleeps,
    random: Random,
) -> T:
    """Return what `work()` returns, trying again after errors that say `retryable`.

    The last error is raised when the attempts are used up, and at once when the wait would not
    end within the deadline.
    """
    failures = 0
    while True:
        try:
            return await work()
        except LeadlineError as error:
            failures += 1
            if not error.retryable or failures >= backoff.attempts:
                raise
            retry_after = getattr(error, "retry_after", None)
            seconds = backoff.wait(failures, random=random, retry_after=retry_after)
            if seconds >= deadline.left():
                raise
        await clock.sleep(seconds)


# --- breaker ---------------------------------------------------------------------------------


class BreakerState(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"  # they do
    OPEN = "open"  # they do not
    HALF_OPEN = "half_open"  # one does, to see


class Breaker:
    """Stops calling what keeps failing, and tries it again with one call at a time.

    `threshold` failures in a row open it; `cooldown` seconds later one trial may pass, and its
    outcome closes the breaker or opens it for `cooldown` more. A trial that never reports back
    keeps others out for `cooldown` only. Ask `allow` before a call and report its outcome.
    `changed` is told each change as it is made: `half_open` when the trial begins.
    """

    def __init__(
        self,
        *,
        threshold: int = 5,
        cooldown: float = 30.0,
        monotonic: Monotonic = time.monotonic,
        changed: Callable[[BreakerState], None] | None = None,
    ) -> None:
        self.changed = changed
        self._threshold = threshold
        self._cooldown = cooldown
        self._monotonic = monotonic
        self._failures = 0
        self._open_until: float | None = None
        self._trial_until = -math.inf

    @property
    def state(self) -> BreakerState:
        """The state now; asking changes nothing."""
        if self._open_until is None:
            return BreakerState.CLOSED
        if self._monotonic() < self._open_until:
            return BreakerState.OPEN
        return BreakerState.HALF_OPEN

    def allow(self) -> bool:
        """Return whether a call may be made now; half open, the one told so is the trial."""
        if self.retry_in() > 0.0:
            return False
        if self.state is BreakerState.HALF_OPEN:
            self._trial_until = self._monotonic() + self._cooldown
            self._tell(BreakerState.HALF_OPEN)
        return True

    def retry_in(self) -> float:
        """Return the seconds until a call may be made, if nothing is reported before."""
        if self._open_until is None:
            return 0.0
        return max(0.0, max(self._open_until, self._trial_until) - self._monotonic())

    def succeeded(self) -> None:
        """Report a call that got an answer."""
        was_open = self._open_until is not None
        self._failures = 0
        self._open_until = None
        self._trial_until = -math.inf
        if was_open:
            self._tell(BreakerState.CLOSED)

    def failed(self) -> None:
        """Report a call that failed by the other side's fault."""
        self._failures += 1
        state = self.state
        if state is BreakerState.HALF_OPEN or (state is BreakerState.CLOSED and self._failures >= self._threshold):
            self._open_until = self._monotonic() + self._cooldown
            self._trial_until = -math.inf
            self._tell(BreakerState.OPEN)

    def abandoned(self) -> None:
        """Report a call that was given up: no verdict, and another trial may come at once."""
        self._trial_until = -math.inf

    def _tell(self, state: BreakerState) -> None:
        if self.changed is not None:
            self.changed(state)


# --- tasks that outlive a call ---------------------------------------------------------------


class Owned:
    """Background tasks with a name, an owner, a watcher and an end: the end of this context.

    At the end what still runs is cancelled and waited for. `failed` is told a task's name and
    error at once; without it, the loop's exception handler is.
    """

    def __init__(self, owner: str, *, failed: Callable[[str, BaseException], None] | None = None) -> None:
        self._owner = owner
        self._failed = failed
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def start(self, work: Coroutine[Any, Any, object], *, name: str) -> None:
        """Start `work`; its task is called `owner/name`. Raises `RuntimeError` after the end."""
        _ = self.spawn(work, name=name)

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Start `work` and return its task, for who cancels it or waits for it; see `start`."""
        if self._closed:
            work.close()
            raise RuntimeError(f"`{self._owner}` has ended; `{name}` cannot start")
        task = asyncio.create_task(work, name=f"{self._owner}/{name}")  # noqa: TID251 this is the owner that the ban asks for
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel what still runs and wait for it."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        if self._failed is not None:
            self._failed(task.get_name(), error)
        else:
            message = f"background task `{task.get_name()}` failed"
            context = {"message": message, "exception": error, "task": task}
            task.get_loop().call_exception_handler(context)


@dataclass(slots=True, eq=False)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    waiters: int = 0


class SingleFlight(Generic[K, T]):
    """Callers of one key at one time share one load.

    The load is nobody's own: a caller that is cancelled, the first one too, harms no other. When
    all have gone the load is cancelled. Its error is raised to all who wait; the next caller
    loads anew. The end of the context cancels the loads under way.
    """

    def __init__(self, name: str) -> None:
        self._tasks = Owned(name, failed=_told_to_waiters)
        self._flights: dict[K, _Flight[T]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._tasks.close()

    async def run(self, key: K, load: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what `load()` returns, called by this or by another caller of `key`."""
        flight = self._flights.get(key)
        if flight is None:
            flight = _Flight(self._tasks.spawn(load(), name=str(key)))
            flight.task.add_done_callback(partial(self._land, key, flight))
            self._flights[key] = flight
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.task.done():
                self._land(key, flight, flight.task)
                flight.task.cancel()

    def _land(self, key: K, flight: _Flight[T], _task: asyncio.Task[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


def _told_to_waiters(_name: str, _error: BaseException) -> None:
    """Leave a load's error to those who wait for it; where all have gone, nobody asks."""
