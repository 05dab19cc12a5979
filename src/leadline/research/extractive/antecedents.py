"""What a sentence's opening pronoun stands for, told from the sentences before it."""

from __future__ import annotations

import re

from leadline.research.evidence import Ledger
from leadline.research.extractive.asking import key_of, words_of
from leadline.research.extractive.reading import names_of
from leadline.research.passages import sentences_near
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
_THING = re.compile(r"\s*Its?\b(?!')")
# "For the dive it was given a sphere": a phrase without a verb, so that nothing in it does anything.
_LATER_THING = re.compile(
    r"\s*(?:At|By|During|For|From|In|On|Since|Until|With)\b(?P<phrase>[^.,;:]{2,60}?),?\s(?P<it>it)\s(?:is|was|has|had|became|\w{3,}ed|\w{3,}s)\b"
)
_VERB = re.compile(r"\b(?:is|was|are|were|has|had|have|did|does|can|could|will|would|that|which|who|\w{3,}ed|said)\b")
# "It was thought that", "it took years to": nothing is meant.
_EMPTY = re.compile(
    r"\sit\s(?:took|rained|snowed|seems?|appears?|turned out|\w+\s[^.,;:]{0,40}?\b(?:that|to|whether|how)\b)"
)
# "a bathyscaphe, a diving craft that ...": what the page's first sentence calls the thing it is about.
_DEFINED = re.compile(r"\s(?:is|was)\s(?=an?\s)")
_CALLED = re.compile(
    r"\ban?\s(?:[\w-]+\s){0,3}?([a-z]{3,})(?=[,.;]|\s(?:that|which|in|of|for|on|from|at|by|with|and|built|designed|made)\b)"
)
# "near the city" is no subject and no object: the next "it" is rather something else.
_ASIDE = re.compile(r"\b(?:about|at|by|for|from|in|into|near|of|on|over|to|with)\s\Z")
_NEW = re.compile(r"\b(?:an?|another|one|some|its|their|his|her)\s")
_SET = re.compile(r"\b(?:the|this|that|these|those)\s", re.IGNORECASE)
_MOST_BACK = 4
_REACH = 1_200
_LEADING = re.compile(r"\s*(?:The |An? )?[\"'\u201c\u300a\u300c]?")
_PROSE = 40
_SURE = 0.6


def antecedent(ledger: Ledger, source: str, start: int) -> str:
    """Return the name that the pronoun stands for which opens the sentence at `start`, else nothing.

    It is the name that opens the nearest earlier sentence which does not open with a pronoun itself:
    a name by which the page goes, or, for a person's pronoun, a name of several words. A thing's pronoun
    may follow a phrase, and what it stands for may be called there by what the page's opening calls it.
    """
    text = ledger.text(source)
    later, thing = _LATER.match(text, start), _later_thing(text, start)
    if not later and not thing and not _PRONOUN.match(text, start):
        return ""
    near = [s for s in sentences_near(text, start, start + 1, reach=_REACH) if s.end <= start]
    opening = next((text[s.start : s.end] for s in split(text[:_REACH]) if s.length >= _PROSE), "")
    keys = {key for key, strength in names_of(ledger.source(source).title, opening) if strength >= _SURE}
    for span in reversed(near[-_MOST_BACK:]):
        line = text[span.start : span.end]
        if not _PRONOUN.match(line):
            person = bool(later or _PEOPLE.match(text, start))
            name = _opening_name(line, keys, person=person)
            return name or (_by_kind(line, opening, keys) if thing or _THING.match(text, start) else "")
        if thing and not _THING.match(line):
            return ""
    return ""


def _later_thing(text: str, start: int) -> bool:
    """Whether a sentence opens with a phrase, and then with a pronoun that stands for a thing."""
    found = _LATER_THING.match(text, start)
    return found is not None and not _VERB.search(found["phrase"]) and not _EMPTY.match(text, found.start("it") - 1)


def _by_kind(line: str, opening: str, keys: set[str]) -> str:
    """Return the page's own name where a line does something with, and only with, "the" kind of thing that it is.

    The page's opening calls it so. A line that brings in something new, or names more after it, tells nothing.
    """
    name = _opening_name(opening, keys, person=False)
    defined = _DEFINED.search(opening)
    if not name or defined is None or _NEW.search(line):
        return ""
    for kind in _CALLED.findall(opening, defined.end()):
        found = re.search(rf"\b[Tt]he {kind}\b", line)
        if found and not _ASIDE.search(line, 0, found.start()) and not _SET.search(line, found.end()):
            return name
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
            return line[: words[last - 1].end].strip()
    return ""


def _is_person(name: str) -> bool:
    return 2 <= len(name.split()) <= 4 and all(word[:1].isupper() for word in name.split())
