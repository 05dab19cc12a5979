"""Time, and pure work beside the event loop."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol, TypeVar

T = TypeVar("T")

MANY: Final = sys.maxsize
"""As many runs as there are: what a `Wake` may answer."""


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

    def attached(self, idle: Callable[[], int]) -> AbstractAsyncContextManager[None]:
        """Serve this process's slots while the context is open; `idle` tells how many there are."""
        ...

    async def rung(self, *, seconds: float) -> int:
        """Return when work may have come since the last return, or after `seconds`.

        The number says how many runs may be taken: `MANY` for as many as there are, 0 for none. It
        may be cancelled, and then has lost nothing.
        """
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
