"""What a sentence's opening pronoun stands for, told from the sentences before it."""

from __future__ import annotations

import re

from leadline.research.asking import key_of, words_of
from leadline.research.evidence import Ledger
from leadline.research.passages import sentences_near
from leadline.research.reading import names_of
from leadline.text.names import find_names
from leadline.text.sentences import split

_PRONOUN = re.compile(
    r"\s*(?:(?:It|He|She|They|Its|His|Her|Their)\b(?!')|[他她它该該其](?![他们們]|中|他|次|实|實|余|餘))"
)
_PEOPLE = re.compile(r"\s*(?:(?:He|She|His|Her)\b|[他她])")
# "During the Second World War he predicted": what comes before is no subject.
_LATER = re.compile(
    r"\s*(?:After|Among|As|At|Before|By|During|For|From|In|On|Since|Until|With|When|While)\b[^.;:]{2,60}?,?\s(?:he|she)\b"
)
_MOST_BACK = 4
_REACH = 1_200
_LEADING = re.compile(r"\s*(?:The |An? )?[\"'\u201c\u300a\u300c]?")
_PROSE = 40
_SURE = 0.6


def antecedent(ledger: Ledger, source: str, start: int) -> str:
    """Return the name that the pronoun stands for which opens the sentence at `start`, else nothing.

    It is the name that opens the nearest earlier sentence which does not open with a pronoun itself:
    a name by which the page goes, or, for a person's pronoun, a name of several words.
    """
    text = ledger.text(source)
    later = _LATER.match(text, start)
    if not later and not _PRONOUN.match(text, start):
        return ""
    near = [s for s in sentences_near(text, start, start + 1, reach=_REACH) if s.end <= start]
    opening = next((text[s.start : s.end] for s in split(text[:_REACH]) if s.length >= _PROSE), "")
    keys = {key for key, strength in names_of(ledger.source(source).title, opening) if strength >= _SURE}
    for span in reversed(near[-_MOST_BACK:]):
        line = text[span.start : span.end]
        if not _PRONOUN.match(line):
            return _opening_name(line, keys, person=bool(later or _PEOPLE.match(text, start)))
    return ""


def _opening_name(line: str, keys: set[str], *, person: bool) -> str:
    """Return the name that opens a line: a page's own, or, where a person is meant, one of several words."""
    opening = _LEADING.match(line)
    at = opening.end() if opening else 0
    name = next((name for name in find_names(line) if name.start <= at), None)
    if name is not None and (key_of(name.text) in keys or (person and _is_person(name.text))):
        return name.text
    flat = key_of(line)
    own = [key for key in sorted(keys, key=len, reverse=True) if flat.startswith(key)]
    return _written(line[at:], own[0]) if own else ""


def _written(line: str, key: str) -> str:
    """Return the shortest beginning of a line that a key stands for."""
    words = words_of(line)
    for last, word in enumerate(words, start=1):
        if key_of(line[: word.end]) == key:
            return line[: words[last - 1].end]
    return ""


def _is_person(name: str) -> bool:
    return 2 <= len(name.split()) <= 4 and all(word[:1].isupper() for word in name.split())
