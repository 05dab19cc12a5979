"""Where a run stands, why it ended, what a person wishes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"  # for a person
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """True for a state that nothing follows."""
        return self in {RunState.DONE, RunState.FAILED, RunState.CANCELLED}


class StopReason(StrEnum):
    """Why a run ended."""

    ANSWERED = "answered"
    NOTHING_FOUND = "nothing_found"
    STEPS = "steps"
    TOKENS = "tokens"
    MONEY = "money"
    DEADLINE = "deadline"
    FINISHED_EARLY = "finished_early"  # a person asked for the report now
    CANCELLED = "cancelled"
    ERROR = "error"
    ATTEMPTS = "attempts"  # its worker died too often


class Flag(StrEnum):
    """A wish of a person about a run that is under way."""

    FINISH = "finish"  # stop gathering, write now
    CANCEL = "cancel"  # stop


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a run came from; it never changes its course.

    `method` is `cli`, `api`, `openai`, `mcp` or `schedule`. `request` is the id of the request that
    asked for it, `traceparent` the trace that it belongs to (W3C Trace Context); both may be empty.
    """

    method: str = ""
    request: str = ""
    traceparent: str = ""
