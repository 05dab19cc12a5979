"""Matches looked for by their first characters are those that `finditer` finds."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from leadline.text.scan import matches

STOPS = re.compile(r"(?:[.!?]+|…{2,})[\"')]*(?:\[\d\])*|\.\d")
OPENING = re.compile("[.!?…]")


@given(st.text("ab.!?…\"')[1]", max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_the_same_matches_as_finditer(text: str, low: int, high: int) -> None:
    start, end = sorted((min(low, len(text)), min(high, len(text))))
    found = [match.span() for match in matches(STOPS, text, opening=OPENING, start=start, end=end)]
    assert found == [match.span() for match in STOPS.finditer(text, start, end)]


def test_the_whole_text_without_borders() -> None:
    assert [match[0] for match in matches(STOPS, 'a. b…c…… "d!"', opening=OPENING)] == [".", "……", '!"']
