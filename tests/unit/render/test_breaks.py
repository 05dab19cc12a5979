from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.render.breaks import breaks


def lines(text: str) -> list[str]:
    """Return the text broken wherever it may be."""
    at = [0, *sorted(breaks(text)), len(text)]
    return [text[start:end] for start, end in pairwise(at)]


def test_words_stay_whole_and_blanks_end_lines() -> None:
    assert lines("two words, well-known ones") == ["two ", "words, ", "well-", "known ", "ones"]


@pytest.mark.parametrize(
    ("text", "forbidden"),
    [
        ("增长5.3%，比上年四季度增长1.6%。", "，。%."),
        ("他说：“好的。”然后（笑）走了！", "：。”）！"),
        ("《标题》、【注】……——完", "》、】"),
        ("カタカナー、ゃっ", "ー、ゃっ"),
        ("价格为￥100元", "100"),
    ],
)
def test_chinese_lines_begin_with_nothing_that_ends_a_clause(text: str, forbidden: str) -> None:
    assert not [line for line in lines(text)[1:] if line[0] in forbidden]


@pytest.mark.parametrize("text", ["他说：“好的。”", "（注）《书名》", "单价￥5"])
def test_chinese_lines_end_with_nothing_that_opens_one(text: str) -> None:
    assert not [line for line in lines(text)[:-1] if line[-1] in "“（《￥"]


def test_twin_marks_are_never_parted() -> None:
    assert "……" in lines("等等……再说——好")[1]
    assert not [line for line in lines("等等……再说——好") if line in {"…", "—"}]


def test_a_citation_never_begins_a_line() -> None:
    assert lines("It is so. [1][12] (checked)") == ["It ", "is ", "so. [1][12] ", "(checked)"]
    assert lines("如此。[1]又如")[:2] == ["如", "此。[1]"]


def test_addresses_break_behind_their_joints() -> None:
    told = lines("see https://example.org/a-path/file.html?key=value&other=1 now")
    assert told[1:-1] == [
        *("https://example.", "org/", "a-", "path/", "file.", "html?", "key=", "value&", "other=", "1 "),
    ]


@given(st.text(alphabet="ab ，。“”（）中文12[]-/.%…", max_size=60))
def test_nothing_breaks_outside_the_text(text: str) -> None:
    assert all(0 < at < len(text) for at in breaks(text))
    assert "".join(lines(text)) == text
