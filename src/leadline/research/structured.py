"""The answer once more as JSON of a schema that was asked for, and how each of its values stands.

A model fills the schema from the checked statements; what it wrote is data until it fits the schema,
and a value counts as supported only where a supported claim says it: a number by value, a date by
its day, words as they stand. A whole sentence is checked against the ledger like any other claim.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Final, NamedTuple

from leadline import codec
from leadline.domain import Claim, DraftSentence, Json, Message, Structured, Value, Verdict
from leadline.research import write
from leadline.research.evidence import Ledger
from leadline.research.fencing import Fence
from leadline.research.phrases import language_name
from leadline.research.prompts import prompt
from leadline.research.study import Study
from leadline.research.typed import Typed, typed
from leadline.research.verification.statements import Desk
from leadline.research.verification.verify import check_claims
from leadline.text.clean import neutralise, squeeze
from leadline.text.dates import find_dates
from leadline.text.language import has_cjk
from leadline.text.numbers import Kind, find_numbers
from leadline.text.schema import faults

MOST_VALUES: Final = 400
"""Values of an answer that are looked at; further ones are `unchecked`."""

_MOST_FAULTS: Final = 5
_SENTENCE_WORDS: Final = 6
_SENTENCE_HAN: Final = 14
_EMPTY_WORDS: Final = frozenset({"yes", "no", "not", "none", "true", "false", "null", "unknown", "other", "n/a"})
_DIGITS: Final = re.compile(r"\d[\d,]*(?:\.\d+)?")
_TOLD: Final = frozenset({Verdict.SUPPORTED, Verdict.PARTIAL})


async def structured(study: Study, claims: Sequence[Claim], *, chars: int) -> Typed[Structured]:
    """Ask for the answer as JSON of the run's schema, and check its values; `chars` is the room for excerpts."""
    schema = study.options.schema or {}
    fence = Fence.drawn(study.branch.random)
    size = sum(excerpt.end - excerpt.start for excerpt in study.ledger.excerpts)
    wish = write.Wish(
        question=study.question.text,
        language=study.question.language,
        length=study.options.length,
        budget_chars=chars,
        fence=fence,
        beside=_statements(claims, limit=chars // 2),
        options=study.options,
    )
    rules = prompt("structure").format(
        language=language_name(study.question.language), schema=codec.encode(dict(schema)).decode()
    )
    messages: tuple[Message, ...] = await study.means.cpu.run(write.prompted, wish, rules, study.ledger, size=size)
    read = partial(fitting, schema=schema)
    found = await typed(study, messages, purpose="structure", schema=schema, read=read, reserve=False)
    if found.failure is not None:
        return Typed(failure=found.failure)
    values = await study.means.cpu.run(stand, found.value, tuple(claims), study.ledger, size=size)
    return Typed(value=Structured(value=found.value, values=values))


def _statements(claims: Sequence[Claim], *, limit: int) -> str:
    """Return the statements that stand, as inert text."""
    lines = [f"- {squeeze(neutralise(claim.text))}" for claim in claims if claim.verdict in _TOLD]
    return "Statements of the report:\n" + "\n".join(lines)[:limit] if lines else ""


def fitting(value: Json, *, schema: Mapping[str, Json]) -> Json:
    """Return the value. Raises `ValueError` in words for the model where it does not fit the schema."""
    wrong = [fault for fault, _ in zip(faults(value, schema), range(_MOST_FAULTS), strict=False)]
    if wrong:
        raise ValueError("; ".join(wrong))
    return value


# --- how values stand ------------------------------------------------------------------------


class Leaf(NamedTuple):
    """A value that is no container, and its JSON pointer."""

    path: str
    value: Json


def leaves(value: Json, path: str = "") -> Iterator[Leaf]:
    """Yield the strings, numbers and booleans of a JSON value, in order; an empty one says nothing."""
    if isinstance(value, dict):
        for name, item in value.items():
            key = str(name).replace("~", "~0").replace("/", "~1")
            yield from leaves(item, f"{path}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}/{index}")
    elif value is not None and value != "":
        yield Leaf(path, value)


def stand(value: Json, claims: Sequence[Claim], ledger: Ledger) -> tuple[Value, ...]:
    """Return how each value stands against the supported claims, and sentences against the ledger. Pure."""
    supported = [(claim, _Said(claim)) for claim in claims if claim.verdict is Verdict.SUPPORTED]
    desk = Desk()
    return tuple(
        Value(path=leaf.path, verdict=Verdict.UNCHECKED)
        if number >= MOST_VALUES
        else _stands(leaf, supported, ledger, desk=desk)
        for number, leaf in enumerate(leaves(value))
    )


class _Said:
    """What a claim says, with its evidence: as words, numbers and dates, each read when it is needed."""

    def __init__(self, claim: Claim) -> None:
        self.text = _plain("\n".join([claim.text, *(citation.quote for citation in claim.citations)]))
        self._claim = claim.text
        self._numbers: frozenset[Decimal] | None = None
        self._dates: frozenset[tuple[object, ...]] | None = None

    def words(self, wanted: str) -> bool:
        return wanted in self.text if has_cjk(wanted) else re.search(_bounded(wanted), self.text) is not None

    def number(self, wanted: Decimal) -> bool:
        if self._numbers is None:
            self._numbers = _numbers(self._claim)
        return wanted in self._numbers

    def date(self, wanted: tuple[object, ...]) -> bool:
        if self._dates is None:
            self._dates = frozenset(_dates(self._claim))
        return wanted in self._dates


def _stands(leaf: Leaf, supported: Sequence[tuple[Claim, _Said]], ledger: Ledger, *, desk: Desk) -> Value:
    says = _test(leaf.value)
    ids = tuple(claim.id for claim, said in supported if says is not None and says(said))
    if ids:
        return Value(path=leaf.path, verdict=Verdict.SUPPORTED, claim_ids=ids)
    if isinstance(leaf.value, str) and _is_sentence(leaf.value):
        [checked] = check_claims([DraftSentence(text=leaf.value)], ledger, desk=desk)
        return Value(path=leaf.path, verdict=checked.verdict or Verdict.UNCHECKED)
    return Value(path=leaf.path, verdict=Verdict.UNCHECKED)


def _test(value: Json) -> Callable[[_Said], bool] | None:
    """Return what tells whether a claim says the value, `None` where nothing can: a boolean stands nowhere."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        number = Decimal(str(value))
        return lambda said: said.number(number)
    if not isinstance(value, str):
        return None
    wanted = _plain(value)
    if len(wanted) < (2 if has_cjk(wanted) else 3) and not wanted.isdecimal():
        return None
    if wanted in _EMPTY_WORDS:
        return None
    days = _dates(value)
    if len(days) == 1 and len(value) <= 30:
        return lambda said: said.date(days[0]) or said.words(wanted)
    return lambda said: said.words(wanted)


def _numbers(text: str) -> frozenset[Decimal]:
    """Return the numbers that a text holds, by value and as written; 45 % is 0.45 as well."""
    found = {Decimal(digits.replace(",", "")) for digits in _DIGITS.findall(text)}
    for quantity in find_numbers(text):
        found.add(quantity.value)
        if quantity.kind is Kind.PERCENT:
            found.add(quantity.value / 100)
    return frozenset(found)


def _dates(text: str) -> list[tuple[object, ...]]:
    return [(date.year, date.month, date.day) for date in find_dates(text) if date.month is not None]


def _is_sentence(text: str) -> bool:
    return len(text) >= _SENTENCE_HAN if has_cjk(text) else len(text.split()) >= _SENTENCE_WORDS


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(" .。")


def _bounded(wanted: str) -> str:
    return rf"(?<!\w){re.escape(wanted)}(?!\w)"
