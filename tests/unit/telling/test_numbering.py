"""Whether two texts say the same, and what they share."""

from __future__ import annotations

from leadline.telling.numbering import flat


def test_a_line_that_breaks_within_chinese_says_what_the_whole_line_says() -> None:
    assert flat("由隋代\n工匠李春设计，\n建成于605年。") == flat("由隋代工匠李春设计，建成于605年。")
    assert flat("the old\n  bridge.") == "the old bridge"
    assert flat("한국의 다리") == "한국의 다리"
