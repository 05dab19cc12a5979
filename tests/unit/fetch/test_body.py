"""Cutting a body that is too long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leadline.fetch.body import cut


def test_a_cut_ends_behind_a_tag_or_line_if_one_is_near() -> None:
    assert cut(b"<p>one</p><p>two", 14) == b"<p>one</p><p>"
    assert cut(b"line\nline two", 8) == b"line\n"
    assert cut(b"a" * 10_000, 9_000) == b"a" * 9_000


@given(st.text(st.characters(codec="utf-8", exclude_characters="\n>")), st.integers(0, 200))
def test_a_cut_tears_no_character(text: str, most: int) -> None:
    data = text.encode()
    kept = cut(data, most) if len(data) > most else data
    assert text.startswith(kept.decode())
    assert len(kept) > min(most, len(data)) - 4
