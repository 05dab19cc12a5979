"""Thoughts apart from words, whole and streamed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.text.think import ThinkSplitter, split_thoughts


@pytest.mark.parametrize(
    ("raw", "text", "reasoning"),
    [
        ("plain", "plain", ""),
        ("<think>why</think>\n\nbecause", "because", "why"),
        ("why</think> because", "because", "why"),
        ("<think>a</think>b<think>c</think>d", "bd", "ac"),
        ("<think></think>b", "b", ""),
        ("<thinking is fun", "<thinking is fun", ""),
        ("a < b and b <t", "a < b and b <t", ""),
        ("<think>it never ends", "<think>it never ends", ""),
        ("<think>so <tool_call>{}</tool_call>", "<think>so <tool_call>{}</tool_call>", ""),
        ("<think>so <tool_call>x</tool_call></think>y", "y", "so <tool_call>x</tool_call>"),
        ('<tool_call>{"q": "</think>"}</tool_call>', '<tool_call>{"q": "</think>"}</tool_call>', ""),
        ("<answer>use <think> tags</answer>", "<answer>use <think> tags</answer>", ""),
        ("", "", ""),
    ],
)
def test_split(raw: str, text: str, reasoning: str) -> None:
    assert split_thoughts(raw) == (text, reasoning)


_PIECES = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "<tool_call>", "<answer>", "<", "th", "ink>", "/", " ", "\n", "word", "思考"]
    ),
    max_size=14,
)


@given(_PIECES, st.lists(st.integers(0, 80), max_size=10))
def test_where_the_stream_is_cut_makes_no_difference(pieces: list[str], cuts: list[int]) -> None:
    raw = "".join(pieces)
    places = sorted({cut for cut in cuts if cut < len(raw)} | {0, len(raw)})
    splitter = ThinkSplitter()
    for a, b in pairwise(places):
        splitter.feed(raw[a:b])
    splitter.close()
    assert (splitter.text, splitter.reasoning) == split_thoughts(raw)


def test_what_is_certain_is_given_out_at_once() -> None:
    splitter = ThinkSplitter()
    assert splitter.feed("<thi") == []
    assert splitter.feed("nk>abc") == [("reasoning", "abc")]
    assert splitter.feed("d</th") == [("reasoning", "d")]
    assert splitter.feed("ink>\n") == []
    assert splitter.feed("\nyes <") == [("text", "yes ")]
    assert splitter.feed("b") == [("text", "<b")]
    assert splitter.close() == []
