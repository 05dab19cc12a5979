"""A journal sorted for lookup: calls by id, notes by branch, flags, and time held."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from leadline.domain import Flag, Json, Source
from leadline.events import (
    ContextFolded,
    FlagSeen,
    ModelAnswered,
    ModelAsked,
    Record,
    RunFinished,
    RunHandedOver,
    RunResumed,
    RunStarted,
    RunWaiting,
    SourceStored,
    ToolAnswered,
    ToolAsked,
)


@dataclass(slots=True)
class Past:
    """A call as the journal has it."""

    asked: Record
    answered: Record | None = None
    sources: list[Source] = field(default_factory=list)
    lost: int = 0  # how often its worker died while it was in flight


class Replied(NamedTuple):
    """What a person was asked, and the answer."""

    waiting: RunWaiting
    reply: Mapping[str, Json]


def asked_for(waiting: RunWaiting) -> str:
    """Return what a person is asked for, by which the answer is found again: `plan` or `question`."""
    return str(waiting.asks.get("for", waiting.reason))


class Timeline:
    """Wall time to seconds held: the time between a worker's last sign and the next one's start is left out."""

    def __init__(self) -> None:
        self._starts: list[tuple[float, float]] = []  # (wall time, seconds held by then)
        self._last = 0.0

    def see(self, record: Record) -> None:
        """Take a record in order."""
        if isinstance(record.event, RunStarted):
            self._starts.append((record.at, 0.0))
        elif isinstance(record.event, RunResumed):
            self._starts.append((record.at, self.held(self._last)))
        self._last = max(self._last, record.at)

    def held(self, at: float) -> float:
        """Return the seconds for which a worker had held the run at wall time `at`."""
        for start, before in reversed(self._starts):
            if at >= start:
                return before + at - start
        return 0.0


class History:
    """A journal, sorted for lookup: calls by id, notes by branch, flags, time."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.calls: dict[str, Past] = {}
        self.notes: dict[str, deque[Record]] = defaultdict(deque)
        self.flags: dict[tuple[str, int], Flag] = {}
        self.rounds: dict[str, int] = defaultdict(int)
        self.replies: dict[str, Replied] = {}
        self.timeline = Timeline()
        self._waiting: RunWaiting | None = None
        self.started: RunStarted | None = None
        self.finished: RunFinished | None = None
        self.began_at = 0.0
        for record in records:
            self._take(record)

    def _take(self, record: Record) -> None:
        event = record.event
        self.timeline.see(record)
        if isinstance(event, ModelAsked | ToolAsked):
            self.calls[event.call] = Past(asked=record)
            self._reached(record.branch, int(event.call.split("/")[1]))
        elif isinstance(event, SourceStored):
            self.calls[event.call].sources.append(event.source)
        elif isinstance(event, ModelAnswered | ToolAnswered):
            self.calls[event.call].answered = record
        elif isinstance(event, FlagSeen):
            self.flags[record.branch, event.round] = event.flag
        elif isinstance(event, RunStarted):
            self.started, self.began_at = event, record.at
        elif isinstance(event, RunResumed):
            self._resume(event)
        elif isinstance(event, RunWaiting):
            self._waiting = event
        elif isinstance(event, RunFinished):
            self.finished = event
        elif not isinstance(event, RunHandedOver):
            self._note(record)

    def _resume(self, event: RunResumed) -> None:
        for past in self.calls.values():
            past.lost += past.answered is None
        if event.reply is not None and self._waiting is not None:
            self.replies[asked_for(self._waiting)] = Replied(self._waiting, event.reply)

    def _note(self, record: Record) -> None:
        self.notes[record.branch].append(record)
        if isinstance(record.event, ContextFolded):
            self._reached(record.branch, record.event.round)

    def _reached(self, branch: str, round_: int) -> None:
        self.rounds[branch] = max(self.rounds[branch], round_)

    def passed(self, branch: str, round_: int) -> bool:
        """Return whether the journal shows this round at work, or a later one: then its flags were looked at."""
        return self.rounds.get(branch, -1) >= round_
