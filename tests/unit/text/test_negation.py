from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.text.negation import has_negation, negated_spans


@pytest.mark.parametrize(
    ("text", "cues"),
    [
        ("It is not old.", ["not"]),
        ("It isn’t old and wasn't new.", ["isn’t", "wasn't"]),
        ("She never left without it.", ["never", "without"]),
        ("It is no longer open.", ["no longer"]),
        ("He failed to win.", ["failed to"]),
        ("Nobody cannot", ["Nobody", "cannot"]),
        ("并非如此", ["并非"]),
        ("他没有去过", ["没有"]),
        ("該橋從未完工", ["從未"]),
        ("该桥未完工", ["未"]),
        ("不是这样", ["不"]),
        ("毫无根据", ["毫无"]),
    ],
)
def test_cues(text: str, cues: list[str]) -> None:
    assert [span.of(text) for span in negated_spans(text)] == cues
    assert has_negation(text)


@pytest.mark.parametrize(
    "text",
    [
        "It is not only old but big.",
        "No. 5 was the best.",
        "No doubt it opened no later than 1990.",
        "A notable knot, a noble note.",
        "不仅如此，未来的无线网络非常不同",
        "是否有没有，能否",
        "船沉没了，房屋被淹没",
        "无锡的无人机和非洲的无数人",
        "not until 1990 did it open",
        "",
    ],
)
def test_false_friends(text: str) -> None:
    assert not has_negation(text)


@given(st.text(alphabet="not oly'’nv不没有未无非仅常 "))
def test_spans_are_within_bounds(text: str) -> None:
    for span in negated_spans(text):
        assert 0 <= span.start < span.end <= len(text)
