from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.text.clean import neutralise, squeeze
from leadline.text.spans import locate


@pytest.mark.parametrize(
    "tag",
    [
        "<tool_call>",
        "</tool_call>",
        "</ tool_response >",
        "< TOOL_RESPONSE>",
        "<think>",
        "</think>",
        "<answer>",
        "<|im_start|>",
        "<|im_end|>",
        "<|endoftext|>",
        "<｜begin▁of▁sentence｜>",
        "<start_of_turn>",
        "<s>",
        "</s>",
        "<function=search>",
        "<x:invoke name='a'>",
        "<tool\u200b_call>",
        "<\U000e0041think>",
        "＜answer＞",
        "<<SYS>>",
        "[INST]",
        "[/INST]",
        "<tool_call",
    ],
)
def test_control_tags_become_inert_and_stay_readable(tag: str) -> None:
    shown = neutralise(f"before {tag} after")
    visible = tag.replace("\u200b", "").replace("\U000e0041", "")
    assert visible not in shown
    assert visible[1:] in shown or visible[2:] in shown
    assert locate(shown, f"before {tag} after") is not None


@pytest.mark.parametrize(
    "harmless", ["a < b", "x <- y", "List<String>", "<b>bold</b>", "f <| g |> h", "[1] [note]", "a<5"]
)
def test_other_brackets_stay(harmless: str) -> None:
    assert neutralise(harmless) == harmless


def test_what_cannot_be_seen_is_removed() -> None:
    hidden = "a\u202eb\u200bc\U000e0049d\x00e\u2066f\ufeffg\x1bh\u00adi\U000e0100j"
    assert neutralise(hidden) == "abcdefghij"
    assert neutralise("a\r\nb\rc\u2028d\te") == "a\nb\nc\nd\te"
    assert neutralise("\ud800x").encode() == "\ufffdx".encode()


@given(st.text(alphabet=st.characters(codec=None)))
def test_neutralise_is_idempotent_and_encodable(text: str) -> None:
    once = neutralise(text)
    assert neutralise(once) == once
    assert once.encode().decode() == once


@given(st.text(alphabet="<>/|_ toolcalthinksw\u200b\u202e\n[]INST"))
def test_no_tag_can_be_put_together(text: str) -> None:
    shown = neutralise(text)
    assert "<think" not in shown
    assert "<tool" not in shown


def test_squeeze() -> None:
    assert squeeze("  a\n\n b\u200b\tc  ") == "a b c"
    assert squeeze("one two three", limit=8) == "one two…"
    assert squeeze("abcdef", limit=4) == "abc…"
    assert squeeze("abc", limit=3) == "abc"
    assert squeeze("abc", limit=1) == "…"
    assert squeeze("abc", limit=0) == ""


@given(st.text(), st.integers(0, 40))
def test_squeeze_keeps_the_limit(text: str, limit: int) -> None:
    shown = squeeze(text, limit=limit)
    assert len(shown) <= limit
    assert "\n" not in shown
