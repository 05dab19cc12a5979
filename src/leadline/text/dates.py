"""Dates by value, English and Chinese, from days to centuries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from leadline.text.language import has_cjk
from leadline.text.numerals import HAN_DIGIT_CHARS, han_value, ordinal_value
from leadline.text.offsets import Span


class Precision(StrEnum):
    """The unit to which a date is stated."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"
    DECADE = "decade"  # `year` is its first year: 1990
    CENTURY = "century"  # `year` is its first year: 1801, or -300 for the 3rd century BC


@dataclass(frozen=True, kw_only=True, slots=True)
class DateValue:
    """A date in a text. Years before Christ are negative: 221 BC is -221; there is no year 0."""

    year: int | None  # None for a day of an unnamed year ("March 5")
    month: int | None
    day: int | None
    start: int
    end: int
    precision: Precision

    @property
    def span(self) -> Span:
        """Where the date stands."""
        return Span(self.start, self.end)


def compatible(a: DateValue, b: DateValue) -> bool:
    """Whether two dates can be the same one: March 2024 and 5 March 2024 can, 2023 and 2024 not.

    Parts that only one of them states do not matter; a decade or century agrees with its years.
    """
    if a.year is not None and b.year is not None and not _same_years(a, b):
        return False
    return _agree(a.month, b.month) and _agree(a.day, b.day)


def _agree(a: int | None, b: int | None) -> bool:
    return a is None or b is None or a == b


def _same_years(a: DateValue, b: DateValue) -> bool:
    first, second = _years(a), _years(b)
    return first.start < second.end and second.start < first.end


def _years(date: DateValue) -> Span:
    year = date.year or 0
    length = {Precision.DECADE: 10, Precision.CENTURY: 100}.get(date.precision, 1)
    return Span(year, year + length)


_Reader: TypeAlias = Callable[[str, re.Match[str]], Iterator[DateValue]]

_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTH: Final = (
    r"(?P<month>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_DAY: Final = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?(?!\w)"
_YEAR: Final = r"[12]\d{3}(?![\d,]\d|[A-Za-z_])"
_ERA: Final = r"(?P<era>B\.?C\.?(?:E\b\.?)?|A\.?D\.?|C\.?E\.?)(?!\w)"
_DASH: Final = "[-\u2010-\u2014]"

_DIGIT: Final = re.compile(r"\d")
_ISO: Final = re.compile(
    r"(?P<year>\d{4})(?<![A-Za-z0-9_-]\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2}))?(?![\d-])"
    r"|/(?P<month2>\d{1,2})/(?P<day2>\d{1,2})(?![\d/])|\.(?P<month3>\d{2})\.(?P<day3>\d{2})(?![\d.]))"
)
_NUMERIC: Final = re.compile(r"(?P<a>\d(?<![A-Za-z0-9_.]\d)\d?)[/.](?P<b>\d{1,2})[/.](?P<year>[12]\d{3})(?![\d/]|\.\d)")
_DAY_MONTH: Final = re.compile(
    rf"\d(?<![A-Za-z0-9_.,]\d)\d?(?:st|nd|rd|th)?(?:\s+day)?(?:\s+of)?[\s-]{_MONTH}(?:,?[\s-]{{1,2}}{_YEAR})?"
)
_MONTH_FIRST: Final = re.compile(
    rf"\b{_MONTH}\s{{0,2}}(?:{_DAY}(?:{_DASH}\d{{1,2}}\b)?(?:,?\s{{1,2}}{_YEAR})?|(?:of\s|,\s)?{_YEAR})"
)
_ERA_YEAR: Final = re.compile(rf"\d(?<![A-Za-z0-9_.,]\d)\d{{0,3}}\s?{_ERA}")
_ERA_FIRST: Final = re.compile(r"\bA\.?D\.?\s?(?P<year>\d{1,4})(?!\w)")
_DECADE: Final = re.compile(r"(?P<year>[12]\d{2}0)(?<![A-Za-z0-9_]\d{4})['\u2019]?s\b|['\u2019](?P<short>[2-9]0)s\b")
_CENTURY: Final = re.compile(
    r"(?P<ordinal>\b\d{1,2}(?:st|nd|rd|th)|\b(?:twenty[\s-])?(?:first|second|third|fourth|fifth|sixth"
    r"|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth"
    rf"|seventeenth|eighteenth|nineteenth|twentieth))[\s-]+centur(?:y|ies)\b(?:\s+{_ERA})?",
    re.IGNORECASE,
)
_BARE_YEAR: Final = re.compile(
    rf"(?P<year>[12]\d{{3}})(?<![A-Za-z0-9_]\d{{4}})"
    rf"(?:{_DASH}(?P<until>\d{{2}})(?![\d\w]))?(?!\w|[.,]\d|{_DASH}\d{{1,2}}(?!\d)|%|:\d|/\d)"
)
# Before a bare number these make it a year.
_YEAR_BEFORE: Final = re.compile(
    r"(?:\b(?:in|since|from|until|till|by|during|before|after|between|circa|c\.|ca\.|year|early|mid"
    rf"|late|spring|summer|autumn|fall|winter|of|to|and|for)\s|[(\[]|\d{_DASH}|mid-)$",
    re.IGNORECASE,
)
# Behind it these make it an amount.
_COUNTED: Final = re.compile(
    r"[\s-](?:%|percent|per cent|people|persons|men|women|inhabitants|residents|students|employees"
    r"|members"
    r"|soldiers|troops|copies|votes|seats|words|pages|dollars|euros|pounds|yuan|km|m|cm|mm|kg|g|t|ft|feet"
    r"|miles?|met(?:re|er)s?|kilomet(?:re|er)s?|tonn?e?s?|tons|hectares|acres|years?|days|hours|minutes"
    r"|seconds|times|points|units|MW|GW|kW|MHz|GHz|MB|GB|thousand|million|billion)\b|\s?[%°]"
)
_NOT_A_YEAR_BEFORE: Final = re.compile(r"[$€£¥￥#\u2116]\s?$|[.,:/]$|\b(?:No|no|Nos|page|p|pp)\.?\s$|(?<!\d{4})-$")

_HAN: Final = "一二三四五六七八九十"
_CHINESE: Final = re.compile(
    rf"(?P<era>(?:公|西)元前|前)?(?:(?:公|西)元)?(?P<year>\d{{1,4}}|[{HAN_DIGIT_CHARS}{_HAN}百千]{{1,8}})\s?年"
    rf"(?:\s?(?P<month>\d{{1,2}}|[{_HAN}]{{1,2}})\s?月(?:份|(?:\s?(?P<day>\d{{1,2}}|[{_HAN}]{{1,3}})\s?[日号號])?)?)?"
)
_CHINESE_DAY: Final = re.compile(
    rf"(?P<month>\d{{1,2}}|[{_HAN}]{{1,2}})\s?月\s?(?P<day>\d{{1,2}}|[{_HAN}]{{1,3}})\s?[日号號]"
)
_CHINESE_CENTURY: Final = re.compile(
    rf"(?P<era>(?:公|西)元前|前)?(?P<century>\d{{1,2}}|[{_HAN}]{{1,3}})\s?世[纪紀]"
    rf"(?:\s?(?P<decade>\d0|[{_HAN}]{{1,2}})\s?年代)?"
)
_CHINESE_DECADE: Final = re.compile(rf"(?<![\d{_HAN}])(?P<decade>[12]\d{{2}}0|[2-9]0|[二三四五六七八九]十)\s?年代")
_DURATION_AFTER: Final = re.compile("(?:的)?(?:历史|歷史|来|來|间|間|之久|以上|多|左右)")


def find_dates(text: str) -> list[DateValue]:
    """Return the dates of `text` in order, disjoint.

    Read are ISO and numeric dates (03/05/2024, whose order is open, gives the year alone), days
    and months in words, bare years, 1872–75 as two years, decades, centuries, eras, and Chinese
    dates with either kind of numeral. A bare number is a year between 1000 and 2099 if a word
    such as "in" stands before it, else from 1500, and only where nothing is counted by it.
    """
    taken: dict[int, DateValue] = {}
    occupied = bytearray(len(text) + 1)
    for pattern, read in _readers(text):
        for match in pattern.finditer(text):
            if 1 in occupied[match.start() : match.end()]:
                continue
            for date in read(text, match):
                taken[date.start] = date
                occupied[date.start : date.end] = b"\1" * (date.end - date.start)
    return [taken[start] for start in sorted(taken)]


def _readers(text: str) -> Iterator[tuple[re.Pattern[str], _Reader]]:
    """Yield the readers that may find something in `text`, in order: most sentences hold no digit and no century."""
    if has_cjk(text):
        yield from _CHINESE_READERS
    figured = _DIGIT.search(text) is not None
    century = "centur" in text.lower()
    for pattern, read in _READERS:
        if century if pattern is _CENTURY else figured:
            yield pattern, read


def _date(
    match: re.Match[str],
    year: int | None,
    *,
    month: int | None = None,
    day: int | None = None,
    precision: Precision | None = None,
) -> Iterator[DateValue]:
    """Yield the date if its parts are possible; a month or day without the larger unit is none."""
    if year == 0 or (month is not None and not 1 <= month <= 12):
        return
    if day is not None and not 1 <= day <= (31 if month is None else _LENGTHS[month - 1]):
        return
    if precision is None:
        precision = Precision.DAY if day else Precision.MONTH if month else Precision.YEAR
    yield DateValue(year=year, month=month, day=day, start=match.start(), end=match.end(), precision=precision)


_LENGTHS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _month(name: str) -> int:
    return _MONTHS.index(name[:3].lower()) // 4 + 1


def _read_iso(_text: str, match: re.Match[str]) -> Iterator[DateValue]:
    year = int(match["year"])
    month = match["month"] or match["month2"] or match["month3"]
    day = match["day"] or match["day2"] or match["day3"]
    if month is None or not 1000 <= year <= 2999:
        return
    # 2003-04 may be a season of two years; only the first is certain.
    if day is None and int(month) == (year + 1) % 100:
        yield from _date(match, year)
    else:
        yield from _date(match, year, month=int(month), day=int(day) if day else None)


def _read_numeric(_text: str, match: re.Match[str]) -> Iterator[DateValue]:
    year, first, second = int(match["year"]), int(match["a"]), int(match["b"])
    if first == second or "." in match[0] or first > 12:
        yield from _date(match, year, month=second, day=first)
    elif second > 12:
        yield from _date(match, year, month=first, day=second)
    else:
        yield from _date(match, year)


def _read_day_month(_text: str, match: re.Match[str]) -> Iterator[DateValue]:
    digits = _LEADING_DIGITS.match(match[0])
    day = int(digits[0]) if digits else None
    year = _MONTH_YEAR.search(match[0])
    yield from _date(match, int(year[0]) if year else None, month=_month(match["month"]), day=day)


_LEADING_DIGITS: Final = re.compile(r"\d{1,4}")


def _read_month_first(_text: str, match: re.Match[str]) -> Iterator[DateValue]:
    year = _MONTH_YEAR.search(match[0])
    day = int(match["day"]) if match["day"] else None
    yield from _date(match, int(year[0]) if year else None, month=_month(match["month"]), day=day)


_MONTH_YEAR: Final = re.compile(r"[12]\d{3}$")


def _read_era(_text: str, match: re.Match[str]) -> Iterator[DateValue]:
    digits = _LEADING_DIGITS.match(match[0])
    year = int(digits[0]) if digits else 0
    yield from _date(match, -year if match["era"].upper().startswith("B") else year)


def _read_year(_text: str, match: re.Match[str]) -> Iterator[DateValue]:
    yield from _date(match, int(match["year"]))


def _read_decade(_text: str, match: re.Match[str]) -> Iterator[DateValue]:
    year = int(match["year"] or f"19{match['short']}")
    yield from _date(match, year, precision=Precision.DECADE)


def _read_century(_text: str, match: re.Match[str]) -> Iterator[DateValue]:
    name = match["ordinal"]
    number = int(name[:-2]) if name[0].isdigit() else ordinal_value(name)
    if number:
        before = (match["era"] or "").upper().startswith("B")
        yield from _date(match, _century(number, before=before), precision=Precision.CENTURY)


def _century(number: int, *, before: bool) -> int:
    return -100 * number if before else 100 * (number - 1) + 1


def _read_bare(text: str, match: re.Match[str]) -> Iterator[DateValue]:
    year = int(match["year"])
    before = text[max(0, match.start() - 10) : match.start()]
    if _COUNTED.match(text, match.end()) or _NOT_A_YEAR_BEFORE.search(before):
        return
    if not 1500 <= year <= 2099 and not (year < 2100 and _YEAR_BEFORE.search(before)):
        return
    start = match.start()
    yield DateValue(year=year, month=None, day=None, start=start, end=start + 4, precision=Precision.YEAR)
    until = match["until"]
    if until and int(until) > year % 100:
        yield DateValue(
            year=year - year % 100 + int(until),
            month=None,
            day=None,
            start=match.start("until"),
            end=match.end("until"),
            precision=Precision.YEAR,
        )


def _han_number(text: str | None) -> int | None:
    if text is None:
        return None
    value = int(text) if text.isdecimal() else han_value(text)
    return None if value is None else int(value)


def _read_chinese(text: str, match: re.Match[str]) -> Iterator[DateValue]:
    year = _han_number(match["year"])
    month = _han_number(match["month"])
    if year is None:
        return
    written = len(match["year"]) == 4 and 1000 <= year <= 2999
    named = "元" in match[0].split("年")[0] or (match["era"] is not None and year > 99)
    if not (written or named) or year > 2999:
        return
    lasting = _DURATION_AFTER.match(text, match.end())
    # "2015年至2020年间" ends with a year; "2000年间" may last as long.
    if month is None and not named and lasting and not (lasting[0][-1] in "间間" and year % 100):
        return
    yield from _date(match, -year if match["era"] else year, month=month, day=_han_number(match["day"]))


def _read_chinese_day(_text: str, match: re.Match[str]) -> Iterator[DateValue]:
    yield from _date(match, None, month=_han_number(match["month"]), day=_han_number(match["day"]))


def _read_chinese_century(_text: str, match: re.Match[str]) -> Iterator[DateValue]:
    number = _han_number(match["century"])
    if not number:
        return
    decade = _han_number(match["decade"])
    if decade is None:
        start = _century(number, before=match["era"] is not None)
        yield from _date(match, start, precision=Precision.CENTURY)
    elif match["era"] is None:
        yield from _date(match, 100 * (number - 1) + decade, precision=Precision.DECADE)


def _read_chinese_decade(_text: str, match: re.Match[str]) -> Iterator[DateValue]:
    decade = _han_number(match["decade"])
    if decade is not None:
        yield from _date(match, decade if decade > 99 else 1900 + decade, precision=Precision.DECADE)


# The first reader that takes a place keeps it.
_CHINESE_READERS: Final[tuple[tuple[re.Pattern[str], _Reader], ...]] = (
    (_CHINESE_CENTURY, _read_chinese_century),
    (_CHINESE_DECADE, _read_chinese_decade),
    (_CHINESE, _read_chinese),
    (_CHINESE_DAY, _read_chinese_day),
)
_READERS: Final[tuple[tuple[re.Pattern[str], _Reader], ...]] = (
    (_ISO, _read_iso),
    (_NUMERIC, _read_numeric),
    (_DAY_MONTH, _read_day_month),
    (_MONTH_FIRST, _read_month_first),
    (_CENTURY, _read_century),
    (_ERA_YEAR, _read_era),
    (_ERA_FIRST, _read_year),
    (_DECADE, _read_decade),
    (_BARE_YEAR, _read_bare),
)
