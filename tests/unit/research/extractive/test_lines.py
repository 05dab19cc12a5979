"""What of a text is read as evidence, and tables with the heads of their columns."""

from __future__ import annotations

import pytest

from leadline.research.extractive.lines import Line, Told, is_field, lines_of
from leadline.research.extractive.rows import rows_in
from leadline.text.offsets import Span


def read(text: str, *, table: bool = False) -> list[Line]:
    return lines_of(Told(page=0, title="", text=text, table=table), [Span(0, len(text))])


def said(text: str) -> list[str]:
    return [text[line.start : line.end] for line in read(text) if not line.asks]


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("| Kiln | Lit |\n|---|---|\n| North | 1902 |\n| South | 1931 |\n", False),
        ("Kiln | Lit\nNorth | 1902\nSouth | 1931\n", False),
        ("Kiln\tLit\nNorth\t1902\nSouth\t1931\n", False),
        ("Kiln,Lit\nNorth,1902\nSouth,1931\n", True),
        ("Kiln;Lit\nNorth;1902\nSouth;1931\n", True),
    ],
)
def test_a_row_is_read_with_the_heads_of_its_columns(text: str, *, table: bool) -> None:
    rows = rows_in(text, Span(0, len(text)), table=table)
    assert [row.cells for row in rows] == [(("Kiln", "North"), ("Lit", "1902")), (("Kiln", "South"), ("Lit", "1931"))]
    assert all("North" in row.span.of(text) or "South" in row.span.of(text) for row in rows)


def test_the_heads_of_a_table_are_found_from_within_it() -> None:
    text = "| Kiln | Lit |\n|---|---|\n" + "".join(f"| K{n} | {1900 + n} |\n" for n in range(50))
    rows = rows_in(text, Span(text.index("| K40"), len(text)))
    assert rows[0].cells == (("Kiln", "K40"), ("Lit", "1940"))


def test_the_heads_of_columns_say_nothing_themselves() -> None:
    text = "Part number | Description of it | In stock\nSeal | Rubber | 340\nBolt | Steel | 12\n"
    assert said(text) == ["Seal | Rubber | 340", "Bolt | Steel | 12"]


def test_prose_between_tables_stays_prose() -> None:
    text = "The kilns:\n\n| Kiln | Lit |\n|---|---|\n| North | 1902 |\n\nBoth burn wood.\n"
    lines = read(text)
    assert [bool(line.cells) for line in lines if line.prose] == [False, True, False]


def test_justified_prose_with_tabs_is_no_table() -> None:
    text = "Handle  sparse  kilns\twell.\tSome kilns have\nsegments\twhich were  never\tlit  at  all.\n"
    assert rows_in(text, Span(0, len(text))) == []


def test_short_sentences_fields_and_figures_are_evidence() -> None:
    assert said("Nobody fell.\n\nThe kiln X burst.\n") == ["Nobody fell.", "The kiln X burst."]
    assert said("组长：周岚\n采购：何俊\n") == ["组长：周岚", "采购：何俊"]
    assert said("Sales in 2022 were £8,140, up from £7,300 in 2021.\n")
    assert is_field("Driver: Kofi Mensah")
    assert not is_field("Chapter 3: The kiln")
    assert not is_field("Next: The kiln, Previous: The mill, Up: Top")
    assert is_field("Next meeting: 4 May")


def test_a_question_heads_its_answer_and_is_none() -> None:
    text = "## How hot is the kiln?\nIt reaches 1,200 degrees.\n"
    asks, answer = read(text)
    assert asks.asks
    assert answer.under is not None
    assert answer.under.of(text).endswith("How hot is the kiln?")


@pytest.mark.parametrize(
    "text",
    ["4.3 Firing the kiln . . . . . . . . 12", "8 4.3 Firing functions .", "kiln open door, page 22", "点火 …… 5"],
)
def test_a_table_of_contents_is_no_evidence(text: str) -> None:
    assert said(text) == []


@pytest.mark.parametrize("text", ["  -k KILN\n        Fire KILN.\n", "Fuel\nBirch\n\nGlaze\nAsh\n"])
def test_what_a_list_explains_stands_with_it(text: str) -> None:
    line = next(line for line in read(text) if line.entry)
    assert line.under is not None
    assert line.under.of(text) in {"-k KILN", "Fuel"}
