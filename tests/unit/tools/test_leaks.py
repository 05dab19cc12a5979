"""What counts as private text that goes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.tools.leaks import SHARED, PrivateText

TEXT = "The board met on 3 May and agreed to sell the yard at Leith to a buyer from Rotterdam."


def private(*texts: str) -> PrivateText:
    made = PrivateText()
    for text in texts:
        made.add(text)
    return made


@pytest.mark.parametrize("start", range(0, len(TEXT) - 30, 7))
def test_any_run_of_it_is_found(start: int) -> None:
    assert private(TEXT).repeated_in(f"please look for {TEXT[start : start + 30]} at once")


@pytest.mark.parametrize(
    "outgoing",
    ["yard at Leith", "who sold shipyards in Scotland to Dutch buyers in May", "Leith Rotterdam board May 3", ""],
)
def test_names_and_own_words_pass(outgoing: str) -> None:
    assert not private(TEXT).repeated_in(outgoing)


def test_twelve_ideographs_are_as_telling_as_two_dozen_letters() -> None:
    text = "董事会于五月三日同意将利斯船厂出售给鹿特丹的买家。"
    assert private(text).repeated_in("五月三日同意将利斯船厂出售给")
    assert not private(text).repeated_in("利斯船厂出售")


@pytest.mark.parametrize(
    ("text", "outgoing"),
    [
        ("password: h7Tq9xW2", "h7tq9xw2"),
        ("IBAN GB29 NWBK 6016 1331 9268 19; call 004417012345", "phone 004417012345"),
        ("token=ghp_a8Kd03jfLq91", "https://a.test/?t=ghp_a8Kd03jfLq91"),
    ],
)
def test_tokens_that_nobody_guesses_are_found(text: str, outgoing: str) -> None:
    assert private(text).repeated_in(outgoing)


def test_ordinary_tokens_pass() -> None:
    assert not private("Windows-2019 on 2024-05-03, COVID-19, utf-8, ISO-27001").repeated_in(
        "iso-27001 utf-8 covid-19 2024-05-03 windows-2019"
    )


def test_what_the_question_says_is_granted() -> None:
    kept = private(TEXT + " Key AKIA9F3K2LQ7.")
    question = "Did the board agree to sell the yard at Leith to a buyer? See AKIA9F3K2LQ7"
    assert not kept.repeated_in("sell the yard at Leith to a buyer akia9f3k2lq7", allowed=question)
    assert kept.repeated_in("sell the yard at Leith to a buyer from Rotterdam", allowed=question)


@given(st.text(alphabet="abcdef", min_size=SHARED, max_size=80), st.data())
def test_every_run_of_the_length_is_found(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - SHARED))
    assert private("x", text).repeated_in(f"q. {text[start : start + SHARED]} .q")
