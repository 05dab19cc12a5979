"""What a long page says about a goal, in the words of a model: a summary, and the passages it rests on.

What the summariser copies is located in the stored text and shown from there; what stands nowhere
in it is dropped. A summary is for orientation and can never be cited: reports quote stored texts
alone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from leadline.domain import Usage
from leadline.errors import ModelError, ToolFailed
from leadline.ports import Cpu, NoSummary, Summarizer
from leadline.text import rank
from leadline.text.language import has_cjk
from leadline.text.offsets import Span
from leadline.text.spans import Folded

log = logging.getLogger("leadline.tools.summary")

FAILED: Final = "summary_failed"
"""Name of the log line of a summary that did not come; what was asked is never in one."""

MOST_SUMMARY: Final = 4_000
"""Code points of a summary that are kept."""

MOST_EVIDENCE: Final = 12
"""Passages that a summariser may copy."""

# A shorter quotation says nothing by itself and stands in many places.
_LEAST_QUOTE: Final = 20
_LEAST_QUOTE_CJK: Final = 8
# A longer text is searched for the exact words only.
_FOLDED_AT_MOST: Final = 400_000
_LEFT_OUT: Final = "[...]"
_LEAST_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """A summary as it is recorded: its text, by whom, of how many characters, and where its evidence stands."""

    text: str
    by: str
    of: int
    evidence: tuple[Span, ...] = ()
    dropped: int = 0
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsummed:
    """That no summary came: the code of why, and what was used up all the same."""

    code: str
    usage: Usage = field(default_factory=Usage)


class Summaries:
    """Sums up texts of more than `above` code points, of each at most `most`, within `seconds`."""

    def __init__(self, summarizer: Summarizer, *, cpu: Cpu, above: int, most: int, seconds: float) -> None:
        self._summarizer = summarizer
        self._cpu = cpu
        self._above = above
        self._most = most
        self._seconds = seconds

    async def of(self, text: str, goal: str, *, language: str, deadline: float) -> Summary | Unsummed | None:
        """Return the summary, what is known of one that did not come, or `None` where none is wanted."""
        if len(text) <= self._above:
            return None
        seconds = min(self._seconds, deadline)
        if seconds < _LEAST_SECONDS:
            return Unsummed(code="deadline")
        content = await self._cpu.run(excerpt, text, goal, self._most, size=len(text))
        try:
            said = await self._summarizer.summarise(content, goal, language=language, deadline=seconds)
        except (ModelError, ToolFailed) as error:
            lost = error if isinstance(error, NoSummary) else None
            code = error.code if lost is None else lost.reason
            log.warning(FAILED, extra={"by": self._summarizer.name, "code": code})
            return Unsummed(code=code, usage=Usage() if lost is None else lost.usage)
        spans = await self._cpu.run(located, text, said.evidence, size=len(text))
        return Summary(
            text=said.summary[:MOST_SUMMARY],
            by=self._summarizer.name,
            of=min(len(text), self._most),
            evidence=tuple(span for span in spans if span is not None),
            dropped=sum(1 for span in spans if span is None),
            usage=said.usage,
        )


def excerpt(text: str, goal: str, most: int) -> str:
    """Return the parts of `text` that serve `goal`, `most` code points at most, gaps marked; pure, for `Cpu`."""
    if len(text) <= most:
        return text
    spans = rank.windows(text, goal, limit_chars=most)
    return f"\n{_LEFT_OUT}\n".join(text[span.start : span.end] for span in spans)


def located(text: str, quotes: Sequence[str]) -> list[Span | None]:
    """Return where each quotation stands in `text`, `None` for one that does not; pure, for `Cpu`.

    White space, dashes, quotation marks and widths of characters may differ.
    """
    folded = Folded(text) if quotes and len(text) <= _FOLDED_AT_MOST else None
    return [_located(text, quote, folded) for quote in quotes[:MOST_EVIDENCE]]


def _located(text: str, quote: str, folded: Folded | None) -> Span | None:
    wanted = quote.strip()
    if len(wanted) < (_LEAST_QUOTE_CJK if has_cjk(wanted) else _LEAST_QUOTE):
        return None
    at = text.find(wanted)
    if at >= 0:
        return Span(at, at + len(wanted))
    return folded.locate(wanted) if folded is not None else None
