from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.api.statistics import difference, mean

VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_the_interval_holds_the_mean_and_narrows() -> None:
    few, many = mean([0.0, 1.0] * 5), mean([0.0, 1.0] * 200)
    assert few.value == many.value == 0.5
    assert few.low < many.low < 0.5 < many.high < few.high
    # The normal approximation for a share of one half over 400: 0.5 +- 0.049.
    assert many.low == pytest.approx(0.451, abs=0.01)


def test_equal_values_have_no_width() -> None:
    assert (mean([1.0]).low, mean([1.0]).high) == (1.0, 1.0)


def test_the_same_seed_gives_the_same_figures() -> None:
    values = [number / 37 for number in range(37)]
    assert mean(values) == mean(values)
    assert mean(values, seed=1) != mean(values, seed=2)


def test_p_is_exact_for_few_questions() -> None:
    # All of five in one direction: 2 of 32 exchanges are as far.
    assert difference([1.0] * 5, [0.0] * 5).p == pytest.approx(2 / 32)
    assert difference([1.0, 0.0], [0.0, 1.0]).p == 1.0
    assert difference([1.0], [1.0]).p == 1.0


def test_many_equal_differences_are_sure() -> None:
    found = difference([1.0] * 40, [0.0] * 40)
    assert found.p < 0.001
    assert found.value == found.low == found.high == 1.0


@given(VALUES)
def test_bounds(values: list[float]) -> None:
    found = mean(values)
    assert found.low <= found.high
    assert min(values) - 1e-9 <= found.value <= max(values) + 1e-9
    assert 0.0 <= difference(values, list(reversed(values))).p <= 1.0
