"""A worker's hold on a run: the fence, the lease as last confirmed, and the flag it was told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from leadline.domain import Flag
from leadline.errors import LeaseLost


class Hold:
    """A worker's hold on a run: its fence, its lease as last confirmed, and the flag it was told.

    The worker renews it from heartbeats; the recorder asks it before each paid call. A `patient` one
    waits where a disk is full, as it does for a store that is away.
    """

    def __init__(self, *, fence: int, lease: float, monotonic: Callable[[], float], patient: bool = False) -> None:
        self.fence = fence
        self.patient = patient
        self.flag: Flag | None = None
        self._monotonic = monotonic
        self._until = monotonic() + lease
        self._lost = False
        self._watchers: list[Callable[[Flag], None]] = []
        self._news = asyncio.Event()

    @property
    def lost(self) -> bool:
        """Whether another worker owns the run."""
        return self._lost

    def renewed(self, lease: float) -> None:
        """Note that the store confirmed the lease for `lease` more seconds."""
        self._until = self._monotonic() + lease
        self._news.set()

    def lose(self) -> None:
        """Note that another worker owns the run."""
        self._lost = True
        self._news.set()

    def raise_flag(self, flag: Flag) -> None:
        """Note a person's wish; `cancel` outranks `finish`."""
        if self.flag is Flag.CANCEL or self.flag is flag:
            return
        self.flag = flag
        for watcher in self._watchers:
            watcher(flag)

    def watch(self, watcher: Callable[[Flag], None]) -> None:
        """Call `watcher` with each new flag."""
        self._watchers.append(watcher)

    async def fresh(self) -> None:
        """Return once a paid call may start: at once, or when the store has confirmed a lease that ran out.

        Raises `LeaseLost` where the run went to another worker meanwhile.
        """
        while not self._lost and self._monotonic() >= self._until:
            self._news.clear()
            await self._news.wait()
        if self._lost:
            raise LeaseLost("another worker took the run over")
