from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.text.sentences import MAX_SENTENCE, blocks, split


def sentences(text: str) -> list[str]:
    return [span.of(text) for span in split(text)]


@pytest.mark.parametrize(
    "parts",
    [
        ["Dr. Smith met J. R. R. Tolkien at St. Andrews.", "He paid $3.50 (e.g. in cash)."],
        ['"Really?" he asked.', '"Yes."', "She left... Nothing"[:11], "Then nothing."],
        ["See www.example.com/a?b=c.d for more.", "It works."],
        ["The U.S. Army came.", "He moved to the U.S.", "The end.[3]", "After it."],
        ["Apple Inc. announced it.", "They live in Washington, D.C. and work."],
        ["George W. Bush won.", "We had plan B.", "It failed."],
        ["It grew by 3.5 percent in Jan. 2020.", "Then it fell."],
        ["He said (loudly.)", "She went!", "Why?", "No."],
        ["It was released on iOS.", "iPhone sales rose."],
        ["莱恩大桥建于1872年。", "它长1.2公里！", "“真的吗？”", "他问。"],
        ["《谁？》是一部电影；", "另一部不是。", "然后……", "没有了。"],
        ["今天很好!", "明天呢?", "不知道。"],
        ["I. M. Pei designed it.", "It opened in 1989."],
    ],
)
def test_borders_between(parts: list[str]) -> None:
    joined = "".join(parts) if any(ord(char) > 0x3000 for char in parts[0]) else " ".join(parts)
    assert sentences(joined) == parts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Title\n\nBody text here.", ["# Title", "Body text here."]),
        ("Title\n=====\nBody.", ["Title", "Body."]),
        ("- one\n- two\n1. three\n2) four", ["- one", "- two", "1. three", "2) four"]),
        ("| a | b |\n|---|---|\n| 1 | 2 |", ["| a | b |", "| 1 | 2 |"]),
        ("History\nThe city is old. It grew.", ["History", "The city is old.", "It grew."]),
        ("一、概述\n二、历史", ["一、概述", "二、历史"]),
        ("one\r\n\r\ntwo\x0cthree", ["one", "two", "three"]),
        ("苹果\n香蕉", ["苹果", "香蕉"]),
        (
            "Anna Lind,Finance,Gothenburg,2019-08-12,B3\nPiotr Ziel,Engineering,Krakow,2021-02-01,C1",
            ["Anna Lind,Finance,Gothenburg,2019-08-12,B3", "Piotr Ziel,Engineering,Krakow,2021-02-01,C1"],
        ),
        (
            "BX-1001 | Bearing 20 mm | 340 | 4.2 | Norrland\nBX-1002 | Bearing 25 mm | 58 | 5.1 | Norrland",
            ["BX-1001 | Bearing 20 mm | 340 | 4.2 | Norrland", "BX-1002 | Bearing 25 mm | 58 | 5.1 | Norrland"],
        ),
    ],
)
def test_lines_that_are_borders(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_wrapped_paragraphs_are_joined() -> None:
    english = "A paragraph that was wrapped at some column by an\neditor goes on here. And it ends\nlater."
    assert len(split(english)) == 2
    chinese = "这是一个在固定列数处换行的中文段落它的每一行都\n有差不多一样的长度所以应当合并成为一个句子。"
    assert len(split(chinese)) == 1


def test_the_figure_of_a_number_in_words_opens_no_item() -> None:
    clause = "The Customer may terminate after the first two years by giving six\n(6) months' notice."
    assert sentences(clause) == [clause]
    prose = "The town has 12,000 people in 1,900 houses and it has grown to\n14,000 people in 2,300 houses."
    assert sentences(prose) == [prose]
    assert len(sentences("Bring these to the meeting:\n(1) a map\n(2) a lamp")) == 3


def test_lines_of_proportional_type_are_joined_though_they_differ_in_length() -> None:
    text = (
        "first expedition that was sent around the world to study the\n"
        "William Benjamin Carpenter, supported by the Royal\n"
        "Society of London and paid for by the British government.\n"
    )
    assert len(split(text)) == 1


def test_long_sentences_are_cut_at_commas() -> None:
    text = "word, " * 1_000
    found = split(text)
    assert all(span.length <= MAX_SENTENCE for span in found)
    assert all(span.of(text).endswith(",") for span in found)
    assert max(span.length for span in split("字" * 5_000)) <= MAX_SENTENCE


@given(
    st.one_of(
        st.text(),
        st.text(alphabet='aA1.。!?？…\n\r\t "”’)([]、，；,;-#|*「」《》', max_size=200),
    )
)
def test_spans_are_trimmed_ordered_and_disjoint(text: str) -> None:
    found = split(text)
    for span in found:
        assert 0 <= span.start < span.end <= len(text)
        assert span.of(text) == span.of(text).strip()
    assert all(left.end <= right.start for left, right in pairwise(found))
    inside = blocks(text)
    assert all(any(block.contains(span) for block in inside) for span in found)


@given(st.text(alphabet="ab .。\n", max_size=80))
def test_nothing_but_white_space_is_lost(text: str) -> None:
    kept = "".join(span.of(text) for span in split(text))
    assert "".join(kept.split()) == "".join(text.split())
