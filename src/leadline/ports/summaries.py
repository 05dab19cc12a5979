"""Long texts in few words, for a goal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from leadline.domain import Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a summariser said: its summary, the passages that it claims to have copied, and what it cost."""

    summary: str
    evidence: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)


class Summarizer(Protocol):
    """Sums a text up for a goal."""

    @property
    def name(self) -> str:
        """Who it is, as results say."""
        ...

    async def summarise(self, content: str, goal: str, *, language: str, deadline: float) -> Said:
        """Return the summary, never an empty one. Raises `ModelError`, `ToolFailed`."""
        ...
