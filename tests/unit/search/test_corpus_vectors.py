from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.search.corpus_query import Match, fuse
from leadline.search.corpus_vector_file import passage_text, text_key
from leadline.search.corpus_vectors import Matrix, pack_vectors, packed_size

FLOATS = st.floats(-1e6, 1e6, allow_nan=False)


def cosine(one: list[float], other: list[float]) -> float:
    lengths = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0


def gauss(random: Random, count: int, size: int) -> list[list[float]]:
    return [[random.gauss(0, 1) for _ in range(size)] for _ in range(count)]


@given(
    st.lists(st.lists(FLOATS, min_size=3, max_size=3), min_size=1, max_size=5), st.lists(FLOATS, min_size=3, max_size=3)
)
def test_any_vectors_can_be_packed_and_asked(vectors: list[list[float]], question: list[float]) -> None:
    packed = pack_vectors(vectors)
    assert {len(one) for one in packed} == {packed_size(3)}
    found = Matrix(packed, 3).nearest(question, 2)
    assert len(found) <= 2
    assert all(-1.01 <= at.cosine <= 1.01 and 0 <= at.row < len(vectors) for at in found)


def test_packing_costs_little_precision() -> None:
    random = Random(7)
    vectors, (question,) = gauss(random, 700, 96), gauss(random, 1, 96)
    exact = sorted(range(700), key=lambda row: -cosine(vectors[row], question))
    found = Matrix(pack_vectors(vectors), 96).nearest(question, 10)
    assert len(found) == 10
    assert set(exact[:8]) <= {at.row for at in found}
    for at in found:
        assert at.cosine == pytest.approx(cosine(vectors[at.row], question), abs=3e-3)


def test_equals_come_in_order_and_what_is_far_not_at_all() -> None:
    rows = [[0.0, 1.0], [1.0, 1.0], [1.0, 1.0], [-1.0, 0.0], [0.0, 0.0]]
    matrix = Matrix(pack_vectors(rows), 2)
    assert [at.row for at in matrix.nearest([1.0, 0.0], 10)] == [1, 2]
    assert [at.row for at in matrix.nearest([1.0, 0.0], 1)] in ([1], [2])
    assert matrix.nearest([0.0, 0.0], 10) == []
    assert Matrix([], 2).nearest([1.0, 0.0], 10) == []


def test_one_passage_alone_can_be_near() -> None:
    (near,) = Matrix(pack_vectors([[3.0, 4.0]]), 2).nearest([3.0, 4.0], 5)
    assert near.cosine == pytest.approx(1.0, abs=0.01)


def test_what_both_lists_know_comes_first() -> None:
    words = [Match(1, 0, 9, 5.0), Match(2, 0, 9, 4.0), Match(3, 0, 9, 3.0)]
    vectors = [Match(4, 0, 9, 0.0), Match(3, 0, 9, 0.0), Match(3, 9, 12, 0.0)]
    fused = fuse(words, vectors)
    assert [(match.text_id, match.start) for match in fused] == [(3, 0), (1, 0), (4, 0), (2, 0), (3, 9)]
    assert fused[0].score == pytest.approx(1 / 63 + 1 / 62)
    assert fuse([], []) == []


def test_a_title_is_embedded_once() -> None:
    assert passage_text("Depth", "Depth › Sounding", "A line.") == "Depth › Sounding\nA line."
    assert passage_text("Chart", "Depth", "A line.") == "Chart\nDepth\nA line."
    assert passage_text("", "", "A line.") == "A line."


def test_a_texts_key_tells_its_parts_apart() -> None:
    assert text_key("ab", "c", "d") != text_key("a", "bc", "d")
