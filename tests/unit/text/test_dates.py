from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.text.dates import DateValue, Precision, compatible, find_dates

D, MO, Y, DE, CE = Precision.DAY, Precision.MONTH, Precision.YEAR, Precision.DECADE, Precision.CENTURY


def only(text: str) -> DateValue:
    found = find_dates(text)
    assert len(found) == 1, [each.span.of(text) for each in found]
    return found[0]


@pytest.mark.parametrize(
    ("text", "parts", "precision"),
    [
        ("2024-03-05", (2024, 3, 5), D),
        ("2024-03-05T10:00:00Z", (2024, 3, 5), D),
        ("2024/3/5", (2024, 3, 5), D),
        ("2024.03.05", (2024, 3, 5), D),
        ("2024-06", (2024, 6, None), MO),
        ("2003-04", (2003, None, None), Y),
        ("25/12/2023", (2023, 12, 25), D),
        ("12/25/2023", (2023, 12, 25), D),
        ("03/05/2024", (2024, None, None), Y),
        ("5 March 2024", (2024, 3, 5), D),
        ("5th of May, 1990", (1990, 5, 5), D),
        ("March 5, 2024", (2024, 3, 5), D),
        ("Sept. 11, 2001", (2001, 9, 11), D),
        ("Mar 2024", (2024, 3, None), MO),
        ("May 1815", (1815, 5, None), MO),
        ("12 May", (None, 5, 12), D),
        ("Dec. 25", (None, 12, 25), D),
        ("in 1872", (1872, None, None), Y),
        ("since 1066", (1066, None, None), Y),
        ("(1872)", (1872, None, None), Y),
        ("the 1990s", (1990, None, None), DE),
        ("the ’90s", (1990, None, None), DE),
        ("19th century", (1801, None, None), CE),
        ("the twenty-first century", (2001, None, None), CE),
        ("third century BC", (-300, None, None), CE),
        ("221 BC", (-221, None, None), Y),
        ("44 B.C.", (-44, None, None), Y),
        ("AD 79", (79, None, None), Y),
        ("2024年3月5日", (2024, 3, 5), D),
        ("二〇二四年三月", (2024, 3, None), MO),
        ("一九九八年十二月三十一日", (1998, 12, 31), D),
        ("1949年", (1949, None, None), Y),
        ("公元前221年", (-221, None, None), Y),
        ("前221年", (-221, None, None), Y),
        ("公元79年", (79, None, None), Y),
        ("3月5日", (None, 3, 5), D),
        ("20世纪90年代", (1990, None, None), DE),
        ("二十世紀八十年代", (1980, None, None), DE),
        ("90年代", (1990, None, None), DE),
        ("十九世纪", (1801, None, None), CE),
        ("公元前3世纪", (-300, None, None), CE),
        ("于2024-03-05发布", (2024, 3, 5), D),
    ],
)
def test_values(text: str, parts: tuple[int | None, int | None, int | None], precision: Precision) -> None:
    found = only(text)
    assert (found.year, found.month, found.day) == parts
    assert found.precision is precision


@pytest.mark.parametrize(
    "text",
    [
        "1500 people",
        "1,872 seats",
        "$1999",
        "version 1.2.1999.4",
        "2024-13-45",
        "31 people in 12 towns",
        "It may be so",
        "5年",
        "2000年历史",
        "phone 555-1990-12",
        "A1990",
        "",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert find_dates(text) == []


def test_ranges_of_years() -> None:
    text = "From 1872–75 and (1890–1901), 1914-1918."
    assert [found.year for found in find_dates(text)] == [1872, 1875, 1890, 1901, 1914, 1918]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("2024-06", "5 June 2024", True),
        ("2024年6月5日", "June 5, 2024", True),
        ("1872", "March 1872", True),
        ("the 1990s", "1994-02-01", True),
        ("19th century", "in 1872", True),
        ("5 June", "2024-06-05", True),
        ("公元前221年", "221 BC", True),
        ("20th century", "the 1990s", True),
        ("third century BC", "221 BC", True),
        ("1872", "1873", False),
        ("June 2024", "July 2024", False),
        ("5 June 2024", "2024-06-06", False),
        ("the 1990s", "2001-02-03", False),
        ("19th century", "in 1901", False),
        ("221 BC", "AD 221", False),
        ("5 June", "6 June", False),
    ],
)
def test_compatible(a: str, b: str, *, expected: bool) -> None:
    assert compatible(only(a), only(b)) is expected
    assert compatible(only(b), only(a)) is expected


@given(
    st.one_of(
        st.text(),
        st.text(alphabet="0123456789-–/. 年月日世纪代公元前一二十〇百MarchMay,BCs'’th", max_size=50),
    )
)
def test_dates_are_in_order_and_possible(text: str) -> None:
    found = find_dates(text)
    for each in found:
        assert 0 <= each.start < each.end <= len(text)
        assert each.year != 0
        assert each.month is None or 1 <= each.month <= 12
        assert each.day is None or 1 <= each.day <= 31
        assert compatible(each, each)
    assert all(left.end <= right.start for left, right in pairwise(found))


@given(st.dates(min_value=date(1000, 1, 1), max_value=date(2999, 12, 31)))
def test_every_day_is_read_in_every_form(day: date) -> None:
    year, month, number = day.year, day.month, day.day
    name = "January February March April May June July August September October November December"
    spelt = name.split()[month - 1]
    for form in (
        day.isoformat(),
        f"{number} {spelt} {year}",
        f"{spelt} {number}, {year}",
        f"{year}年{month}月{number}日",
    ):
        read = only(form)
        assert (read.year, read.month, read.day) == (year, month, number)
