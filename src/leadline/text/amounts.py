"""What stands around a numeral and belongs to it: scale, percent sign, unit, currency, hedge."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, NamedTuple

from leadline.text.language import is_cjk
from leadline.text.numerals import HAN_DIGIT_CHARS, HAN_SCALE_CHARS, han_scale, han_value
from leadline.text.units import CURRENCIES, UNITS

_SCALES: Final = {
    "hundred": Decimal(100),
    "thousand": Decimal(1_000),
    "k": Decimal(1_000),
    "lakh": Decimal(100_000),
    "million": Decimal(10**6),
    "mn": Decimal(10**6),
    "mln": Decimal(10**6),
    "m": Decimal(10**6),
    "crore": Decimal(10**7),
    "billion": Decimal(10**9),
    "bn": Decimal(10**9),
    "bln": Decimal(10**9),
    "b": Decimal(10**9),
    "trillion": Decimal(10**12),
    "tn": Decimal(10**12),
    "t": Decimal(10**12),
}
_SCALE_WORD: Final = re.compile(r"[\s-]?(hundred|thousand|lakh|crore|[mbtr]+illion|mn|mln|bn|bln|tn)\b", re.IGNORECASE)
_SCALE_LETTER: Final = re.compile(r"([kKMBT])(?![\w/²³])")
_MONEY_LETTER: Final = re.compile(r"\s?([kKmMbBtT])(?![\w/²³])")
_HAN_SCALE: Final = re.compile(f"[{HAN_SCALE_CHARS}]+")
_HAN_MORE: Final = re.compile(rf"(\d{{1,4}}(?:\.\d+)?|[{HAN_DIGIT_CHARS}])([{HAN_SCALE_CHARS}]+)")
_MORE_MARK: Final = re.compile("[多余餘]|\\+(?!\\w)")
_PERCENT: Final = re.compile(
    r"\s?(?:[%\uff05\ufe6a]|percentage[ -]points?\b|per ?cent\b|pct\b|个百分点)", re.IGNORECASE
)
_POINTS: Final = re.compile("point|点", re.IGNORECASE)
_PERMILLE: Final = re.compile(r"\s?(?:\u2030|per mill?e?\b)", re.IGNORECASE)
_UNIT_WORDS: Final = re.compile(
    r"[\s-]?((?:[^\W\d_\u3000-\U000323af]|[°²³$€£])[A-Za-z°²³]{0,20}(?:/[A-Za-z²³]{1,6})?[23]?)"
    r"(?:[\s-]([A-Za-z]{1,12})(?:[\s-]([A-Za-z]{1,12}))?)?(?!\w)"
)
_HAN_UNIT_LENGTH: Final = 5
_YEAR: Final = "年"

_CURRENCY_BEFORE: Final = re.compile(
    r"(US\$|HK\$|NT\$|AU?\$|CA?\$|S\$|[$€£¥￥₹₩₽]|(?<![A-Za-z])(?:USD|EUR|GBP|CNY|RMB|JPY|HKD|AUD|CAD|CHF"
    r"|INR|KRW|TWD|SGD)|人民币)\s?$"
)
_HEDGE_BEFORE: Final = re.compile(
    r"(?:\b(?:about|around|approximately|approx\.?|roughly|nearly|almost|some|over|under|circa|ca\."
    r"|c\.|estimated|(?:more|less|fewer|greater)\s+than|at\s+(?:least|most)|up\s+to|close\s+to)\s*"
    r"|[~≈≃±><≥≤]\s*|(?:大约|约|約|近|超过|超過|逾|将近|接近|至少|至多|最多|不足|不到|达|上)\s*)$",
    re.IGNORECASE,
)
_HEDGE_MARKS: Final = frozenset("~><")
_HEDGE_WORDS: Final = frozenset(
    ["about", "around", "approximately", "approx", "approx.", "roughly", "nearly", "almost"]
).union(["some", "over", "under", "circa", "ca.", "c.", "estimated", "than", "least", "most", "to"])
_HEDGE_AFTER: Final = re.compile(r"\s?(?:左右|上下|以上|以下|or so\b|or more\b)")
_LOOK_BACK: Final = 16


class Tail(NamedTuple):
    """What follows a numeral: its value is ``numeral * scale + extra``."""

    end: int
    scale: Decimal
    extra: Decimal
    unit: str | None
    hedged: bool


def read_tail(text: str, position: int, *, money: bool = False) -> Tail:
    """Read scale, percent sign and unit behind a numeral that ends at `position`.

    Behind a currency the letters m, b and t scale; elsewhere they are units.
    """
    end, scale, extra = _read_scale(text, position, money=money)
    more = _MORE_MARK.match(text, end)
    if more:
        end = more.end()
        # 3多万: the scale may stand behind the mark as well.
        if scale == 1:
            end, scale, extra = _read_scale(text, end, money=money)
    percent = _PERCENT.match(text, end)
    permille = None if percent else _PERMILLE.match(text, end)
    unit: str | None = None
    if percent or permille:
        found = percent or permille
        end = found.end() if found else end
        unit = "pp" if percent and _POINTS.search(percent[0]) else "%"
        scale = scale if percent else scale / 10
    else:
        unit, end = _read_unit(text, end)
    return Tail(end, scale, extra, unit, more is not None or _HEDGE_AFTER.match(text, end) is not None)


def _read_scale(text: str, position: int, *, money: bool) -> tuple[int, Decimal, Decimal]:
    letter = (_MONEY_LETTER if money else _SCALE_LETTER).match(text, position)
    word = letter or _SCALE_WORD.match(text, position)
    if word:
        return word.end(), _SCALES.get(word[1].lower(), Decimal(1)), Decimal(0)
    han = _HAN_SCALE.match(text, position)
    if han is None:
        return position, Decimal(1), Decimal(0)
    scale = Decimal(han_scale(han[0]))
    end, extra, least = han.end(), Decimal(0), scale
    while more := _HAN_MORE.match(text, end):
        part = Decimal(han_scale(more[2]))
        digits = Decimal(more[1]) if more[1][0].isdecimal() else han_value(more[1])
        if part >= least or digits is None:
            break
        extra, end, least = extra + digits * part, more.end(), part
    return end, scale, extra


def _read_unit(text: str, position: int) -> tuple[str | None, int]:
    """Return the canonical symbol of the unit at `position` and where it ends."""
    start = position + 1 if text.startswith((" ", "\u00a0"), position) else position
    if start < len(text) and is_cjk(text[start]):
        return _read_han_unit(text, start, otherwise=position)
    words = _UNIT_WORDS.match(text, position)
    if words is None:
        return None, position
    for count in (3, 2, 1):
        if words[count] is None:
            continue
        unit = _named(" ".join(filter(None, words.group(*range(1, count + 1)))) if count > 1 else words[1])
        if unit is not None:
            return unit, words.end(count)
    return None, position


def _named(name: str) -> str | None:
    unit = UNITS.get(name) or (UNITS.get(name.lower()) if len(name) > 1 else None)
    return unit.symbol if unit else None


def _read_han_unit(text: str, start: int, *, otherwise: int) -> tuple[str | None, int]:
    for length in range(_HAN_UNIT_LENGTH, 0, -1):
        name = text[start : start + length]
        unit = UNITS.get(name) if len(name) == length else None
        if unit is not None and not (name == _YEAR and text[max(0, otherwise - 4) : otherwise].isdigit()):
            return unit.symbol, start + length
    return None, otherwise


def read_currency(text: str, position: int) -> tuple[str | None, int]:
    """Return the currency that stands before the numeral at `position`, and where it starts."""
    if position == 0 or text[position - 1] not in "$€£¥￥₹₩₽ \u00a0DRPYBFW币":
        return None, position
    low = max(0, position - 6)
    found = _CURRENCY_BEFORE.search(text[low:position])
    if found is None:
        return None, position
    return CURRENCIES[found[1].lower() if found[1].isalpha() and found[1].isascii() else found[1]].symbol, (
        low + found.start()
    )


def is_hedged(text: str, position: int) -> bool:
    """Whether the words before `position` say that a number is rounded."""
    before = text[max(0, position - _LOOK_BACK) : position]
    bare = before.rstrip()
    # A look at the last word spares the pattern in nearly all cases.
    if bare[-1:] in _HEDGE_MARKS or bare.rpartition(" ")[2].lower() in _HEDGE_WORDS:
        return _HEDGE_BEFORE.search(before) is not None
    return not bare.isascii() and _HEDGE_BEFORE.search(before) is not None
