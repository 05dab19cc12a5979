"""A worker's hold on a run: the fence, the lease as last confirmed, and the flag it was told."""

from __future__ import annotations

from collections.abc import Callable

from leadline.domain import Flag
from leadline.errors import LeaseLost


class Hold:
    """A worker's hold on a run: its fence, its lease as last confirmed, and the flag it was told.

    The worker renews it from heartbeats; the recorder asks it before each paid call.
    """

    def __init__(self, *, fence: int, lease: float, monotonic: Callable[[], float]) -> None:
        self.fence = fence
        self.flag: Flag | None = None
        self._monotonic = monotonic
        self._until = monotonic() + lease
        self._lost = False
        self._watchers: list[Callable[[Flag], None]] = []

    def renewed(self, lease: float) -> None:
        """Note that the store confirmed the lease for `lease` more seconds."""
        self._until = self._monotonic() + lease

    def lose(self) -> None:
        """Note that another worker owns the run."""
        self._lost = True

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

    def check(self) -> None:
        """Raise `LeaseLost` where no paid call may start."""
        if self._lost:
            raise LeaseLost("another worker took the run over")
        if self._monotonic() >= self._until:
            raise LeaseLost("the lease ran out before the store confirmed it again")
