"""A sentence taken apart as far as it is asked for: numbers, dates, names, clauses, words.

Numbers and dates are blanked before words are looked at, so that each is compared as what it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from leadline.domain import Excerpt
from leadline.research.passages import Haystack, Reading
from leadline.research.verification.polarity import Clause, clauses
from leadline.research.verification.words import Unit, held_terms, units
from leadline.text.dates import DateValue, find_dates
from leadline.text.language import Language, detect
from leadline.text.names import Name, find_names, name_key
from leadline.text.numbers import Kind, Quantity, find_numbers
from leadline.text.offsets import Span
from leadline.text.tokens import is_stop

_FROM: Final = re.compile(r"(?:\bfrom|由|从|自)\s*$", re.IGNORECASE)
_TO: Final = re.compile(r"(?:\bto|到|至|为)\s*$", re.IGNORECASE)
_MORE: Final = re.compile(
    r"(?:\b(?:more|greater|higher|longer|larger|older|later|better)\sthan|\bover|\babove|\bat\sleast"
    r"|\bexceed(?:s|ed|ing)?|超过|多于|高于|至少|不少于|不低于|逾)\s*(?:[$€£¥]\s?)?$",
    re.IGNORECASE,
)
_LESS: Final = re.compile(
    r"(?:\b(?:less|fewer|lower|shorter|smaller|younger|earlier|worse)\sthan|\bunder|\bbelow|\bat\smost"
    r"|\bup\sto|不足|不到|低于|少于|至多|不超过|未满)\s*(?:[$€£¥]\s?)?$",
    re.IGNORECASE,
)
_MORE_AFTER: Final = re.compile(r"\s?(?:or\smore|or\sabove|and\s(?:over|above|older)|以上|及以上)")
_LESS_AFTER: Final = re.compile(r"\s?(?:or\sless|or\sfewer|or\sbelow|and\s(?:under|below)|以下|及以下)")
_LOOK_BACK: Final = 24
# The numbers of reference marks and notes say nothing.
_MARKER: Final = re.compile(r"\[\d{1,3}(?:[,;\u2013-]\s?\d{1,3}){0,8}\]|【\d{1,3}[^】\d]?\d{0,3}】")


@dataclass(frozen=True, slots=True)
class Fact:
    """A number or date of a sentence and how the sentence puts it.

    `role` is `from` or `to` for the ends of a change or range, `bound` is `>` or `<` where the
    value is a limit; both are empty otherwise. `clause` is the index of the clause that holds it.
    """

    start: int
    end: int
    raw: str
    clause: int
    quantity: Quantity | None = None
    date: DateValue | None = None
    role: str = ""
    bound: str = ""


def figures(text: str) -> bool:
    """Whether a sentence holds a number or a date, so that it must not stand uncited."""
    if find_dates(text):
        return True
    return any(number.kind is not Kind.ORDINAL for number in find_numbers(text))


@dataclass(frozen=True, eq=False)
class Statement:
    """A sentence of a claim or of a source; `start` is its offset in the source's text.

    Two statements are the same only as objects: a `Desk` makes each once. `opening` is the first
    word where it is known to be a name, which its form alone does not show.
    """

    text: str
    source_id: str = ""
    start: int = 0
    opening: Name | None = None

    @cached_property
    def language(self) -> Language:
        """The language of the sentence."""
        return detect(self.text)

    @property
    def is_row(self) -> bool:
        """Whether it is a row of a table with borders."""
        return self.text.lstrip().startswith("|")

    @cached_property
    def _markers(self) -> tuple[Span, ...]:
        return tuple(Span(*match.span()) for match in _MARKER.finditer(self.text))

    @cached_property
    def _values(self) -> tuple[tuple[Span, Quantity | None, DateValue | None], ...]:
        dates = find_dates(self.text)
        numbers = find_numbers(self.text, skip=[*self._markers, *(date.span for date in dates)])
        found: list[tuple[Span, Quantity | None, DateValue | None]] = []
        found += [(date.span, None, date) for date in dates]
        found += [(number.span, number, None) for number in numbers]
        return tuple(sorted(found, key=lambda value: value[0]))

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """Its numbers and dates, in order."""
        return tuple(
            _fact(self.text, self.clauses, span=span, quantity=quantity, date=date)
            for span, quantity, date in self._values
        )

    @cached_property
    def words(self) -> str:
        """The text with numbers, dates and reference marks blanked, offsets unchanged."""
        text = self.text
        for span in (*self._markers, *(span for span, _, _ in self._values)):
            text = f"{text[: span.start]}{' ' * span.length}{text[span.end :]}"
        return text

    @cached_property
    def _capitalised(self) -> tuple[Name, ...]:
        """What looks like a name, parts of dates and amounts among them."""
        return tuple(find_names(self.text))

    @cached_property
    def names(self) -> tuple[Name, ...]:
        """Its proper names, in order."""
        taken = [span for span, _, _ in self._values] if self._capitalised else []
        found = tuple(n for n in self._capitalised if not any(n.span.overlaps(s) for s in taken))
        return found if self.opening is None else (self.opening, *found)

    def calls(self, key: str) -> bool:
        """Whether it names what is compared as `key`; looked for among all that looks like a name first."""
        likely = self.opening is not None or key in self._capitalised_keys
        return likely and key in self.name_keys

    @cached_property
    def _capitalised_keys(self) -> frozenset[str]:
        return frozenset(name_key(name.text) for name in self._capitalised)

    @cached_property
    def name_keys(self) -> frozenset[str]:
        """Its names as they are compared."""
        return frozenset(name_key(name.text) for name in self.names)

    @cached_property
    def name_terms(self) -> frozenset[str]:
        """The terms of its names."""
        return frozenset[str]().union(*(held_terms(name.text) for name in self.names))

    @cached_property
    def clauses(self) -> tuple[Clause, ...]:
        """Its clauses, in order."""
        return clauses(self.words)

    @cached_property
    def wanted(self) -> tuple[Unit, ...]:
        """Its parts as a claim: what evidence should hold."""
        return units(self.words)

    @cached_property
    def held(self) -> frozenset[str]:
        """Its terms as evidence; those of its numbers among them, which no claim asks for."""
        return held_terms(self.text)

    @property
    def says(self) -> bool:
        """Whether it is more than a reference."""
        return "://" not in self.text

    @cached_property
    def content(self) -> frozenset[str]:
        """The terms that tell what it is about; none of a reference."""
        if not self.says:
            return frozenset()
        return frozenset(t for t in self.held if len(t) > 1 and t[0] != "~" and not is_stop(t))

    @cached_property
    def key(self) -> str:
        """The text as names are looked up in it."""
        return name_key(self.text)


class Desk:
    """Makes each statement once for the length of one check, and reads each excerpt once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, str], Statement] = {}
        self._terms: dict[str, frozenset[str]] = {}
        self._parts: dict[Excerpt, Haystack] = {}
        self._readings: dict[str, Reading] = {}

    def part(self, excerpt: Excerpt, *, body: str) -> Haystack:
        """Return an excerpt of the text `body` as it is searched."""
        if excerpt not in self._parts:
            text = body[excerpt.start : excerpt.end]
            self._parts[excerpt] = Haystack(excerpt.source_id, text, brief=True)
        return self._parts[excerpt]

    def reading(self, source_id: str, *, body: str) -> Reading:
        """Return the sentences of a source, whose text is `body`."""
        if source_id not in self._readings:
            self._readings[source_id] = Reading(body)
        return self._readings[source_id]

    def statement(self, text: str, source_id: str, start: int) -> Statement:
        """Return the sentence of a source as a statement."""
        key = (source_id, start, text)
        if key not in self._known:
            self._known[key] = Statement(text, source_id, start)
        return self._known[key]

    def terms(self, text: str) -> frozenset[str]:
        """Return the terms that `text` holds."""
        if text not in self._terms:
            self._terms[text] = held_terms(text)
        return self._terms[text]


def _fact(
    text: str,
    parts: tuple[Clause, ...],
    *,
    span: Span,
    quantity: Quantity | None,
    date: DateValue | None,
) -> Fact:
    before = text[max(0, span.start - _LOOK_BACK) : span.start]
    role = "from" if _FROM.search(before) else "to" if _TO.search(before) else ""
    bound = ""
    if _MORE.search(before) or _MORE_AFTER.match(text, span.end):
        bound = ">"
    elif _LESS.search(before) or _LESS_AFTER.match(text, span.end):
        bound = "<"
    place = next((i for i, part in enumerate(parts) if span.start < part.end), len(parts) - 1)
    return Fact(
        start=span.start,
        end=span.end,
        raw=span.of(text),
        clause=place,
        quantity=quantity,
        date=date,
        role=role,
        bound=bound,
    )
