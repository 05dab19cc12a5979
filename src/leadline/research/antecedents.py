"""What a sentence's opening pronoun stands for, told from the sentences before it."""

from __future__ import annotations

import re

from leadline.research.evidence import Ledger
from leadline.research.passages import sentences_near
from leadline.research.reading import names_of
from leadline.research.asking import key_of
from leadline.text.names import find_names

_PRONOUN = re.compile(
    r"\s*(?:(?:It|He|She|They|Its|His|Her|Their)\b(?!')|[他她它该該其](?![他们們]|中|他|次|实|實|余|餘))"
)
_PEOPLE = re.compile(r"\s*(?:(?:He|She|His|Her)\b|[他她])")
_MOST_BACK = 4
_REACH = 1_200
_LEADING = re.compile(r"\s*(?:The |An? )?[\"'\u201c\u300a\u300c]?")
_BRACKETED = re.compile(r"\s*[(\uff08][^()\uff08\uff09]*[)\uff09]\s*")


def antecedent(ledger: Ledger, source: str, start: int) -> str:
    """Return the name that the pronoun stands for which opens the sentence at `start`, else nothing.

    It is the name that opens the nearest earlier sentence of the paragraph that does not open with a
    pronoun itself; where that sentence opens the text, the title is as good.
    """
    text = ledger.text(source)
    if not _PRONOUN.match(text, start):
        return ""
    near = [s for s in sentences_near(text, start, start + 1, reach=_REACH) if s.end <= start]
    for span in reversed(near[-_MOST_BACK:]):
        line = text[span.start : span.end]
        if _PRONOUN.match(line):
            continue
        return _opening_name(line, ledger.source(source).title)
    return ""


def _opening_name(line: str, title: str) -> str:
    bare = _BRACKETED.sub(" ", title).strip()
    keys = {key for key, strength in names_of(title, line)}
    opening = _LEADING.match(line)
    at = opening.end() if opening else 0
    if key_of(line).startswith(key_of(bare)) and bare:
        return bare
    for name in find_names(line):
        if name.start <= at and len(name.text) > 1:
            return bare if key_of(name.text) in keys and key_of(bare) in keys and bare else name.text
        break
    return ""
