"""Values of written-out numerals, English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple


def _listed(names: str) -> list[str]:
    return names.split()


_SMALL: Final = {
    name: value
    for value, name in enumerate(
        _listed(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
            "fifteen sixteen seventeen eighteen nineteen"
        )
    )
}
_TENS: Final = {
    name: 10 * (index + 2)
    for index, name in enumerate(_listed("twenty thirty forty fifty sixty seventy eighty ninety"))
}
ENGLISH_SCALES: Final = {
    "hundred": 100,
    "thousand": 1_000,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_ORDINALS: Final = {
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
    "eleventh": 11,
    "twelfth": 12,
    **{f"{name}th": value for name, value in _SMALL.items() if value > 12},
    **{f"{name[:-1]}ieth": value for name, value in _TENS.items()},
}
_ORDINAL_SCALES: Final = {f"{name}th": value for name, value in ENGLISH_SCALES.items()}
_DIGITS: Final = {**_SMALL, **_TENS}
# The words of which English numerals consist, longest first for use in a pattern.
ENGLISH_WORDS: Final = tuple(sorted((*_DIGITS, *ENGLISH_SCALES, *_ORDINALS, *_ORDINAL_SCALES), key=len, reverse=True))


class Numeral(NamedTuple):
    """The value of the words ``[first, last]`` of a sequence."""

    value: Decimal
    ordinal: bool
    first: int
    last: int


def ordinal_value(word: str) -> int | None:
    """Return the value of an English ordinal ("twenty-first"), or None."""
    read = english_numerals(re.split(r"[\s-]+", word.lower()))
    return int(read[0].value) if len(read) == 1 and read[0].ordinal else None


def english_numerals(words: Sequence[str]) -> list[Numeral]:
    """Return the numerals that a run of lower-case number words spells ("and" may be among them).

    Where the words cannot be one numeral a new one begins: "one two" are two, "two hundred and
    five" is one. Years as spoken ("nineteen eighty-four") are one.
    """
    found: list[Numeral] = []
    reader = _Reader()
    first = 0
    for index, word in enumerate(words):
        if word == "and":
            continue
        if not reader.take(word):
            found.append(reader.numeral(first, _last_word(words, index)))
            reader, first = _Reader(), index
            reader.take(word)
        if reader.ordinal:
            found.append(reader.numeral(first, index))
            reader, first = _Reader(), index + 1
    if not reader.empty:
        found.append(reader.numeral(first, _last_word(words, len(words))))
    return found


def _last_word(words: Sequence[str], end: int) -> int:
    last = end - 1
    while words[last] == "and":
        last -= 1
    return last


class _Reader:
    """Adds up number words as long as they make one numeral."""

    def __init__(self) -> None:
        self.total = 0
        self.part = 0
        self.empty = True
        self.ordinal = False
        self._room = 0  # a following small number must be below this; 0: none may follow
        self._scale = 10**18

    def numeral(self, first: int, last: int) -> Numeral:
        return Numeral(Decimal(self.total + self.part), self.ordinal, first, last)

    def take(self, word: str) -> bool:
        """Take `word` if it can follow; False when a new numeral must begin."""
        if word in ENGLISH_SCALES or word in _ORDINAL_SCALES:
            self.ordinal = word in _ORDINAL_SCALES
            return self._take_scale(ENGLISH_SCALES.get(word) or _ORDINAL_SCALES[word])
        ordinal = word in _ORDINALS
        if not self._take_small(_ORDINALS[word] if ordinal else _DIGITS[word]):
            return False
        self.ordinal = ordinal
        return True

    def _take_small(self, value: int) -> bool:
        if self.empty:
            self.part = value
        elif 0 < value < self._room:
            self.part += value
        elif 10 < self.part < 100 and self.total == 0 and 10 <= value < 100:
            self.part = self.part * 100 + value
        else:
            return False
        self.empty = False
        self._room = 10 if value >= 20 and value % 10 == 0 else 0
        return True

    def _take_scale(self, scale: int) -> bool:
        if scale == 100 and 0 < self.part < 100:
            self.part *= 100
        elif self.empty:
            self.part = scale
        elif scale > 100 and self.part and scale < self._scale:
            self.total += self.part * scale
            self.part = 0
            self._scale = scale
        else:
            return False
        self.empty = False
        self._room = 100 if scale == 100 else 1_000
        return True


_HAN_DIGITS: Final = {
    **{char: value for value, char in enumerate("零一二三四五六七八九")},
    **{char: value for value, char in enumerate("〇壹贰叁肆伍陆柒捌玖")},
    "两": 2,
    "兩": 2,
    "○": 0,
}
_HAN_SCALES: Final = {"十": 10, "百": 100, "千": 1_000, "拾": 10, "佰": 100, "仟": 1_000}
_HAN_GROUPS: Final = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8, "兆": 10**12}
HAN_DIGIT_CHARS: Final = "".join(_HAN_DIGITS)
HAN_SCALE_CHARS: Final = "".join((*_HAN_SCALES, *_HAN_GROUPS))
# A numeral of more characters is none.
_LONGEST: Final = 32


def han_scale(chars: str) -> int:
    """Return the product of scale characters: 万亿 is 10**12."""
    product = 1
    for char in chars[:4]:
        product *= _HAN_SCALES.get(char) or _HAN_GROUPS[char]
    return product


def han_value(numeral: str) -> Decimal | None:
    """Return the value of a Chinese numeral, or None where the characters do not make one.

    Both styles are read: with scales (三百二十万, 两千零五, 一百二 = 120) and digit by digit
    (二〇二四). A decimal part follows 点 or 點.
    """
    whole, _, fraction = numeral.replace("點", "点").partition("点")
    if not whole or len(numeral) > _LONGEST:
        return None
    value = _digit_by_digit(whole) if all(char in _HAN_DIGITS for char in whole) else _scaled(whole)
    if value is None or not fraction:
        return None if value is None else Decimal(value)
    if any(char not in _HAN_DIGITS for char in fraction):
        return None
    return Decimal(f"{value}.{''.join(str(_HAN_DIGITS[char]) for char in fraction)}")


def _digit_by_digit(chars: str) -> int:
    return int("".join(str(_HAN_DIGITS[char]) for char in chars))


def _scaled(chars: str) -> int | None:
    """Read a numeral with scales: groups of 万 and 亿, each below 10,000."""
    total = 0
    group = ""
    before = 10**16
    for char in chars:
        if char not in _HAN_GROUPS:
            group += char
            continue
        scale = _HAN_GROUPS[char]
        part = _group(group, last=0) if group else (1 if not total else None)
        if part is None:
            if group or not total or scale <= 10**4:
                return None
            total *= scale  # 万亿: the groups multiply
            continue
        if scale >= before:
            total = (total + part) * scale
        else:
            total += part * scale
        before, group = scale, ""
    if not group:
        return total
    rest = _group(group, last=before // 10 if before < 10**16 else 0)
    return None if rest is None else total + rest


def _group(chars: str, *, last: int) -> int | None:
    """Read digits with 千, 百 and 十; a final bare digit may stand for the next scale."""
    total = 0
    digit: int | None = None
    zero = False
    before = 10_000
    for char in chars:
        if char in _HAN_DIGITS:
            if digit is not None and digit != 0:
                return None
            digit = _HAN_DIGITS[char]
            zero = zero or digit == 0
            continue
        scale = _HAN_SCALES[char]
        if scale >= before or (digit is None and scale != 10 and total) or digit == 0:
            return None
        total += (1 if digit is None else digit) * scale
        before, digit = scale, None
    if digit is None or zero:
        return total + (digit or 0)
    if total == 0:
        return digit * (last or 1)
    return total + digit * (before // 10 if before > 10 else 1)
