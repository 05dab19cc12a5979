"""Courtesy towards hosts: few connections, a pause between requests, and waiting when asked to."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from leadline.errors import FetchRateLimited, LimitReached
from leadline.resilience import Monotonic, Sleeps

_MOST_HOSTS: Final = 4_096
_MOST_DELAY: Final = 5.0
_MOST_HOLD: Final = 900.0


@dataclass(slots=True)
class _Host:
    """What is known of one host; times are the monotonic clock's."""

    slots: asyncio.Semaphore
    users: int = 0
    next_at: float = 0.0
    held_until: float = 0.0
    delay: float = 0.0


class Pace(Protocol):
    """The pause between paced requests to a host, kept by all processes together."""

    async def turn(self, host: str, *, delay: float, patience: float) -> None:
        """Return `delay` seconds after the last turn at `host`. Raises `LimitReached` where `patience` is less."""
        ...

    async def hold(self, host: str, seconds: float) -> None:
        """Give no turn at `host` for so long, and slower ones then."""
        ...


class Hosts:
    """Gives out turns at hosts.

    `concurrency` requests may be under way at one host, and the starts of paced ones are `delay`
    seconds apart, or as far as the host's robots.txt asks for, up to 5 s. With a `pace` that holds
    over all processes that share it. Only the busiest few thousand hosts are remembered.
    """

    def __init__(
        self,
        *,
        clock: Sleeps,
        concurrency: int = 2,
        delay: float = 0.5,
        pace: Pace | None = None,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        if concurrency < 1 or delay < 0:
            raise ValueError(f"`concurrency` must be at least 1, `delay` at least 0: {concurrency}, {delay}")
        self._clock = clock
        self._concurrency = concurrency
        self._delay = delay
        self._pace = pace
        self._monotonic = monotonic
        self._hosts: OrderedDict[str, _Host] = OrderedDict()

    @asynccontextmanager
    async def turn(self, host: str, *, patience: float, paced: bool = True) -> AsyncIterator[None]:
        """Wait for one's turn at `host` and hold it.

        Raises `FetchRateLimited` at once where the host asked for a wait that is longer than
        `patience` seconds. Redirects and robots.txt are not `paced`: they belong to a page.
        """
        state = self._state(host)
        state.users += 1
        try:
            async with state.slots:
                await self._wait(host, state, patience=patience, paced=paced)
                yield
        finally:
            state.users -= 1

    async def hold(self, host: str, seconds: float) -> None:
        """Send nothing to `host` for so long; a longer hold stands."""
        state = self._state(host)
        seconds = min(seconds, _MOST_HOLD)
        state.held_until = max(state.held_until, self._monotonic() + seconds)
        if self._pace is not None:
            await self._pace.hold(host, seconds)

    def slow_down(self, host: str, delay: float) -> None:
        """Keep the starts of requests to `host` at least `delay` seconds apart."""
        self._state(host).delay = min(delay, _MOST_DELAY)

    async def _wait(self, host: str, state: _Host, *, patience: float, paced: bool) -> None:
        now = self._monotonic()
        held = state.held_until - now
        if held > patience:
            raise FetchRateLimited(f"`{host}` asked to wait; it may be read again in {held:.0f} s", retry_after=held)
        delay = max(self._delay, state.delay)
        shared = self._pace if paced and delay > 0 else None
        start = max(now, state.held_until, state.next_at if paced and shared is None else now)
        if paced:
            state.next_at = start + delay
        if start > now:
            await self._clock.sleep(start - now)
        if shared is not None:
            await self._together(shared, host, delay=delay, patience=patience - (start - now))

    async def _together(self, pace: Pace, host: str, *, delay: float, patience: float) -> None:
        try:
            await pace.turn(host, delay=delay, patience=patience)
        except LimitReached as error:
            message = f"`{host}` is read as often as it may be; its turn comes in {error.retry_after or 0:.0f} s"
            raise FetchRateLimited(message, retry_after=error.retry_after) from error

    def _state(self, host: str) -> _Host:
        state = self._hosts.get(host)
        if state is None:
            state = self._hosts[host] = _Host(asyncio.Semaphore(self._concurrency))
            self._forget()
        self._hosts.move_to_end(host)
        return state

    def _forget(self) -> None:
        """Drop hosts that nobody uses and that owe no wait, the longest unused first."""
        excess = len(self._hosts) - _MOST_HOSTS
        if excess <= 0:
            return
        now = self._monotonic()
        idle = [
            host
            for host, state in self._hosts.items()
            if not state.users and max(state.next_at, state.held_until) <= now
        ]
        for host in idle[: max(excess, _MOST_HOSTS // 8)]:
            del self._hosts[host]
