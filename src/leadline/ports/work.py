"""Time, and pure work beside the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Wall time and waiting, so that tests need not wait."""

    def now(self) -> float:
        """Return Unix time in seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; cancelled like any wait."""
        ...


class Wake(Protocol):
    """Wakes the idle slots of a worker process."""

    async def rung(self, *, seconds: float) -> None:
        """Return when work may have come since the last return, or after `seconds`."""
        ...


class Cpu(Protocol):
    """Pure CPU work beside the event loop."""

    async def run(self, function: Callable[..., T], /, *arguments: object, size: int = 0) -> T:
        """Return `function(*arguments)`.

        `function` is a module-level pure function, its arguments small and picklable: large texts
        go by hash with a `TextReader`. `size` estimates the work in characters: what takes less
        than 5 ms may run in place. An exception of `function` is raised here; a worker process
        that dies is replaced and the work is tried once more.
        """
        ...
