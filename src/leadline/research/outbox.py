"""A run's way into its journal: entries in the order in which they came, each written once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence

from leadline.errors import StoreError, StoreFull, StoreUnavailable
from leadline.events import Entry, Record
from leadline.ports import Clock, RunStore

log = logging.getLogger("leadline.journal")

OUTCOME_WAIT = 0.002
"""Seconds an outcome may wait for an intent to share an append with."""

OUTCOME_TURNS = 3
"""Turns of the event loop that it waits beyond: a run that can go on has asked for its next call by then."""

STORE_PATIENCE = 600.0
"""Seconds for which finished outcomes wait in memory for a store that is away."""

LEAVING_PATIENCE = 3.0
"""The same for a worker that gives the run up: what it cannot write is paid once more."""


class Outbox:
    """Appends entries of one run under one fence; `committed` is told each record, once, after its commit.

    A `patient` one waits for a full disk as it does for a store that is away: whoever took the run over would
    pay for its calls once more, and could not write their answers either. Who asked in a terminal is told at once.
    """

    def __init__(
        self,
        *,
        run_id: str,
        fence: int,
        store: RunStore,
        clock: Clock,
        committed: Callable[[Record], None],
        patient: bool = False,
    ) -> None:
        self._run_id = run_id
        self._patient = patient
        self._fence = fence
        self._store = store
        self._clock = clock
        self._committed = committed
        self._waiting: list[Entry] = []
        self._timer: asyncio.Handle | None = None
        self._writes: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()  # entries leave in the order in which they came
        self._patience = STORE_PATIENCE

    def put(self, *entries: Entry) -> None:
        """Leave entries for the next append."""
        self._waiting.extend(entries)

    def soon(self) -> None:
        """Append what waits in a moment, though nothing else calls for it."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(OUTCOME_WAIT, self._now, OUTCOME_TURNS)

    async def write(self, *entries: Entry) -> None:
        """Append what waits and `entries`, durably.

        A caller that is cancelled leaves the append to its end: entries are written once, or not
        at all. Raises `StoreError`; what waited then waits on.
        """
        self._unwind()
        await asyncio.shield(self._start(self._append(entries)))

    def leave(self) -> None:
        """Wait for a store that is away no longer than a worker on its way out can."""
        self._patience = LEAVING_PATIENCE

    async def close(self) -> None:
        """Write what waits; a store that fails now keeps what it has."""
        self.leave()
        self._unwind()
        if self._writes:
            await asyncio.wait(self._writes)
        await self._quietly()

    def _now(self, turns: int) -> None:
        """Append what waits, after so many turns of the loop: where it is busy, a time alone says little."""
        if turns:
            self._timer = asyncio.get_running_loop().call_soon(self._now, turns - 1)
            return
        self._timer = None
        if self._waiting:
            _ = self._start(self._quietly())

    def _unwind(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Start a write, which no cancellation of a caller ends; `close` waits for it."""
        task = asyncio.get_running_loop().create_task(work, name=f"journal {self._run_id}")
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return task

    async def _quietly(self) -> None:
        """Write what waits; where that fails the entries stay, and the next append meets the failure."""
        try:
            await self._append(())
        except StoreError:
            return

    async def _append(self, entries: Sequence[Entry]) -> None:
        async with self._turn:
            count = len(self._waiting)
            batch = [*self._waiting, *entries]
            if not batch:
                return
            last = await self._patiently(batch)
            del self._waiting[:count]
            for seq, entry in enumerate(batch, last - len(batch) + 1):
                self._committed(Record(seq=seq, at=entry.at, branch=entry.branch, event=entry.event))

    async def _patiently(self, batch: Sequence[Entry]) -> int:
        """Append, waiting for a store that is away; the fence decides whether the wait was in vain."""
        waited, pause = 0.0, 0.05
        while True:
            try:
                return await self._store.append(self._run_id, self._fence, batch)
            except (StoreUnavailable, StoreFull) as error:
                full = isinstance(error, StoreFull)
                if waited >= self._patience or (full and not self._patient):
                    raise
                if full and not waited:
                    log.warning("store_full", extra={"run": self._run_id, "reason": str(error)})
                await self._clock.sleep(pause)
                waited, pause = waited + pause, min(2.0, pause * 2)
