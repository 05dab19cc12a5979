"""Looks after the pool's servers: asks each for one real token, and reads its gauges.

Real calls are the first witness of a server's health. A probe is for servers that have none: idle
ones, and those out of service, whose trial it makes so that no caller has to. Each server has its
own tasks, so that one that hangs delays nobody, and starts them at a moment of its own, so that
many processes do not all ask at once.

Where a token may cost money, only a look is taken: can the server be reached at all? Who does not
answer a look is out of service; who does may still fail at every call. Hence a look brings back only
what a look had found to be away: else an idle process would call a server well that no call passes.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final, Self, TypeAlias

from leadline.errors import ModelError, ModelRateLimited, ModelTimeout, ModelUnavailable
from leadline.model.failures import Crashed
from leadline.model.pool.gauges import Gauges
from leadline.model.pool.leases import Pool
from leadline.model.pool.types import Outcome, ServerSpec, ServerView, outcome_of, wait_of
from leadline.resilience import Owned, Sleeps, SystemClock

Ask: TypeAlias = Callable[[ServerSpec], Awaitable[None]]
"""Gets one token from a server, or raises `ModelError`."""

Look: TypeAlias = Callable[[ServerSpec], Awaitable[object]]
"""Asks a server for something that costs nothing, or raises `ModelError`."""

ReadGauges: TypeAlias = Callable[[ServerSpec], Awaitable[Gauges | None]]
"""Reads a server's gauges; `None` where it has none or does not answer."""

_SPREAD: Final = 0.2
_WITHOUT_GAUGES: Final = 12  # turns to wait where a server shows none
_LEAST_SLEEP: Final = 0.05
_MISSED: Final = 3  # looks in a row that speak against a server in service


@dataclass(frozen=True, kw_only=True, slots=True)
class Probing:
    """Seconds between probes of a server, after a failed one, and that a probe may take; the same for looks.

    `gauges` is between two looks at a server's gauges; 0 turns them off. `every` 0 turns probes
    off: then a server out of service is tried by a caller's call.
    """

    every: float = 30.0
    again: float = 2.0
    deadline: float = 20.0
    look_deadline: float = 5.0
    gauges: float = 5.0
    gauges_deadline: float = 2.0


@dataclass(slots=True)
class _Sight:
    """What looks at a server have shown: when the last one was, and how many in a row were in vain.

    `away`: whether one was in vain as the server went out of service, or since; `None` before any.
    """

    at: float
    missed: int = 0
    away: bool | None = None


class Health:
    """The probes of one pool; an asynchronous context manager."""

    def __init__(
        self,
        pool: Pool,
        *,
        ask: Ask,
        read_gauges: ReadGauges,
        look: Look | None = None,
        probing: Probing | None = None,
        clock: Sleeps | None = None,
        random: Random | None = None,
    ) -> None:
        self._pool = pool
        self._ask = ask
        self._read_gauges = read_gauges
        self._look = look
        self._probing = probing or Probing()
        self._clock: Sleeps = clock or SystemClock()
        self._random = random or Random()  # noqa: S311 jitter, no secret
        self._tasks = Owned("model-pool")
        self._watched: dict[ServerSpec, list[asyncio.Task[None]]] = {}

    async def __aenter__(self) -> Self:
        self._tasks.start(self._keep_up(), name="servers")
        self._tasks.start(self._reap(), name="leases")
        return self

    async def __aexit__(self, *_failure: object) -> None:
        await self._tasks.close()

    async def probe(self, spec: ServerSpec) -> Outcome:
        """Ask a server for one token within the deadline, tell the pool, and return how it went."""
        try:
            await self._asked(spec)
        except ModelError as error:
            outcome = outcome_of(error)
            self._pool.probed(spec.url, outcome, reason=str(error), wait=wait_of(error))
            return outcome
        except asyncio.CancelledError:
            self._pool.probed(spec.url, Outcome.ABANDONED)
            raise
        self._pool.probed(spec.url, Outcome.ANSWERED)
        return Outcome.ANSWERED

    async def _asked(self, spec: ServerSpec) -> None:
        seconds = self._probing.deadline
        try:
            async with asyncio.timeout(seconds):
                await self._ask(spec)
        except TimeoutError as error:
            raise ModelTimeout(f"not one token within {seconds:g} s") from error

    async def _keep_up(self) -> None:
        """Have tasks for the servers that the pool has, also when they change."""
        while True:
            specs = set(self._pool.specs)
            for gone in self._watched.keys() - specs:
                for task in self._watched.pop(gone):
                    task.cancel()
            for spec in sorted(specs - self._watched.keys(), key=lambda spec: spec.url):
                self._watched[spec] = self._watch(spec)
            await self._pool.changed()

    def _watch(self, spec: ServerSpec) -> list[asyncio.Task[None]]:
        tasks = []
        if spec.probed and self._probing.every > 0:
            tasks.append(self._tasks.spawn(self._probes(spec), name="probe"))
        elif spec.looked_at and self._look is not None and self._probing.every > 0:
            tasks.append(self._tasks.spawn(self._looks(spec, self._look), name="look"))
        if spec.gauges and self._probing.gauges > 0:
            tasks.append(self._tasks.spawn(self._gauges(spec), name="gauges"))
        return tasks

    async def _probes(self, spec: ServerSpec) -> None:
        await self._clock.sleep(self._random.uniform(0.0, self._probing.again))
        while True:
            outcome = None
            if self._due(spec.url) and self._pool.trial(spec.url):
                outcome = await self.probe(spec)
            await self._clock.sleep(self._pause(spec.url, outcome))

    def _due(self, url: str) -> bool:
        """Whether a probe tells anything: not of a server that real calls have just shown to work."""
        look = self._pool.look(url)
        return look is not None and (not look.healthy or self._pool.heard(url) >= self._probing.every)

    def _pause(self, url: str, outcome: Outcome | None) -> float:
        look = self._pool.look(url)
        pause = self._probing.every
        if look is not None and not look.healthy:
            pause = min(pause, max(look.retry_in, _LEAST_SLEEP)) if math.isfinite(look.retry_in) else pause
        elif outcome not in {None, Outcome.ANSWERED}:
            pause = min(pause, self._probing.again)
        return pause * self._random.uniform(1.0, 1.0 + _SPREAD)

    async def _looks(self, spec: ServerSpec, look: Look) -> None:
        sight = _Sight(self._pool.monotonic())
        while True:
            pause = max(self._probing.again, _LEAST_SLEEP)
            await self._clock.sleep(pause * self._random.uniform(1.0, 1.0 + _SPREAD))
            view = self._pool.look(spec.url)
            if view is not None and self._may_look(view, sight):
                self._saw(view, sight, reason=await self._missing(spec, look))
                sight.at = self._pool.monotonic()

    def _may_look(self, view: ServerView, sight: _Sight) -> bool:
        """Whether it is time for a look: also at once when a server goes out, for later it may be there again."""
        since = self._pool.monotonic() - sight.at
        if view.healthy:
            sight.away = True if sight.missed else None
            return sight.missed > 0 or min(since, self._pool.heard(view.url)) >= self._probing.every
        if sight.away is None:
            return True
        return self._pool.trial(view.url) if sight.away else since >= self._probing.every

    async def _missing(self, spec: ServerSpec, look: Look) -> str:
        """Return why a server cannot be reached, `""` where it can: any answer of its own will do."""
        seconds = self._probing.look_deadline
        try:
            async with asyncio.timeout(seconds):
                await look(spec)
        except TimeoutError:
            return f"no answer within {seconds:g} s"
        except (ModelRateLimited, Crashed):
            return ""
        except (ModelUnavailable, ModelTimeout) as error:
            return str(error)
        except ModelError:
            return ""
        return ""

    def _saw(self, view: ServerView, sight: _Sight, *, reason: str) -> None:
        """Tell the pool what a look is worth; `view` is how the server stood before."""
        if view.healthy:
            sight.missed = sight.missed + 1 if reason else 0
            if sight.missed >= _MISSED:
                self._pool.probed(view.url, Outcome.FAILED, reason=reason)
        elif reason:
            sight.missed, sight.away = 0, True
            self._pool.probed(view.url, Outcome.FAILED, reason=reason)
        elif sight.away:
            self._pool.probed(view.url, Outcome.ANSWERED)
        else:
            sight.missed, sight.away = 0, False

    async def _gauges(self, spec: ServerSpec) -> None:
        while True:
            found: Gauges | None = None
            try:
                async with asyncio.timeout(self._probing.gauges_deadline):
                    found = await self._read_gauges(spec)
            except TimeoutError:
                found = None  # what it told before grows old by itself
            if found is not None:
                self._pool.measured(spec.url, found)
            turns = 1 if found is not None else _WITHOUT_GAUGES
            await self._clock.sleep(turns * self._probing.gauges * self._random.uniform(1.0 - _SPREAD, 1.0 + _SPREAD))

    async def _reap(self) -> None:
        while True:
            await self._clock.sleep(self._pool.lease_seconds / 4)
            self._pool.reap()
