"""Cursors: what goes out comes back, and nothing else is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.errors import InputError
from leadline.ports import Cursor
from leadline.service.paging import number_cursor, pack, read_number, read_run_cursor, run_cursor


@given(st.floats(0, 1e11), st.text("r0123456789abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=30))
def test_a_place_among_runs_comes_back(created_at: float, run_id: str) -> None:
    cursor = Cursor(created_at, run_id)
    assert read_run_cursor(run_cursor(cursor)) == cursor


@given(st.integers(0, (1 << 62) - 1))
def test_a_number_comes_back(number: int) -> None:
    assert read_number(number_cursor(number)) == number


@given(st.text(max_size=100))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    for read in (read_run_cursor, read_number):
        with pytest.raises(InputError):
            read(text)


@pytest.mark.parametrize("place", [[True], [-1], [1.5], ["1"], [1, 2], [1 << 62], []])
def test_a_cursor_of_another_kind_is_refused(place: list[object]) -> None:
    with pytest.raises(InputError):
        read_number(pack(place))
