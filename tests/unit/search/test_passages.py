from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.domain import Mark
from leadline.extract.marks import marks
from leadline.extract.types import Locator
from leadline.search.passages import LEAST, MOST, TARGET, cut
from leadline.search.snippets import SNIPPET, snippet

SENTENCE = "The lead line is marked with leather and cloth so that it can be read in the dark. "
CHINESE = "测深绳上系有皮条和布条，夜里也能摸出深度。"


@given(
    st.text(alphabet=st.sampled_from("ab。. \n\t句"), max_size=6_000),
    st.lists(st.integers(0, 6_000), max_size=8),
)
def test_passages_cover_all_but_white_space(text: str, starts: list[int]) -> None:
    locators = [Locator(start, "heading", "h") for start in sorted(starts)]
    covered = 0
    for span in cut(text, locators):
        assert covered <= span.start < span.end <= len(text)
        assert span.length <= MOST
        assert not text[covered : span.start].strip()
        assert span.of(text) == span.of(text).strip()
        covered = span.end
    assert not text[covered:].strip()


@pytest.mark.parametrize("sentence", [SENTENCE, CHINESE], ids=["en", "zh"])
def test_passages_end_with_sentences(sentence: str) -> None:
    spans = list(cut(sentence * 100))
    assert all(LEAST <= span.length <= MOST for span in spans[:-1])
    assert all(span.of(sentence * 100).endswith((".", "。")) for span in spans)


def test_a_heading_opens_a_passage_unless_it_would_be_small() -> None:
    text = SENTENCE * 8 + "Heading " + SENTENCE * 8
    at = len(SENTENCE) * 8
    assert [span.start for span in cut(text, [Locator(at, "heading", "Heading")])] == [0, at]
    early = [Locator(len(SENTENCE), "heading", "Early")]
    assert next(iter(cut(text, early))).end > LEAST


def test_text_without_any_border_is_cut_at_the_target() -> None:
    assert [span.length for span in cut("x" * 2_500)] == [TARGET, TARGET, 500]


def test_marks_tell_the_whole_place() -> None:
    locators = [
        Locator(0, "page", "1"),
        Locator(5, "heading", "Rope"),
        Locator(9, "line", "3"),
        Locator(20, "page", "2"),
        Locator(21, "line", "9"),
    ]
    assert marks(locators) == (
        Mark(start=0, label="page 1"),
        Mark(start=5, label="page 1, heading: Rope"),
        Mark(start=9, label="page 1, heading: Rope, line 3"),
        Mark(start=20, label="page 2"),
        Mark(start=21, label="page 2, line 9"),
    )


def test_a_snippet_shows_the_sentence_with_most_of_the_query() -> None:
    text = SENTENCE * 5 + "A fathom is six feet. " + SENTENCE * 5
    shown = snippet(text, "how many feet has a fathom?")
    assert shown.startswith("A fathom is six feet.")
    assert len(shown) <= SNIPPET


def test_a_chinese_snippet_begins_with_its_sentence() -> None:
    text = CHINESE * 20 + "一英寻等于六英尺。" + CHINESE * 20
    assert snippet(text, "一英寻是多少英尺").startswith("一英寻等于六英尺。")


@given(st.text(max_size=1_500), st.text(max_size=60))
def test_a_snippet_is_bounded_and_never_fails(text: str, asked: str) -> None:
    shown = snippet(text, asked)
    assert len(shown) <= SNIPPET
    assert "\n" not in shown
