from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.extract.builder import (
    MAX_LOCATORS,
    HeadingPath,
    TextBuilder,
    clean,
    line_locators,
    one_line,
    sparse,
    thin,
)
from leadline.extract.types import Locator, locate


def test_locate_names_the_nearest_place_and_the_coarser_ones_around_it() -> None:
    places = (
        Locator(0, "sheet", "Sales"),
        Locator(0, "row", "1"),
        Locator(10, "row", "2"),
        Locator(20, "sheet", "Costs"),
        Locator(30, "row", "1"),
    )
    assert locate(places, 12) == "sheet Sales, row 2"
    assert locate(places, 25) == "sheet Costs"
    assert locate(places, 99) == "sheet Costs, row 1"


def test_locate_says_nothing_before_the_first_place() -> None:
    assert not locate((Locator(5, "page", "1"),), 4)
    assert not locate((), 0)


def test_locate_writes_headings_and_ranges_for_a_person() -> None:
    assert locate((Locator(0, "heading", "Install › Linux"),), 3) == "heading: Install › Linux"
    assert locate((Locator(0, "line", "4-6"),), 3) == "lines 4-6"
    assert locate((Locator(0, "line", "4"),), 3) == "line 4"


def test_a_builder_marks_where_its_blocks_stand() -> None:
    out = TextBuilder(1000)
    out.new_part("page", "1")
    out.add("first")
    out.heading(1, "Top")
    out.heading(2, "Below")
    out.add("body")
    out.heading(1, "Next")
    text = out.text()
    assert text == "first\n\nTop\n\nBelow\n\nbody\n\nNext"
    assert [(text[at:][:5], label) for at, kind, label in out.locators() if kind == "heading"] == [
        ("Top\n\n", "Top"),
        ("Below", "Top › Below"),
        ("Next", "Next"),
    ]


def test_a_builder_stops_at_its_cap() -> None:
    out = TextBuilder(8)
    out.add("12345")
    out.add("67890")
    out.mark("page", "9")
    out.add("more")
    assert (out.text(), out.truncated, out.locators()) == ("12345\n\n6", True, ())


def test_a_builder_keeps_only_the_last_of_equal_marks() -> None:
    out = TextBuilder(100)
    out.new_part("page", "1")
    out.new_part("page", "2")
    out.add("x")
    assert out.locators() == (Locator(0, "page", "2"),)


@given(st.text(alphabet=st.characters(categories=["Cs", "L", "Cc"])))
def test_clean_text_can_be_stored(text: str) -> None:
    assert "\x00" not in clean(text)
    clean(text).encode()


@given(st.text(), st.integers(min_value=1, max_value=20))
def test_one_line_holds_its_limit(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line == " ".join(line.split())


@given(st.text(alphabet="ab\n"), st.integers(min_value=1, max_value=9))
def test_line_locators_point_at_line_starts(text: str, most: int) -> None:
    marks = line_locators(text, most=most)
    assert len(marks) <= most
    starts = [0, *(at + 1 for at, character in enumerate(text) if character == "\n")]
    for start, _, label in marks:
        assert start == starts[int(label.partition("-")[0]) - 1]


def test_thinning_keeps_the_first_and_the_bound() -> None:
    many = [Locator(at, "line", str(at)) for at in range(3 * MAX_LOCATORS + 1)]
    kept = thin(many)
    assert kept[0] == Locator(0, "line", "0-3")
    assert kept[-1].start <= many[-1].start
    assert len(kept) <= MAX_LOCATORS


def test_a_heading_path_leaves_deeper_sections() -> None:
    path = HeadingPath()
    assert path.enter(2, "A") == "A"
    assert path.enter(4, "B") == "A › B"
    assert path.enter(3, "C") == "A › C"
    assert path.enter(1, "D") == "D"


@pytest.mark.parametrize("lines", [1, 50, 51, 101, 400, 1_001, 2_501, 20_000, 100_000])
def test_a_record_holds_few_lines_and_says_where_each_range_is(lines: int) -> None:
    marks = sparse(line_locators("x\n" * lines))
    assert len(marks) <= (50 if lines <= 2_500 else 400)
    ranges = [tuple(map(int, mark.label.split("-"))) for mark in marks]
    assert (ranges[0][0], ranges[-1][-1]) == (1, lines)
    assert all(before[-1] + 1 == after[0] for before, after in pairwise(ranges))
    assert all(mark.start == 2 * (first[0] - 1) for mark, first in zip(marks, ranges, strict=True))
    assert len({len(one) for one in ranges}) == 1


def test_a_record_keeps_sheets_and_joins_their_rows() -> None:
    rows = [Locator(10 * at, "sheet" if at % 500 == 0 else "row", str(at)) for at in range(2_000)]
    kept = sparse(rows)
    assert [place.label for place in kept if place.kind == "sheet"] == ["0", "500", "1000", "1500"]
    assert len(kept) <= 410
    assert kept[1] == Locator(10, "row", "1-5")
    assert sparse(rows[:300]) == tuple(rows[:300])
    assert sparse(()) == ()
