from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.text.clean import defused, neutralise, squeeze
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
        "[THINK]",
        "[gMASK]",
        "<sop>",
        "]~b]user",
        "[e~[",
        "<|channel|>",
        "<turn|>",
        "<arg_key>",
        "<report>",
        "</excerpt>",
        "<|start_header_id|>",
        "<｜tool▁calls▁begin｜>",
        "<unused12>",
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


@pytest.mark.parametrize(
    ("live", "dead"),
    [
        ("![x](https://evil.test/?q=secret)", "!\u2045x]\ufe59https://evil.test/?q=secret)"),
        ("[read on](https://evil.test/)", "[read on]\ufe59https://evil.test/)"),
        ("[![i](a.png)](b)", "[!\u2045i]\ufe59a.png)]\ufe59b)"),
        ("![x][ref]\n\n[ref]: https://evil.test/", "!\u2045x][ref]\n\n\u2045ref]: https://evil.test/"),
        ("> [ref]: //evil.test", "> \u2045ref]: //evil.test"),
        ("<img src=//evil.test>", "\u2039img src=//evil.test>"),
        ("<IFRAME src=x></iframe>", "\u2039IFRAME src=x>\u2039/iframe>"),
        ("<https://evil.test/>", "\u2039https://evil.test/>"),
        ("a[i][j] (of 3) and x < y!", "a[i][j] (of 3) and x < y!"),
    ],
)
def test_nothing_is_loaded_or_followed(live: str, dead: str) -> None:
    assert defused(live) == dead
    assert defused(dead) == dead


@given(st.text(alphabet="![](<>:/ \nabimgsrc\u2045\ufe59", max_size=60))
def test_defusing_is_idempotent_and_keeps_lengths(text: str) -> None:
    once = defused(text)
    assert defused(once) == once
    assert len(once) == len(text)
    assert "![" not in once
    assert "](" not in once


def test_a_defused_quotation_is_still_located() -> None:
    text = "See the ![map](https://a.test/map.png) of the harbour."
    found = locate(defused("the ![map](https://a.test/map.png) of"), text)
    assert found is not None
    assert text[found.start : found.end] == "the ![map](https://a.test/map.png) of"
