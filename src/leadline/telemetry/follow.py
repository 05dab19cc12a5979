"""Follows the runs that this process holds, and tells readers what happens to them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from leadline.events import (
    ClaimChecked,
    ModelAnswered,
    ModelAsked,
    Progress,
    Record,
    RunHandedOver,
    RunResumed,
    RunWaiting,
    ToolAnswered,
    ToolAsked,
)
from leadline.ports import Run
from leadline.ports.signals import RunBroke, RunLeft, RunTaken, Signal
from leadline.telemetry.quality import queries_of

log = logging.getLogger("leadline.telemetry")

READER_BROKE: Final = "telemetry_reader_broke"
"""Name of the log line of a reader's bug; the run goes on."""


@dataclass(slots=True)
class Followed:
    """What is known of a run that this process holds, from its journal and since.

    `asked` are intents without outcome, `queries` what was searched for, `verdicts` claims checked,
    `steps` the rounds begun (branch and number), `waited` the seconds that it waited for a person.
    """

    run: Run
    began_at: float
    asked: dict[str, Record] = field(default_factory=dict)
    queries: set[str] = field(default_factory=set)
    verdicts: Counter[str] = field(default_factory=Counter)
    steps: set[tuple[str, int]] = field(default_factory=set)
    waited: float = 0.0
    resumed: bool = False
    expired: bool = False

    @classmethod
    def of(cls, taken: RunTaken) -> Followed:
        """Return what a run's journal tells at the claim."""
        past = taken.past
        followed = cls(run=taken.run, began_at=past[0].at)
        stopped: Record | None = None
        for record in past:
            if isinstance(record.event, RunWaiting | RunHandedOver):
                stopped = record
            elif isinstance(record.event, RunResumed):
                followed.resumed, followed.expired = True, stopped is None
                if stopped is not None and isinstance(stopped.event, RunWaiting):
                    followed.waited += record.at - stopped.at
                stopped = None
            else:
                followed.see(record)
        return followed

    def see(self, record: Record) -> Record | None:
        """Take an event; return the intent of an outcome."""
        event = record.event
        if isinstance(event, ModelAsked | ToolAsked):
            self.asked[event.call] = record
            branch, number, *_ = event.call.split("/")
            self.steps.add((branch, int(number)))
        elif isinstance(event, ModelAnswered | ToolAnswered):
            return self.asked.pop(event.call, None)
        elif isinstance(event, ClaimChecked):
            self.verdicts[event.verdict] += 1
        return None

    def repeats(self, asked: ToolAsked) -> list[bool]:
        """Return of each query of a call whether this run asked it before; they count as asked then."""
        found = []
        for query in queries_of(asked):
            found.append(query in self.queries)
            self.queries.add(query)
        return found


class Seen(NamedTuple):
    """An event of a run that is held here, with the intent where it is an outcome."""

    run: Followed
    record: Record
    asked: Record | None

    @property
    def seconds(self) -> float:
        """How long the call took whose outcome it is; 0 where its intent is not known."""
        return 0.0 if self.asked is None else max(0.0, self.record.at - self.asked.at)


class Reader(Protocol):
    """One kind of what a process tells."""

    def event(self, seen: Seen) -> None:
        """Take an event of a run."""
        ...

    def signal(self, signal: Signal, run: Followed | None) -> None:
        """Take a signal, with the run where it is about one that is held here."""
        ...


class Broadcast:
    """`Observer` and `Signals` over readers.

    Events count only of runs that a `RunTaken` was told of: what a worker here holds.
    """

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._readers = tuple(readers)
        self._runs: dict[str, Followed] = {}
        self._broken: set[str] = set()

    def record(self, run_id: str, tenant: str, record: Record) -> None:
        """See `Observer.record`."""
        del tenant
        run = self._runs.get(run_id)
        if run is None:
            return
        seen = Seen(run, record, run.see(record))
        self._tell(lambda reader: reader.event(seen))

    def progress(self, progress: Progress) -> None:
        """See `Observer.progress`: live text is nobody's business here."""

    def signal(self, signal: Signal) -> None:
        """See `Signals.signal`."""
        run: Followed | None = None
        if isinstance(signal, RunTaken):
            run = self._runs[signal.run.id] = Followed.of(signal)
        elif isinstance(signal, RunLeft):
            run = self._runs.pop(signal.run_id, None)
        elif isinstance(signal, RunBroke):
            run = self._runs.get(signal.run_id)
        self._tell(lambda reader: reader.signal(signal, run))

    def _tell(self, tell: Callable[[Reader], None]) -> None:
        for reader in self._readers:
            try:
                tell(reader)
            except Exception:
                name = type(reader).__name__
                if name not in self._broken:  # once: a log that breaks here would tell itself for ever
                    self._broken.add(name)
                    log.exception(READER_BROKE, extra={"reader": name})
