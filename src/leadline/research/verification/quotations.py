"""Passages that a writer put in quotation marks: exact words of a source, or no quotation at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from leadline.domain import Citation, Excerpt
from leadline.research.evidence import Ledger
from leadline.text.clean import squeeze
from leadline.text.language import has_cjk
from leadline.text.offsets import Span
from leadline.text.spans import locate_parts

# Shorter passages in quotation marks are titles or terms rather than verbatim speech.
_LEAST: Final = 20
_LEAST_CJK: Final = 8
_QUOTED: Final = re.compile(
    "\u201c([^\u201c\u201d]{4,2000})\u201d|\u300c([^\u300c\u300d]{4,2000})\u300d"
    "|\u300e([^\u300e\u300f]{4,2000})\u300f|\u00ab([^\u00ab\u00bb]{4,2000})\u00bb"
    '|"([^"]{4,2000})"'
)
# A longer text is searched for the exact words only.
_FOLDED_AT_MOST: Final = 200_000
_WORD: Final = re.compile("[A-Za-z]{3,}(?![A-Za-z\u00ad\u2010-])")
_REACH: Final = 2_000


class Settled(NamedTuple):
    """A claim whose quotations are exact, the spans they stand at, and those that stand nowhere."""

    text: str
    citations: tuple[Citation, ...]
    missing: tuple[str, ...]


def quotations(text: str) -> tuple[str, ...]:
    """Return the passages of `text` that claim to be verbatim."""
    return tuple(quote for _, quote in _quoted(text))


def _quoted(text: str) -> list[tuple[Span, str]]:
    found = []
    for match in _QUOTED.finditer(text):
        inner = next(group for group in match.groups() if group is not None)
        if len(inner.strip()) >= (_LEAST_CJK if has_cjk(inner) else _LEAST):
            found.append((Span(*match.span()), inner))
    return found


def settle_quotations(text: str, excerpts: Sequence[Excerpt], *, ledger: Ledger) -> Settled:
    """Locate each quotation of `text` in the excerpts, then in the sources they belong to.

    What is found is replaced by the stored words, white space squeezed for display. What is not
    found loses its quotation marks.
    """
    parts: list[str] = []
    citations: list[Citation] = []
    missing: list[str] = []
    done = 0
    for span, quote in _quoted(text):
        opening, closing = text[span.start], text[span.end - 1]
        places = _places(quote, excerpts, ledger=ledger)
        if places:
            words = " \u2026 ".join(squeeze(place.quote) for place in places)
            shown = f"{opening}{words}{closing}"
            citations.extend(places)
        else:
            shown = quote
            missing.append(quote)
        parts += [text[done : span.start], shown]
        done = span.end
    parts.append(text[done:])
    return Settled("".join(parts), tuple(citations), tuple(missing))


def _places(quote: str, excerpts: Sequence[Excerpt], *, ledger: Ledger) -> list[Citation]:
    for excerpt in excerpts:
        text = ledger.text(excerpt.source_id)
        found = _near(quote, text, excerpt=excerpt) or _anywhere(quote, text, hint=excerpt.start)
        if found:
            return [ledger.citation(excerpt.source_id, *span) for span in found]
    return []


def _near(quote: str, text: str, *, excerpt: Excerpt) -> list[Span]:
    low = max(0, excerpt.start - _REACH)
    part = text[low : excerpt.end + _REACH][:_FOLDED_AT_MOST]
    return [span.shift(low) for span in locate_parts(quote, part)]


def _anywhere(quote: str, text: str, *, hint: int) -> list[Span]:
    """Return where the quote stands in the whole text, which is folded only where it may help."""
    wanted = quote.strip()
    at = text.find(wanted)
    if at >= 0:
        return [Span(at, at + len(wanted))]
    # Folding changes no letter of a plain word, so each must stand in the text.
    hopeful = all(word in text for word in _WORD.findall(wanted))
    if not hopeful or len(text) > _FOLDED_AT_MOST:
        return []
    return locate_parts(quote, text, hint=hint)
