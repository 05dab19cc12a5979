"""What is on the list before going into production, and how each of it stands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from leadline.domain import Json
from leadline.ops.doctor import Diagnosis
from leadline.ops.preflight.site import Site
from leadline.ports import Clock
from leadline.resilience import SystemClock
from leadline.settings import Settings

Section: TypeAlias = Literal["infrastructure", "models", "tools", "monitoring", "security", "recovery"]


class State(StrEnum):
    """How an item stands."""

    DONE = "done"  # looked at, or answered for
    MISSING = "missing"  # looked at, and not so; or not answered for
    NOT_NEEDED = "not_needed"  # the settings have no such part


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How an item stands: what was seen, and what to do where it is missing."""

    state: State
    told: str
    command: str = ""


def done(told: str) -> Standing:
    """Return that it is so."""
    return Standing(state=State.DONE, told=told)


def missing(told: str, command: str = "") -> Standing:
    """Return that it is not so, or could not be seen; `command` is what to do."""
    return Standing(state=State.MISSING, told=" ".join(told.split()), command=command)


def not_needed(told: str) -> Standing:
    """Return that there is no such part."""
    return Standing(state=State.NOT_NEEDED, told=told)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What an operator answered for: who, on which day (ISO 8601)."""

    yes: bool
    by: str
    on: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What items look at. `try_alert`: an alert may be sent to see it delivered."""

    settings: Settings
    diagnosis: Diagnosis
    site: Site
    try_alert: bool = False
    clock: Clock = field(default_factory=SystemClock)


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One item. A `must` that is missing keeps a deployment from production; without `look` the operator is asked.

    `last`: it is gone through after the others, whose requests would be refused because of it.
    """

    id: str
    section: Section
    text: str
    must: bool = True
    look: Callable[[Ground], Awaitable[Standing]] | None = None
    seconds: float = 30.0
    last: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """An item as it stands."""

    item: Item
    standing: Standing

    @property
    def keeps(self) -> bool:
        """Whether it keeps the deployment from production."""
        return self.item.must and self.standing.state is State.MISSING

    def body(self) -> dict[str, Json]:
        """Return it as JSON."""
        return {
            "id": self.item.id,
            "section": self.item.section,
            "text": self.item.text,
            "must": self.item.must,
            "asked": self.item.look is None,
            "state": str(self.standing.state),
            "told": self.standing.told,
            "next": self.standing.command,
        }
