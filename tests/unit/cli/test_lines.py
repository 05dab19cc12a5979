"""Lines are broken between words, at the width of the terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leadline.cli.lines import WIDEST, to_columns
from leadline.text.lines import columns


def test_lines_break_between_words_and_lists_keep_their_indent() -> None:
    assert to_columns("- one two three\n\nfour five six", 10) == "- one two\n  three\n\nfour five\nsix"


def test_chinese_breaks_anywhere_but_before_closing_marks() -> None:
    broken = to_columns("都江堰在四川省都江堰市，是李冰主持修建的。", 10).split("\n")
    assert all(columns(line) <= 10 for line in broken)
    assert not any(line[0] in "，。" for line in broken)


def test_what_is_under_a_title_a_programs_line_and_a_long_word_are_no_words_to_break() -> None:
    listed, address = "    keep  this  as  it  is", "`/a/very/long/path.md`"
    assert to_columns("=" * 80, 12) == "=" * 12
    assert to_columns(f"{listed}\nsee {address} here", 12) == f"{listed}\nsee\n{address}\nhere"


def test_a_wide_terminal_is_not_filled() -> None:
    assert max(map(columns, to_columns("word " * 100, 400).split("\n"))) <= WIDEST


@given(st.text(alphabet="ab 都，。（）- `\n", max_size=80), st.integers(4, 40))
def test_nothing_is_lost_but_blanks(text: str, most: int) -> None:
    broken = to_columns(text, most)
    if not any(line.startswith("    ") or (line and set(line) <= {"-"}) for line in text.split("\n")):
        assert "".join(broken.split()) == "".join(text.split())
