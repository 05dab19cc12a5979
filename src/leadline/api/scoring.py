"""What a report is worth beside what was expected of it: the measures of `leadline eval`; pure.

A short answer counts as given where it stands in the text by its words, or, where it is a date or
a number, by its value: 120 million answers 1.2亿. F1 over words is the measure of SQuAD
(Rajpurkar et al. 2016, arXiv:1606.05250), with CJK runs counted in pairs of characters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from leadline.text.dates import DateValue, Precision, compatible, find_dates
from leadline.text.numbers import find_numbers
from leadline.text.quantities import Kind, Quantity, same_quantity
from leadline.text.tokens import fold, words

MEASURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "right": "the answer stands in the report, or an unanswerable question ends in nothing found",
        "answered": "the answer stands in the direct answer",
        "f1": "words of the direct answer shared with the expected one",
        "silent": "the report claims nothing",
        "supported": "share of claims that their sources support",
        "cited": "share of claims with a citation",
        "contradicted": "share of claims that their sources contradict",
        "failed": "the run ended without a report",
        "tokens": "tokens, prompts and answers together",
        "cost_usd": "US dollars",
        "seconds": "seconds of work",
        "tool_calls": "calls of tools",
    }
)
"""What is measured of each question, and what it means. Shares and yes or no lie between 0 and 1."""

_ARTICLE: Final = re.compile(r"\b(?:a|an|the)\b")
_OTHER: Final = re.compile(r"[^\w%]+|_+")
_CJK_GAP: Final = re.compile(r"(?<=[\u3400-\u9fff])\s+(?=[\u3400-\u9fff])")
_STATED: Final = {Precision.DAY: 3, Precision.MONTH: 2, Precision.YEAR: 1, Precision.DECADE: 0, Precision.CENTURY: 0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What a question should be answered with: any one of `answers`, or nothing where it cannot be."""

    answers: tuple[str, ...] = ()
    answerable: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """The measures of one report by name; one that does not apply is left out.

    `verdicts` counts claims, `stop` is why the run ended, or the code of its failure.
    """

    measures: Mapping[str, float]
    verdicts: Mapping[str, int] = field(default_factory=dict)
    stop: str = ""


def score(body: Mapping[str, Any], expected: Expected) -> Score:
    """Return the measures of a report as its JSON has it, or of `{"error": ...}` where a run failed."""
    if "error" in body:
        right = {"right": 0.0} if expected.answers or not expected.answerable else {}
        return Score(measures={**right, "failed": 1.0}, stop=str(body["error"].get("code", "error")))
    claims: list[Mapping[str, Any]] = body.get("claims", [])
    verdicts = Counter(str(claim["verdict"]) for claim in claims)
    measures = {"failed": 0.0, "silent": float(not claims), **_spent(body.get("usage", {}))}
    if claims:
        measures["supported"] = verdicts["supported"] / len(claims)
        measures["contradicted"] = verdicts["contradicted"] / len(claims)
        measures["cited"] = sum(bool(claim.get("citations")) for claim in claims) / len(claims)
    return Score(
        measures=measures | _answers(body, expected, silent=not claims),
        verdicts=dict(verdicts),
        stop=str(body.get("stop_reason", "")),
    )


def _answers(body: Mapping[str, Any], expected: Expected, *, silent: bool) -> dict[str, float]:
    if not expected.answerable:
        return {"right": float(silent)}
    if not expected.answers:
        return {}
    direct = str(body.get("answer", ""))
    told = " \n".join([direct, *(str(claim["text"]) for claim in body.get("claims", []))])
    return {
        "right": float(any(stands(answer, told) for answer in expected.answers)),
        "answered": float(any(stands(answer, direct) for answer in expected.answers)),
        "f1": max(f1(answer, direct) for answer in expected.answers),
    }


def _spent(usage: Mapping[str, Any]) -> dict[str, float]:
    return {
        "tokens": float(usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)),
        "cost_usd": float(usage.get("cost_usd", 0.0)),
        "seconds": float(usage.get("seconds", 0.0)),
        "tool_calls": float(sum(usage.get("tool_calls", {}).values())),
    }


def stands(answer: str, text: str) -> bool:
    """Return whether a short answer stands in a text, by its words or by its value."""
    wanted, found = normal(answer), normal(text)
    if not wanted:
        return False
    if f" {wanted} " in f" {found} " or (not wanted.isascii() and wanted in found):
        return True
    return _stands_by_value(answer, text)


def normal(text: str) -> str:
    """Return a text for comparison: folded, without articles, punctuation, and gaps between characters."""
    bare = _OTHER.sub(" ", fold(text).replace(",", ""))
    return _CJK_GAP.sub("", " ".join(_ARTICLE.sub(" ", bare).split()))


def f1(answer: str, text: str) -> float:
    """Return the harmonic mean of precision and recall over the words of two texts, 0 to 1."""
    wanted, found = Counter(words(normal(answer))), Counter(words(normal(text)))
    shared = (wanted & found).total()
    return 2 * shared / (wanted.total() + found.total()) if shared else 0.0


def _stands_by_value(answer: str, text: str) -> bool:
    """Return whether an answer that is nothing but a date or a number is stated in other words."""
    dates = [date for date in find_dates(answer) if _whole(answer, date.span.start, date.span.end)]
    if dates:
        return any(_says(date, dates[0]) for date in find_dates(text))
    numbers = [number for number in find_numbers(answer) if _whole(answer, number.start, number.end)]
    if not numbers:
        return False
    years: Sequence[Quantity] = find_numbers(text)
    return any(_same(number, numbers[0]) for number in years)


def _whole(text: str, start: int, end: int) -> bool:
    return not normal(text[:start] + " " + text[end:])


def _says(date: DateValue, wanted: DateValue) -> bool:
    return _STATED[date.precision] >= _STATED[wanted.precision] and compatible(date, wanted)


def _same(number: Quantity, wanted: Quantity) -> bool:
    if wanted.unit is None and wanted.kind is number.kind is Kind.NUMBER:
        return number.value == wanted.value
    return same_quantity(number, wanted)
