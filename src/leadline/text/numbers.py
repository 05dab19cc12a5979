"""Finds quantities by value: digits, words, Chinese numerals, percentages, money, units."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from leadline.text.amounts import Tail, is_hedged, read_currency, read_tail
from leadline.text.language import has_cjk, is_cjk
from leadline.text.numerals import (
    ENGLISH_SCALES,
    ENGLISH_WORDS,
    HAN_DIGIT_CHARS,
    HAN_SCALE_CHARS,
    Numeral,
    english_numerals,
    han_scale,
    han_value,
)
from leadline.text.offsets import Intervals, Span, lower
from leadline.text.quantities import Kind, Quantity, close, same_quantity
from leadline.text.scan import matches
from leadline.text.units import is_money

__all__ = ["Kind", "Quantity", "close", "find_numbers", "same_quantity"]

# Addresses and telephone numbers: what looks like a number inside them is none.
_SKIPPED: Final = re.compile(
    r"https?://\S+|www\.\S+|\+\d{1,3}(?:[ -]\(?\d{1,4}\)?){2,8}|\(\d{2,4}\) ?\d{3,4}[ -]\d{3,4}"
)
_VULGAR: Final = {
    "½": Decimal(1) / 2,
    "⅓": Decimal(1) / 3,
    "⅔": Decimal(2) / 3,
    "¼": Decimal(1) / 4,
    "¾": Decimal(3) / 4,
    "⅛": Decimal(1) / 8,
    "⅜": Decimal(3) / 8,
    "⅝": Decimal(5) / 8,
    "⅞": Decimal(7) / 8,
}
_FIGURE: Final = re.compile(rf"[\d{''.join(_VULGAR)}]")
# Every alternative begins with a digit (or a vulgar fraction); possessive, hence linear.
_DIGITS: Final = re.compile(
    r"(?P<groups>\d++(?:[-\u2010]\d++){2,}+)|(?P<version>\d++(?:\.\d++){2,}+)"
    r"|(?P<clock>\d++(?::\d++)++)|(?P<ratio>\d++(?:/\d++)++)"
    r"|(?P<number>(?:\d{1,3}(?:,\d{2,3}){1,8}+(?<=,\d{3})(?!\d)|\d++)(?:\.\d++)?+)(?P<power>[eE][+-]?\d{1,3}(?!\w))?"
    rf"|[{''.join(_VULGAR)}]"
)
_ORDINAL_END: Final = re.compile(r"(?:st|nd|rd|th)\b")
_DECADE_END: Final = re.compile(r"['\u2019]?s\b")
_LETTER: Final = re.compile("[A-Za-z]")
_LEADING: Final = re.compile(r"(\d+).*", re.DOTALL)
_BEFORE_SIGN: Final = " \n\t([（\u00a0:：,，"
_MANY_DIGITS: Final = 40
_DENOMINATORS: Final = frozenset([2, 3, 4, 5, 6, 8, 10, 12, 16])

_WORD_CHOICE: Final = "|".join(ENGLISH_WORDS)
# For lower case: a choice is slow where it has to ignore it.
_WORDS: Final = re.compile(rf"\b(?:{_WORD_CHOICE})\b(?:[\s-]{{1,3}}(?:and[\s-]{{1,3}})?(?:{_WORD_CHOICE})\b)*+")
_WORD: Final = re.compile("[A-Za-z]+")
_ONE_BEFORE: Final = re.compile(r"\b(half\s+)?an?\s+(half\s+)?$", re.IGNORECASE)
_AND_HALF: Final = re.compile(r"\s+and\s+a\s+half\b", re.IGNORECASE)
_PARTS: Final = re.compile(r"[\s-](hal(?:f|ves)|thirds|quarters?|fourths|fifths|eighths|tenths)\b", re.IGNORECASE)
_PART_SIZES: Final = {"h": 2, "q": 4, "th": 3, "fo": 4, "fi": 5, "ei": 8, "te": 10}

_HAN_CHARS: Final = f"{HAN_DIGIT_CHARS}{HAN_SCALE_CHARS}"
_HAN: Final = re.compile(
    rf"(?P<base>[{_HAN_CHARS}]{{1,16}}分之)?(?P<number>[{_HAN_CHARS}]+(?:[点點][{HAN_DIGIT_CHARS}]+)?)"
)
# Numeral characters that are part of a word.
_HAN_WORDS: Final = re.compile("十分(?![之钟鐘])|万一|一一|千万(?=[不要别莫])|三三两两|五一|九一八|一二(?!十|百)")
_HAN_CLASSIFIER: Final = re.compile(
    "[个個名位座家次岁歲层層条條辆輛架艘所届屆种種部篇倍级級项項起片块隻只头匹对對双雙套间門队隊人票章节]"
)
_RANGE: Final = re.compile(r"\s?(?:[-\u2010-\u2015~\uff5e\u301c]|to|and|至|到)\s?", re.IGNORECASE)


def find_numbers(text: str, *, skip: Sequence[Span] = ()) -> list[Quantity]:
    """Return the quantities of `text` in order, disjoint; nothing that begins inside `skip`.

    Read are 1,234.5, 1.2 million, 1.2亿, 三百二十万, 3万5千, ½, 1e6, 12 %, 百分之十二, $3.5bn,
    "two hundred and five", "third", with their units. In a range the first number takes the unit
    and scale of the second. Addresses, telephone numbers, digits within words and vague numbers
    ("hundreds", "one of", 一些) are left out; years are not told from other numbers, so give the
    spans of dates as `skip` where that matters.
    """
    skipped = Intervals([*skip, *(Span(*found.span()) for found in _SKIPPED.finditer(text))])
    found = [quantity for quantity in _from_digits(text) if not skipped.hold(quantity.start)]
    taken = Intervals([quantity.span for quantity in found])
    rest = list(_from_words(text))
    if has_cjk(text):
        rest.extend(_from_han(text))
    found.extend(quantity for quantity in rest if not skipped.hold(quantity.start) and not taken.touch(quantity.span))
    found.sort(key=lambda quantity: quantity.start)
    return _inherit(text, found)


def _from_digits(text: str) -> Iterator[Quantity]:
    done = 0
    for match in matches(_DIGITS, text, opening=_FIGURE):
        if match.start() < done or match["groups"] or len(match[0]) > _MANY_DIGITS:
            continue
        quantity = _read_identifier(text, match) or _read_digits(text, match)
        if quantity is not None:
            done = quantity.end
            yield quantity


def _read_identifier(text: str, match: re.Match[str]) -> Quantity | None:
    """Return a version ("3.11.7", "v2") or a time of day, or None."""
    start, end = match.span()
    version = match["version"]
    marked = (
        text[start - 1 : start] in {"v", "V"}
        and not text[max(0, start - 2) : start - 1].isalnum()
        and (version or match["number"])
    )
    if not marked and _inside_word(text, start):
        return None
    if marked or version:
        major = Decimal(_LEADING.sub(r"\1", match[0]))
        return _made(text, Span(start - bool(marked), end), value=major, kind=Kind.VERSION)
    return _clock(match) if match["clock"] else None


def _read_digits(text: str, match: re.Match[str]) -> Quantity | None:
    start, end = match.span()
    currency, opened = read_currency(text, start)
    value = None if currency is None and _inside_word(text, start) else _value(match)
    if value is None:
        return None
    if match["number"] and text[end : end + 1] in _VULGAR:
        value += _VULGAR[text[end]]
        end += 1
    ordinal = _ORDINAL_END.match(text, end)
    if ordinal or text[start - 1 : start] == "第":
        stop = ordinal.end() if ordinal else end
        return _made(text, Span(start, stop), value=value, kind=Kind.ORDINAL)
    tail = read_tail(text, end, money=currency is not None)
    if (tail.end == end and _LETTER.match(text, end)) or (value >= 10 and _DECADE_END.match(text, end)):
        return None
    sign = _sign(text, opened)
    fraction = (match["number"] or "").partition(".")[2]
    return _measured(
        text,
        Span(opened - len(sign), tail.end),
        value=-value if sign else value,
        step=Decimal(1).scaleb(int((match["power"] or "e0")[1:]) - len(fraction)),
        tail=tail._replace(unit=currency or tail.unit),
    )


def _inside_word(text: str, start: int) -> bool:
    """Whether the digit at `start` continues a word, as in A4, COVID-19 or 0x1f."""
    if start == 0:
        return False
    before = text[start - 1]
    if before == "-":
        return text[start - 2 : start - 1].isupper() and not is_cjk(text[start - 2])
    return before == "_" or (before.isalnum() and not is_cjk(before))


def _clock(match: re.Match[str]) -> Quantity | None:
    parts = match[0].split(":")
    if len(parts) > 3 or any(len(part) != 2 for part in parts[1:]) or len(parts[0]) > 2:
        return None
    hours, minutes = int(parts[0]), int(parts[1])
    if hours > 24 or minutes > 59:
        return None
    value = Decimal(hours * 60 + minutes)
    return Quantity(value=value, unit=None, start=match.start(), end=match.end(), kind=Kind.CLOCK, raw=match[0])


def _value(match: re.Match[str]) -> Decimal | None:
    if match["version"] or match["clock"]:
        return None
    if match["ratio"]:
        parts = match[0].split("/")
        if len(parts) != 2 or len(match[0]) > 5 or int(parts[1]) not in _DENOMINATORS:
            return None
        return Decimal(parts[0]) / int(parts[1]) if int(parts[0]) < int(parts[1]) else None
    if match["number"] is None:
        return _VULGAR[match[0]]
    return Decimal(match["number"].replace(",", "") + (match["power"] or ""))


def _sign(text: str, start: int) -> str:
    """Return the minus sign before `start`, or an empty string; a hyphen after a word is none."""
    before = text[max(0, start - 2) : start]
    if before == "零下":
        return before
    if before.endswith(("负", "負")):
        return before[-1]
    if not before.endswith(("-", "\u2212")):
        return ""
    return before[-1] if len(before) == 1 or before[0] in _BEFORE_SIGN else ""


def _made(text: str, span: Span, *, value: Decimal, kind: Kind) -> Quantity:
    return Quantity(value=value, unit=None, start=span.start, end=span.end, kind=kind, raw=span.of(text))


def _measured(text: str, span: Span, *, value: Decimal, step: Decimal, tail: Tail) -> Quantity:
    kind = Kind.NUMBER
    if tail.unit in {"%", "pp"}:
        kind = Kind.PERCENT
    elif is_money(tail.unit):
        kind = Kind.MONEY
    return Quantity(
        value=value * tail.scale + tail.extra,
        unit=tail.unit,
        start=span.start,
        end=span.end,
        kind=kind,
        raw=span.of(text),
        step=step if tail.extra else step * tail.scale,
        approximate=tail.hedged or is_hedged(text, span.start),
    )


def _from_words(text: str) -> Iterator[Quantity]:
    done = 0
    lowered = lower(text)
    for run in _WORDS.finditer(lowered):
        places = [Span(*word.span()) for word in _WORD.finditer(lowered, run.start(), run.end())]
        words = [place.of(lowered) for place in places]
        if len(words) == 2 and words[0] == "one" and words[1] in {"third", "fifth", "tenth", "eighth"}:
            value = Decimal(1) / {"third": 3, "fifth": 5, "eighth": 8, "tenth": 10}[words[1]]
            yield _made(text, Span(*run.span()), value=value, kind=Kind.NUMBER)
            continue
        for numeral in english_numerals(words):
            quantity = _read_words(text, numeral, places=places)
            if quantity is not None and places[numeral.first].start >= done:
                done = quantity.end
                yield quantity


def _read_words(text: str, numeral: Numeral, *, places: Sequence[Span]) -> Quantity | None:
    span = Span(places[numeral.first].start, places[numeral.last].end)
    if numeral.ordinal:
        return _made(text, span, value=numeral.value, kind=Kind.ORDINAL)
    value = numeral.value
    if places[numeral.first].of(text).lower() in ENGLISH_SCALES:
        opening = _ONE_BEFORE.search(text[max(0, span.start - 12) : span.start])
        if opening is None:
            return None
        value /= 2 if opening[1] or opening[2] else 1
        span = Span(span.start - len(opening[0]), span.end)
    half = _AND_HALF.match(text, span.end)
    part = None if half else _PARTS.match(text, span.end)
    if half:
        value, span = value + Decimal("0.5"), Span(span.start, half.end())
    elif part:
        name = part[1].lower()
        value /= _PART_SIZES.get(name[0]) or _PART_SIZES[name[:2]]
        span = Span(span.start, part.end())
    tail = read_tail(text, span.end)
    if numeral.first == numeral.last and value == 1 and tail.end == span.end:
        return None  # "one of them"
    scale = ENGLISH_SCALES.get(places[numeral.last].of(text).lower(), 1)
    step = Decimal(scale) / 10 if half and scale > 1 else Decimal(scale)
    return _measured(text, Span(span.start, tail.end), value=value, step=step, tail=tail)


def _from_han(text: str) -> Iterator[Quantity]:
    for match in _HAN.finditer(text):
        if _HAN_WORDS.match(text, match.start()):
            continue
        value = han_value(match["number"])
        if value is None:
            continue
        quantity = _read_han(text, match, value=value)
        if quantity is not None:
            yield quantity


def _read_han(text: str, match: re.Match[str], *, value: Decimal) -> Quantity | None:
    span = Span(*match.span())
    if text[span.start - 1 : span.start] == "第" and span.start:
        return _made(text, span, value=value, kind=Kind.ORDINAL)
    if match["base"]:
        base = han_value(match["base"][:-2])
        if not base:
            return None
        percent = base in {100, 1000}
        tail = Tail(span.end, Decimal(1), Decimal(0), "%" if percent else None, hedged=False)
        value = value * 100 / base if percent else value / base
        return _measured(text, span, value=value, step=Decimal(1), tail=tail)
    tail = read_tail(text, span.end)
    if tail.unit is None and not _is_han_number(text, match["number"], end=tail.end):
        return None
    sign = _sign(text, span.start)
    last = match["number"][-1]
    return _measured(
        text,
        Span(span.start - len(sign), tail.end),
        value=-value if sign else value,
        step=Decimal(han_scale(last) if last in HAN_SCALE_CHARS else 1),
        tail=tail,
    )


def _is_han_number(text: str, numeral: str, *, end: int) -> bool:
    """Whether a Chinese numeral without a unit counts something and is no part of a word."""
    if len(numeral) == 1:
        return numeral not in "一〇零百千万萬亿億" and _HAN_CLASSIFIER.match(text, end) is not None
    return len(numeral) > 2 or any(char in HAN_SCALE_CHARS for char in numeral)


def _inherit(text: str, found: list[Quantity]) -> list[Quantity]:
    """Give the first number of a range the unit and the scale of the second, and the reverse."""
    for index in range(len(found) - 1):
        low, high = found[index], found[index + 1]
        join = _RANGE.fullmatch(text, low.end, high.start)
        if join is None or low.kind not in _RANGED or high.kind not in _RANGED:
            continue
        scale = high.step if low.step == 1 < high.step and low.value < 1000 else Decimal(1)
        if low.value * scale >= high.value:
            continue
        if low.unit is None and (high.unit is not None or scale > 1):
            found[index] = replace(low, unit=high.unit, kind=high.kind, value=low.value * scale, step=low.step * scale)
        elif high.unit is None and low.kind is Kind.MONEY:
            found[index] = replace(low, value=low.value * scale, step=low.step * scale)
            found[index + 1] = replace(high, unit=low.unit, kind=low.kind)
    return found


_RANGED: Final = frozenset([Kind.NUMBER, Kind.PERCENT, Kind.MONEY])
