"""Names of authors as reference managers take them: family and given apart where that is sure, else whole."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from leadline.domain import Json
from leadline.render.breaks import wide

_PARTICLES: Final = frozenset(
    {"da", "de", "del", "den", "der", "di", "du", "la", "le", "ten", "ter", "van", "von", "zu"}
)
_BODIES: Final = re.compile(
    r"\b(?:academy|agency|alliance|association|authors|bank|board|bureau|bbc|center|centre|college|commission|committee"
    r"|community|company|consortium|contributors?|corp|corporation|council|department|developers?|editors?|foundation"
    r"|gmbh|government|group|inc|institute|laborator(?:y|ies)|llc|ltd|maintainers?|ministry|network|news|office"
    r"|organi[sz]ation|press|project|school|service|society|staff|systems?|team|times|union|university|wikipedia)\b",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"[^\W\d_](?:[^\W\d_]|['’.\-])*")


class Person(NamedTuple):
    """An author. `given` is empty for a name that is kept whole: a body, a single word, a Chinese name."""

    family: str
    given: str

    @property
    def bibtex(self) -> str:
        """The pattern for BibTeX's name parser, to be filled with family and given: what stays whole is in braces."""
        return "{0}, {1}" if self.given else "{{{0}}}"

    @property
    def sorted(self) -> str:
        """The name as lists have it: `Hertzog, Raphaël`."""
        return f"{self.family}, {self.given}" if self.given else self.family

    @property
    def csl(self) -> dict[str, Json]:
        """The name variable of CSL."""
        return {"family": self.family, "given": self.given} if self.given else {"literal": self.family}


def person(name: str) -> Person:
    """Return an author's name, taken apart only where it reads as given names and a family name.

    `Hertzog, Raphaël` and `Raphaël Hertzog` are one; `Ludwig van Beethoven` sorts under `van Beethoven`.
    """
    whole = Person(name, "")
    if any(map(wide, name)) or _BODIES.search(name):
        return whole
    family, comma, given = (part.strip() for part in name.partition(","))
    if comma:
        return Person(family, given) if _plain(family) and _plain(given) else whole
    words = name.split()
    if not 2 <= len(words) <= 5 or not _plain(name):
        return whole
    at = len(words) - 1
    while at > 1 and words[at - 1].lower() in _PARTICLES:
        at -= 1
    rest, last = words[:at], words[at:]
    if any(word[0].islower() for word in (*rest, last[-1])):
        return whole
    return Person(" ".join(last), " ".join(rest))


def _plain(name: str) -> bool:
    """Whether a name is made of words alone."""
    words = name.split()
    return bool(words) and all(_WORD.fullmatch(word) for word in words)
