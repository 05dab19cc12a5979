"""Readers of what happens."""

from __future__ import annotations

from typing import Protocol

from leadline.events import Progress, Record


class Observer(Protocol):
    """Reads what happens; what it raises is the caller's bug, so it must not."""

    def record(self, run_id: str, tenant: str, record: Record) -> None:
        """Take a committed event, once, in the process that appended it."""
        ...

    def progress(self, progress: Progress) -> None:
        """Take live text; never stored."""
        ...
