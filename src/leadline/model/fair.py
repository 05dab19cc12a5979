"""A queue that serves tenants in turn: whoever asks much waits behind his own, not before others."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """First come, first served within a tenant; tenants take turns.

    Invariant: a tenant is in the ring exactly while it has entries, and a turn taken puts it last.
    """

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[T]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[T]:
        for line in list(self._lines.values()):
            yield from list(line)

    def waiting(self, tenant: str) -> int:
        """Return how many entries of a tenant wait."""
        return len(self._lines.get(tenant, ()))

    def push(self, tenant: str, entry: T) -> None:
        """Put an entry at the end of its tenant's line."""
        self._lines.setdefault(tenant, deque()).append(entry)
        self._size += 1

    def remove(self, tenant: str, entry: T) -> None:
        """Take an entry out, wherever it stands; one that is not there is no error."""
        line = self._lines.get(tenant)
        if line is None or entry not in line:
            return
        line.remove(entry)
        self._taken(tenant, line)

    def take(self, fits: Callable[[T], bool]) -> T | None:
        """Take out the first entry, by tenants' turns, that fits; the tenant's next turn comes last."""
        for tenant, line in list(self._lines.items()):
            found = next((entry for entry in line if fits(entry)), None)
            if found is not None:
                line.remove(found)
                self._lines.move_to_end(tenant)
                self._taken(tenant, line)
                return found
        return None

    def _taken(self, tenant: str, line: deque[T]) -> None:
        self._size -= 1
        if not line:
            del self._lines[tenant]
