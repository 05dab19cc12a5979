"""Long texts in few words, for a goal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from leadline.domain import Usage
from leadline.errors import ToolFailed


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a summariser said: its summary, the passages that it claims to have copied, and what it cost."""

    summary: str
    evidence: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)


class NoSummary(ToolFailed):
    """A summariser gave none, but `usage` was used up; `reason` is the code of the failure behind it.

    Another summariser may give one.
    """

    retryable = True

    def __init__(self, message: str, *, reason: str = "", usage: Usage | None = None) -> None:
        super().__init__(message)
        self.reason = reason or self.code
        self.usage = usage or Usage(model_calls=1)


class Summarizer(Protocol):
    """Sums a text up for a goal."""

    @property
    def name(self) -> str:
        """Who it is, as results say."""
        ...

    async def summarise(self, content: str, goal: str, *, language: str, deadline: float) -> Said:
        """Return the summary, never an empty one.

        Raises `NoSummary` where the failure has a price, else `ModelError`, `ToolFailed`.
        """
        ...
