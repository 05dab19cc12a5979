"""Passages of texts: what a text that lives for one check keeps makes no difference to what is found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leadline.research.passages import Haystack, find

TEXT = " ".join(
    f"The lamp of tower {n} was lit in {1700 + n}. Its keeper wrote of ships and storms. "
    f"{'The harbour lay silent. ' * (n % 5)}塔{n}的灯在{1700 + n}年点亮。"
    for n in range(40)
)
WORDS = st.lists(st.sampled_from(TEXT.replace(".", " ").split()), min_size=1, max_size=6).map(" ".join)


@given(st.lists(WORDS, min_size=1, max_size=6), st.integers(1, 5))
def test_a_brief_text_gives_what_a_fresh_one_gives(queries: list[str], limit: int) -> None:
    brief = Haystack("s", TEXT, brief=True)
    for query in queries:
        assert find(query, [brief], limit=limit) == find(query, [Haystack("s", TEXT)], limit=limit)
