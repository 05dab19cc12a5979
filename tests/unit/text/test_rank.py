from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.text.rank import Bm25, near_duplicate, shingles, similarity, tile, windows

PASSAGES = [
    "The bridge over the Lyne was built in 1872.",
    "The mill burned down and was never rebuilt.",
    "莱恩大桥建于1872年，全长1.2公里。",
    "A market is held on Saturdays.",
]


def test_the_passage_that_speaks_of_it_ranks_first() -> None:
    index = Bm25(PASSAGES)
    assert index.best("When was the bridge built?", limit=2)[0] == 0
    assert index.best("莱恩大橋多長？", limit=4) == [2]
    assert index.best("zebra", limit=4) == []
    assert index.scores("the of and") is not None
    assert len(index) == 4


def test_scores_follow_the_formula_in_kind() -> None:
    rare, common = Bm25(["a zebra", "a lion", "a lion"]), Bm25(["a zebra", "a zebra", "a zebra"])
    assert rare.scores("zebra")[0] > common.scores("zebra")[0] > 0
    short, long = Bm25(["lion cat", "lion " + "word " * 50]).scores("lion")
    assert short > long
    assert Bm25([]).scores("x") == []
    assert Bm25([""]).scores("x") == [0.0]


def page() -> str:
    filler = "Nothing of interest happens in this sentence about weather and walls. "
    return (filler * 60) + "\n\n## Bridge\n\nThe old bridge was finished in 1872. \n\n" + (filler * 60)


def test_windows_hold_what_the_goal_asks() -> None:
    text = page()
    found = windows(text, "when was the bridge finished", limit_chars=2_000)
    assert sum(span.length for span in found) <= 2_000
    assert any("finished in 1872" in span.of(text) for span in found)
    assert found == sorted(found)
    assert windows(text, "zebra", limit_chars=500)[0].start == 0
    assert windows("short text", "x", limit_chars=100) == [(0, 10)]
    assert windows("  \n", "x", limit_chars=100) == []
    assert windows(text, "bridge", limit_chars=0) == []


@given(st.text(alphabet="ab .\n。桥#", max_size=400), st.integers(1, 200), st.integers(10, 80))
def test_windows_keep_the_limit_and_do_not_overlap(text: str, limit: int, window: int) -> None:
    found = windows(text, "a 桥", limit_chars=limit, window=window)
    assert sum(span.length for span in found) <= limit
    for left, right in pairwise(found):
        assert left.end <= right.start


@given(st.text(alphabet="ab .\n。桥#", max_size=400), st.integers(10, 80))
def test_tiles_adjoin_and_are_bounded(text: str, window: int) -> None:
    tiles = tile(text, window=window)
    for left, right in pairwise(tiles):
        assert left.end == right.start
    covered = "".join(span.of(text) for span in tiles)
    assert "".join(covered.split()) == "".join(text.split())


def test_similarity() -> None:
    assert similarity("a b c d e f", "a b c d e f") == (1.0, 1.0)
    assert similarity("", "a") == (0.0, 0.0)
    part = similarity("one two three four five", "zero one two three four five six seven")
    assert part.containment == pytest.approx(1.0)
    assert part.jaccard < 1
    assert shingles("一二三四五六") == shingles("一二三四五六。")


LONG = "The bridge over the river was built by John Smith of London between the two world wars"


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (LONG, LONG + ".", True),
        (LONG, "As is known: " + LONG + " and people still like it.", True),
        (LONG + " in 1900", LONG + " in 1901", False),
        (LONG, LONG.replace("was built", "was never built"), False),
        (LONG, "A market is held on Saturdays in front of the town hall by the farmers.", False),
        ("short", "short!", True),
        ("", "", False),
        ("莱恩大桥建于1872年全长1.2公里由史密斯设计", "莱恩大橋建於1872年，全長1.2公里，由史密斯設計。", True),
    ],
)
def test_near_duplicates(a: str, b: str, same: bool) -> None:
    assert near_duplicate(a, b) is same
    assert near_duplicate(b, a) is same
