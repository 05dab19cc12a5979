"""What a report says first of the sentences that answer: the best of them, and what it must be read with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from leadline.research.extractive.conditions import yes_or_no_before
from leadline.research.extractive.hops import Survey
from leadline.research.extractive.ranking import Ranked
from leadline.research.extractive.reading import Line
from leadline.research.extractive.shapes import Shape, shape_of
from leadline.text.offsets import Span

_GOES_ON: Final = ("；", ";", "，", ",")


class Pointed(NamedTuple):
    """A sentence that answers: its line, how well, what values it names, and the line to be read with it, if any.

    `headed` where it stands under a heading that asks the same.
    """

    line: Line
    score: float
    covered: float
    values: frozenset[str] = frozenset()
    beside: Line | None = None
    headed: bool = False


def answering(found: Sequence[Pointed], seen: Survey) -> tuple[Ranked, ...]:
    """Return what a report says first: the best sentence, with the one that it must be read with.

    Where another page says as much of the question and names none of its values, both are told.
    """
    if not found:
        return ()
    best = found[0]
    other = next((one for one in found if _otherwise(best, one, seen)), None)
    lines = sorted(filter(None, (best.line, best.beside)), key=lambda line: line.start)
    lines += [] if other is None else [other.line]
    told = [_told(best, line, Span(line.start, _ended(line, seen)), seen=seen) for line in lines]
    if shape_of(seen.asked) is Shape.YES_NO and lines:
        said = yes_or_no_before(seen.pages[lines[0].page].text, lines[0].start)
        told = (
            told if said is None else [_told(best, lines[0], said, seen=seen), replace(told[0], under=None), *told[1:]]
        )
    return tuple(told)


def _told(best: Pointed, line: Line, span: Span, *, seen: Survey) -> Ranked:
    return Ranked(
        source_id=seen.pages[line.page].source.id,
        start=span.start,
        end=span.end,
        score=best.score,
        coverage=best.covered,
        terms=line.terms,
        under=line.under,
    )


def _ended(line: Line, seen: Survey) -> int:
    """Return where a line ends without the semicolon or comma that leads on to another clause."""
    text = seen.pages[line.page].text[line.start : line.end]
    return line.start + len(text.rstrip("；;，, ")) if text.endswith(_GOES_ON) else line.end


def _otherwise(best: Pointed, one: Pointed, seen: Survey) -> bool:
    """Whether a sentence of another page answers in the same words by another value."""
    asked = frozenset(seen.asked.terms)
    return (
        one.line.page != best.line.page
        and bool(best.values and one.values)
        and best.values.isdisjoint(one.values)
        and asked & one.line.terms == asked & best.line.terms
    )
