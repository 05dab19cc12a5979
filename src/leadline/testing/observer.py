"""Keeps what happens in a run for a test to look at."""

from __future__ import annotations

from typing import TypeVar

from leadline.events import Event, Progress, Record

E = TypeVar("E", bound=Event)


class EventRecorder:
    """`Observer` that remembers: `records` in order of arrival, live text apart in `live`.

    `tenants` tells whose each run is.
    """

    def __init__(self) -> None:
        self.records: list[tuple[str, Record]] = []
        self.live: list[Progress] = []
        self.tenants: dict[str, str] = {}

    def record(self, run_id: str, tenant: str, record: Record) -> None:
        """Take a committed event."""
        self.records.append((run_id, record))
        self.tenants[run_id] = tenant

    def progress(self, progress: Progress) -> None:
        """Take live text."""
        self.live.append(progress)

    def types(self, run_id: str | None = None) -> list[str]:
        """Return the types of the events, of one run or of all."""
        return [r.event.type for run, r in self.records if run_id in {None, run}]

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of one class, in order."""
        return [record.event for _, record in self.records if isinstance(record.event, kind)]

    def text(self, kind: str = "text") -> str:
        """Return the live text of one kind, joined."""
        return "".join(piece.text for piece in self.live if piece.kind == kind)
