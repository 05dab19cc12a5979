"""Lines joined into one, as people read them."""

from __future__ import annotations

import pytest

from leadline.text.lines import on_one_line


def test_a_line_break_inside_chinese_leaves_no_blank() -> None:
    assert on_one_line("净跨度\n37.02米，\n而拱高") == "净跨度 37.02米，而拱高"
    assert on_one_line("one\ntwo") == "one two"


@pytest.mark.parametrize(
    ("text", "within", "shown"),
    [
        ("the manip-\nulation of it", "", "the manipulation of it"),
        ("Specif\u2010\n       ically, it", "", "Specifically, it"),
        ("a well-\nknown one", "", "a well-known one"),
        ("a re-\nduction", "a reduction", "a reduction"),
        ("an over-\nhead line", "no over-head line", "an over-head line"),
        ("Jean-\nPaul came", "", "Jean-Paul came"),
        ("pages 3-\n5, and a -\nb", "", "pages 3- 5, and a - b"),
        ("kept as it-is", "", "kept as it-is"),
    ],
)
def test_a_divided_word_is_put_together(text: str, within: str, shown: str) -> None:
    assert on_one_line(text, within=within) == shown


def test_long_words_and_blanks_take_linear_time() -> None:
    assert len(on_one_line("a" * 200_000 + "\n")) == 200_000
    assert on_one_line(("a-" + " " * 1_000) * 200 + "\n").count("a-") == 200
