"""One attempt at an answer: its three clocks, and who watches it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from leadline.resilience import Deadline
from leadline.text.think import Piece

ProgressTo = Callable[[str, str], None]

# How long to wait for usage and the end of the stream once the finish reason is known.
_GRACE: Final = 2.0
# How long to wait for the end of the body after the last event, to use the connection again.
_LAST_BYTES: Final = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Clocks:
    """Seconds that a server may take: to accept a connection, to its first token, between two, in all."""

    connect: float = 10.0
    first_token: float = 120.0
    gap: float = 60.0
    total: float = 600.0


class Relay:
    """Passes pieces on to whoever watches, the same whether or not anybody does.

    `alive` is called whenever a part of the answer itself arrives, be it a tool call or text.
    """

    def __init__(self, progress: ProgressTo | None, *, alive: Callable[[], None] | None = None) -> None:
        self._progress = progress
        self._alive = alive
        self.passed = False

    def beat(self) -> None:
        """A part of the answer arrived."""
        if self._alive is not None:
            self._alive()

    def restart(self) -> None:
        """A new attempt begins: what was passed on is void."""
        if self.passed and self._progress is not None:
            self._progress("status", "restart")
        self.passed = False

    def tell(self, kind: str, text: str) -> None:
        """Pass one piece on."""
        self.passed = True
        if self._progress is not None:
            self._progress(kind, text)

    def send(self, pieces: list[Piece]) -> None:
        if pieces:
            self.beat()
        self.passed = self.passed or bool(pieces)
        for kind, text in pieces:
            self._tell(kind, text)

    def _tell(self, kind: str, text: str) -> None:
        if self._progress is not None:
            self._progress(kind, text)


class Watch:
    """The three clocks of one attempt on one timer.

    The timer is set anew only when it rings too early: a stream's every chunk winds the clock.
    """

    def __init__(self, clocks: Clocks, limit: Deadline) -> None:
        self._clocks = clocks
        self._left = min(clocks.total, limit.left())
        self._by_deadline = limit.left() < clocks.total
        self._end = math.inf
        self._due = math.inf
        self._timeout: asyncio.Timeout | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reason = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch over what is done inside; where a clock runs out it is cancelled. Raises `TimeoutError`."""
        now = asyncio.get_running_loop().time()
        self._end = now + self._left
        self._reason = f"no first token within {self._clocks.first_token:g} s"
        async with asyncio.timeout(None) as timeout:
            self._timeout = timeout
            self._wind(self._nearest(now, self._clocks.first_token))
            try:
                yield
            finally:
                self._timeout = None
                if self._timer is not None:
                    self._timer.cancel()

    def saw(self, *, begun: bool, finished: bool, over: bool) -> None:
        """Take note that bytes came; only what belongs to the answer winds the clock."""
        if self._timeout is None or not begun:
            return
        now = asyncio.get_running_loop().time()
        if finished or over:
            self._wind(self._nearest(now, _LAST_BYTES if over else _GRACE))
            return
        self._wind(self._nearest(now, self._clocks.gap))
        self._reason = f"nothing new within {self._clocks.gap:g} s in midst of an answer"

    def _wind(self, due: float) -> None:
        """Let the clock run out at `due`."""
        self._due = due
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._timeout is None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._due:
            self._wind(self._due)
        else:
            self._timeout.reschedule(loop.time())

    def verdict(self) -> str:
        """Return which clock ran out, for a message."""
        if asyncio.get_running_loop().time() < self._end:
            return self._reason
        if self._by_deadline:
            return f"the call's deadline of {self._left:.3g} s ran out"
        return f"the answer was not complete within {self._left:g} s"

    def _nearest(self, now: float, seconds: float) -> float:
        return min(self._end, now + seconds)
