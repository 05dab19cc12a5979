"""Appends on their way into a journal, the same for every store, and the events that stores write themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from leadline.domain import Failure, RunState, StopReason
from leadline.errors import UnknownRun
from leadline.events import Entry, RunFinished, RunHandedOver, RunResumed, RunStarted, RunWaiting
from leadline.ports import Run
from leadline.tasks.packing import Packer

Closing: TypeAlias = RunFinished | RunWaiting | RunHandedOver


class Step(NamedTuple):
    """A packed event, but for its place."""

    at: float
    branch: str
    type: str
    compressed: bool
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Append:
    """Entries of one run, packed; `closing` is the last one where it changes the run's state."""

    run_id: str
    fence: int
    steps: Sequence[Step]
    closing: Closing | None = None


def packed(packer: Packer, run_id: str, fence: int, *, entries: Sequence[Entry]) -> Append:
    """Return entries packed.

    Raises `ValueError` for events that only stores write, for what follows one that changes the
    state, and for a body that is too large; `TypeError` for what JSON cannot hold.
    """
    steps: list[Step] = []
    closing: Closing | None = None
    for entry in entries:
        event = entry.event
        if closing is not None:
            raise ValueError(f"{event.type} cannot follow {closing.type} in one append")
        if isinstance(event, RunStarted | RunResumed):
            raise ValueError(f"{event.type} is written by the store alone")  # noqa: TRY004 a wrong event, not a wrong type
        if isinstance(event, RunFinished | RunWaiting | RunHandedOver):
            closing = event
        steps.append(Step(entry.at, entry.branch, event.type, *packer.pack(event)))
    return Append(run_id=run_id, fence=fence, steps=steps, closing=closing)


def cancelled() -> RunFinished:
    """Return the end of a run that was cancelled while nobody held it."""
    return RunFinished(state=RunState.CANCELLED, stop_reason=StopReason.CANCELLED)


def exhausted(attempts: int) -> RunFinished:
    """Return the end of a run whose workers died `attempts` times."""
    message = f"the run's worker died {attempts} times; it is not tried again"
    return RunFinished(
        state=RunState.FAILED,
        stop_reason=StopReason.ATTEMPTS,
        failure=Failure(code="attempts", message=message),
    )


def nobody(run: Run) -> None:
    """Hear of a run that a store ended by itself, where nobody wants to know."""


def check_id(run_id: str) -> None:
    """Raise `UnknownRun` for what no text of a database can be equal to: ids come from addresses and messages."""
    if not run_id.isprintable():
        raise UnknownRun("no such run: an id has no such characters")
