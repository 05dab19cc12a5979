from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.text.clean import neutralise
from leadline.text.offsets import Intervals, Span, trim
from leadline.text.spans import Folded, fold, locate, locate_parts, snap

TEXT = (
    "The “quick” brown\n fox — it’s co\u00adop \u200b jumping  ﬁne.  北京\n大学使用 Python 编写，ok。"
    " e\u0301t\u00e9 … The end, ‹tool›."
)


@pytest.mark.parametrize(
    ("quote", "original"),
    [
        ('"quick" brown fox', "“quick” brown\n fox"),
        ("fox - it's coop jumping", "fox — it’s co\u00adop \u200b jumping"),
        ("jumping fine.", "jumping  ﬁne."),
        ("fine", "ﬁne"),
        ("北京大学使用Python编写,ok。", "北京\n大学使用 Python 编写，ok。"),
        ("北京大学 使用 Python", "北京\n大学使用 Python"),
        ("\u00e9te\u0301", "e\u0301t\u00e9"),
        ("été ...", "e\u0301t\u00e9 …"),
        ("“The end”", "The end"),
        ("<tool>", "‹tool›"),
        ("  brown fox  ", "brown\n fox"),
    ],
)
def test_locate(quote: str, original: str) -> None:
    span = locate(quote, TEXT)
    assert span is not None
    assert span.of(TEXT) == original


@pytest.mark.parametrize("quote", ["the quick", "browner", "", "   ", "\u200b", '""', "end The"])
def test_what_does_not_stand_is_not_located(quote: str) -> None:
    assert locate(quote, TEXT) is None


def test_the_hint_chooses_between_places() -> None:
    text = "one two. one  two. one two."
    assert locate("one two", text) == Span(0, 7)
    assert locate("one two", text, hint=18) == Span(19, 26)
    assert locate("one two", text, hint=27) == Span(19, 26)
    folded = Folded("“a”  b “a”  b “a”  b")
    assert folded.locate('"a" b', hint=7) == Span(7, 13)
    assert folded.locate('"a" b', hint=20) == Span(14, 20)


def test_parts_around_an_ellipsis() -> None:
    assert [span.of(TEXT) for span in locate_parts('The "quick" ... it\'s […] ok。', TEXT)] == [
        "The “quick”",
        "it’s",
        "ok。",
    ]
    assert locate_parts("fox ... nowhere", TEXT) == []
    assert locate_parts("ok ... fox", TEXT) == []
    assert locate_parts("...", "none here") == []
    assert locate_parts("", TEXT) == []


@given(st.text(), st.integers(0, 50), st.integers(1, 50))
def test_every_substring_is_located_and_reads_the_same(text: str, start: int, length: int) -> None:
    quote = text[start : start + length]
    span = locate(quote, text)
    if fold(quote).strip():
        assert span is not None
        assert span.of(text) == quote.strip()


ALPHABET = "ab \n\t“”\"'’-—\u00ad\u200bﬁé\u0301e…北京，。\u3000１Ａ《"


@given(st.text(alphabet=ALPHABET), st.text(alphabet=ALPHABET, min_size=1, max_size=6))
def test_a_located_span_folds_to_the_quote(text: str, quote: str) -> None:
    span = Folded(text).locate(quote)
    if span is not None:
        assert 0 <= span.start < span.end <= len(text)
        wanted = fold(quote).strip()
        assert wanted.strip("\"' ") in fold(text)
        assert wanted.strip("\"' ") in fold(span.of(text)) or wanted in fold(span.of(text))


@given(st.text(alphabet=ALPHABET))
def test_a_text_differing_only_in_marks_is_located_whole(text: str) -> None:
    other = text.replace("—", "-").replace("“", '"').replace("”", '"').replace("\n", " \n ")
    other = unicodedata.normalize("NFC", other).replace("\u200b", "")
    wanted = fold(other).strip()
    if wanted and wanted == fold(text).strip():
        assert locate(other, text) is not None


@given(st.text())
def test_folding_twice_changes_nothing_that_matters(text: str) -> None:
    assert fold(text).count("\u00ad") == 0
    assert "  " not in fold(text)


@given(st.text(alphabet=ALPHABET + "<>[]|/ INSTthinkanswer\ud800\x1c\x00\u2028＜〔\U000e0041.", max_size=60))
def test_what_a_prompt_shows_is_located_in_the_stored_text(text: str) -> None:
    shown = neutralise(text)
    if fold(shown).strip():
        assert fold(shown).strip() == fold(text).strip()
        assert locate(shown, text) is not None


def test_snap_widens_to_sentences() -> None:
    text = "One two. Three four. Five.\n\nSix seven. Eight."
    assert snap(text, 11, 13).of(text) == "Three four."
    assert snap(text, 5, 11).of(text) == "One two. Three four."
    assert snap(text, 30, 31).of(text) == "Six seven."
    assert snap(text, 0, len(text)) == Span(0, len(text))


@given(st.text(alphabet="ab. \n。"), st.integers(0, 30), st.integers(0, 30))
def test_snap_contains_what_it_was_given(text: str, start: int, length: int) -> None:
    start = min(start, len(text))
    end = min(start + length, len(text))
    snapped = snap(text, start, end)
    assert snapped.start <= start <= end <= snapped.end <= len(text)


def test_span_arithmetic() -> None:
    span = Span(2, 5)
    assert (span.length, span.of("abcdefg"), span.shift(3)) == (3, "cde", Span(5, 8))
    assert span.overlaps(Span(4, 9))
    assert not span.overlaps(Span(5, 9))
    assert span.contains(Span(3, 5))
    assert trim("  a b ", 0, 6) == Span(2, 5)
    assert trim("   ", 0, 3).length == 0


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10))), st.integers(0, 45))
def test_intervals_hold_what_their_spans_cover(pairs: list[tuple[int, int]], offset: int) -> None:
    spans = [Span(start, start + length) for start, length in pairs]
    covered = any(span.start <= offset < span.end for span in spans)
    assert Intervals(spans).hold(offset) == covered
