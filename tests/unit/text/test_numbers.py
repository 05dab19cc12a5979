from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.text.numbers import Kind, Quantity, close, find_numbers, same_quantity
from leadline.text.numerals import english_numerals, han_value, ordinal_value
from leadline.text.offsets import Span

N, P, M, ORD, V, C = Kind.NUMBER, Kind.PERCENT, Kind.MONEY, Kind.ORDINAL, Kind.VERSION, Kind.CLOCK


def only(text: str) -> Quantity:
    found = find_numbers(text)
    assert len(found) == 1, [quantity.raw for quantity in found]
    return found[0]


@pytest.mark.parametrize(
    ("text", "value", "unit", "kind"),
    [
        ("1,234.5", "1234.5", None, N),
        ("1,00,000 people", "100000", None, N),
        ("1.2 million", "1200000", None, N),
        ("5K", "5000", None, N),
        ("1.2亿", "120000000", None, N),
        ("1.5万亿元", "1500000000000", "CNY", M),
        ("三百二十万", "3200000", None, N),
        ("十二", "12", None, N),
        ("两座桥", "2", None, N),
        ("3万5千", "35000", None, N),
        ("1亿2000万人", "120000000", None, N),
        ("五千多公里", "5000", "km", N),
        ("二〇二四", "2024", None, N),
        ("兩萬公里", "20000", "km", N),
        ("三点五公里", "3.5", "km", N),
        ("½", "0.5", None, N),
        ("2½ hours", "2.5", "h", N),
        ("1/4", "0.25", None, N),
        ("1e6", "1000000", None, N),
        ("12%", "12", "%", P),
        ("12 per cent", "12", "%", P),
        ("百分之十二", "12", "%", P),
        ("百分之十二点五", "12.5", "%", P),
        ("5‰", "0.5", "%", P),
        ("三分之一", str(Decimal(1) / 3), None, N),
        ("two-thirds", str(Decimal(2) / 3), None, N),
        ("$3.5bn", "3500000000", "USD", M),
        ("US$ 5m", "5000000", "USD", M),
        ("€20", "20", "EUR", M),
        ("￥300", "300", "¥", M),
        ("3亿多美元", "300000000", "USD", M),
        ("RMB 500", "500", "CNY", M),
        ("twelve", "12", None, N),
        ("two hundred and five", "205", None, N),
        ("Twenty-one years", "21", "yr", N),
        ("a hundred", "100", None, N),
        ("half a million", "500000", None, N),
        ("two and a half million", "2500000", None, N),
        ("nineteen eighty-four", "1984", None, N),
        ("the third", "3", None, ORD),
        ("twenty-first", "21", None, ORD),
        ("20th", "20", None, ORD),
        ("第三", "3", None, ORD),
        ("第12届", "12", None, ORD),
        ("5 km", "5", "km", N),
        ("5-kilometre", "5", "km", N),
        ("200 metres", "200", "m", N),
        ("20 square kilometres", "20", "km2", N),
        ("60 miles per hour", "60", "mph", N),
        ("25 °C", "25", "°C", N),
        ("-5 °C", "-5", "°C", N),
        ("零下5度", "-5", "deg", N),
        ("3.5吨", "3.5", "t", N),
        ("5 平方公里", "5", "km2", N),
        ("2 GB", "2", "GB", N),
        ("3.11.7", "3", None, V),
        ("v2.0", "2", None, V),
        ("9:30", "570", None, C),
        ("１２公里", "12", "km", N),
    ],
)
def test_values(text: str, value: str, unit: str | None, kind: Kind) -> None:
    quantity = only(text)
    assert (quantity.value, quantity.unit, quantity.kind) == (Decimal(value), unit, kind)
    assert quantity.raw == quantity.span.of(text)


@pytest.mark.parametrize(
    "text",
    [
        "one of the largest",
        "hundreds of people",
        "COVID-19 and A4 and H2O and mp3",
        "call +86 10 6275 1234 or 555-123-4567",
        "https://example.com/2024/05/item-12",
        "the 1990s",
        "9/11",
        "十分重要，万一统一，千万不要",
        "四川的九龙和五角大楼",
        "一座桥，一个人",
        "2024-03-05",
        "no digits here",
        "",
    ],
)
def test_what_is_no_number(text: str) -> None:
    assert find_numbers(text) == []


def test_ranges_share_unit_and_scale() -> None:
    def values(text: str) -> list[tuple[int, str | None]]:
        return [(int(quantity.value), quantity.unit) for quantity in find_numbers(text)]

    assert values("10–20 km") == [(10, "km"), (20, "km")]
    assert values("10 to 20 percent") == [(10, "%"), (20, "%")]
    assert values("10至20公里") == [(10, "km"), (20, "km")]
    assert values("3-4 million") == [(3_000_000, None), (4_000_000, None)]
    assert values("$3-4 billion") == [(3_000_000_000, "USD"), (4_000_000_000, "USD")]
    assert values("in 1990 and 20 km") == [(1990, None), (20, "km")]


def test_letters_that_only_look_like_others_neither_fail_nor_shift_offsets() -> None:
    assert find_numbers("\u017fix cats") == []
    [found] = find_numbers("\u0130n \u0130zmir tw\u0131ce, SEVEN people")
    assert (found.value, found.raw) == (Decimal(7), "SEVEN")


def test_a_place_given_to_skip_is_skipped() -> None:
    text = "In 1990 it had 20 rooms."
    assert [found.raw for found in find_numbers(text, skip=[Span(3, 7)])] == ["20"]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1 km", "1000 m"),
        ("1.2亿", "120 million"),
        ("三百二十万", "3.2 million"),
        ("百分之十二", "12%"),
        ("5公里", "5 kilometres"),
        ("10 miles", "16.09344 km"),
        ("0 °C", "32 °F"),
        ("2 years", "24个月"),
        ("$3.5bn", "35亿美元"),
        ("￥300", "300元"),
        ("2 tonnes", "2000 kg"),
        ("twelve", "12"),
        ("3.11.7", "v3.11.7"),
        ("third", "第三"),
        ("2000 pounds", "2,000 lb"),
    ],
)
def test_same_by_value(a: str, b: str) -> None:
    assert same_quantity(only(a), only(b))
    assert same_quantity(only(b), only(a))
    assert close(only(a), only(b))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1 km", "1 mile"),
        ("12 km", "12"),
        ("12%", "12"),
        ("$5", "€5"),
        ("5 kg", "5 m"),
        ("third", "3 km"),
        ("3.11.7", "3.11.8"),
        ("9:30", "10:30"),
        ("1872", "1873"),
        ("100 km", "160 km"),
        ("5 million", "5 billion"),
        ("$5", "5 yuan"),
    ],
)
def test_neither_same_nor_close(a: str, b: str) -> None:
    assert not same_quantity(only(a), only(b))
    assert not close(only(a), only(b))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("about 10.9 km", "10,909 m"),
        ("11 million", "10.9 million"),
        ("nearly 11,000 m", "10,909 m"),
        ("大约1200万人", "1,196万人"),
        ("3.5吨", "3,480 kg"),
        ("60 miles", "97 km"),
    ],
)
def test_close_by_rounding(a: str, b: str) -> None:
    assert not same_quantity(only(a), only(b))
    assert close(only(a), only(b))
    assert close(only(b), only(a))


@pytest.mark.parametrize(
    ("numeral", "value"),
    [
        ("一百二", 120),
        ("两千零五", 2005),
        ("一万两千", 12000),
        ("三万五", 35000),
        ("十万", 100_000),
        ("一亿二千万", 120_000_000),
        ("二十万亿", 20_0000_0000_0000),
        ("壹仟贰佰", 1200),
        ("一千零一", 1001),
        ("百分", None),
        ("一二百", None),
        ("十百", None),
        ("", None),
        ("点五", None),
    ],
)
def test_chinese_numerals(numeral: str, value: int | None) -> None:
    if set(numeral) <= set("〇零一二两三四五六七八九十百千万亿点壹贰仟佰"):
        assert han_value(numeral) == value


@given(st.integers(0, 10**12))
def test_spoken_numbers_are_read_back(value: int) -> None:
    spoken = _spell(value)
    read = english_numerals(spoken.split())
    assert [numeral.value for numeral in read] == [value]


_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"


def _spell(value: int) -> str:
    small, tens = _SMALL.split(), _TENS.split()
    if value < 20:
        return small[value]
    if value < 100:
        return tens[value // 10 - 2] + (f" {small[value % 10]}" if value % 10 else "")
    for scale, name in (
        (10**12, "trillion"),
        (10**9, "billion"),
        (10**6, "million"),
        (1000, "thousand"),
        (100, "hundred"),
    ):
        if value >= scale:
            rest = value % scale
            return f"{_spell(value // scale)} {name}" + (f" and {_spell(rest)}" if rest else "")
    raise AssertionError(value)


@given(st.integers(1, 10**12))
def test_chinese_numbers_are_read_back(value: int) -> None:
    assert han_value(_spell_han(value)) == value


def _spell_han(value: int) -> str:
    digits = "零一二三四五六七八九"
    for scale, name in ((10**8, "亿"), (10**4, "万"), (1000, "千"), (100, "百"), (10, "十")):
        if value >= scale:
            head, rest = divmod(value, scale)
            gap = "零" if rest and rest < scale // 10 else ""
            return _spell_han(head) + name + gap + (_spell_han(rest) if rest else "")
    return digits[value]


def test_ordinal_words() -> None:
    assert ordinal_value("twenty-first") == 21
    assert ordinal_value("Nineteenth") == 19


@given(
    st.one_of(
        st.text(),
        st.text(alphabet="0123456789.,-/:eE%$¥ kmM一二百万亿零第分之点年多½²a", max_size=60),
        st.lists(
            st.sampled_from(["one", "two", "and", "a half", "million", "hundred", "third", "5", "%", "km", "-", "to"]),
            max_size=10,
        ).map(" ".join),
    )
)
def test_quantities_are_in_order_and_within_bounds(text: str) -> None:
    found = find_numbers(text)
    for quantity in found:
        assert 0 <= quantity.start < quantity.end <= len(text)
        assert quantity.raw == text[quantity.start : quantity.end]
        assert quantity.value.is_finite()
        assert same_quantity(quantity, quantity)
        assert close(quantity, quantity)
    assert all(left.end <= right.start for left, right in pairwise(found))
