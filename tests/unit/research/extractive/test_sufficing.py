"""Whether a sentence alone says what is asked."""

from __future__ import annotations

import pytest
from tests.unit.research.extractive.test_hops import ledger

from leadline.domain import Length
from leadline.research.extractive.asking import take_apart
from leadline.research.extractive.hops import survey
from leadline.research.extractive.quoting import extract, extractive_draft
from leadline.research.extractive.sufficing import is_plain, judged
from leadline.research.extractive.wanting import holds_form, want_of

KILN = "The north kiln burned for three days. Ana Vidal built it in 1902. It cost 900 francs. Nobody fell."


@pytest.mark.parametrize(
    ("question", "once"),
    [
        ("When was the kiln built?", True),
        ("When was the kiln built, and how deep is it?", False),
        ("Who built the kiln and for whom?", False),
        ("What do the north and south kilns burn?", True),
        ("窑由谁建造？", True),
        ("窑由谁建造，建于何时？", False),
    ],
)
def test_what_asks_twice_is_answered_by_several_sentences(question: str, *, once: bool) -> None:
    assert is_plain(survey(question, ledger(Kiln=KILN))) is once


@pytest.mark.parametrize(
    ("question", "holds", "lacks"),
    [
        ("How long did it burn?", "It burned for three days.", "It burned well."),
        ("窑烧了多久？", "窑烧了三天。", "窑烧得很好。"),
        ("How much did the kiln cost?", "It cost 900 francs.", "It cost the 48 men dear."),
        ("Who built the kiln?", "Ana Vidal built the kiln.", "The kiln was built in spring."),
        ("Where is the key?", "The key hangs behind the door.", "The key is old."),
        ("What caused the fire?", "The fire broke out because a pipe burst.", "Nobody was hurt by the fire."),
        ("At what temperature is it fired?", "It is fired at 1,200 °C.", "It is fired for 1,200 hours."),
        ("几点开放？", "九点开放。", "周围开放。"),
    ],
)
def test_a_form_is_held_or_not(question: str, holds: str, lacks: str) -> None:
    asked = take_apart(question)
    assert holds_form(want_of(asked), asked, holds)
    assert holds_form(want_of(asked), asked, lacks) is False


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("How long did the north kiln burn?", "three days"),
        ("Who built the kiln in 1902?", "Ana Vidal"),
        ("Who built the kiln in 1950?", ""),
        ("Who painted the kiln?", ""),
    ],
)
def test_one_short_document_answers_or_does_not(question: str, told: str) -> None:
    found = judged(survey(question, ledger(Kiln=KILN))).enough
    text = next(iter(ledger(Kiln=KILN).sources))
    first = ledger(Kiln=KILN).text(text.id)[found[0].line.start : found[0].line.end] if found else ""
    assert (told in first) if told else not first


OTTER = "The Otter was a small craft. On 3 May 1960 Anna Moss dived from the quay to the bottom of the bay."
MOLE = "The Mole was a craft as well. Ben Reed sold it on 7 June 1961."


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("When did the Otter reach the bottom?", "3 May 1960"),  # "reach" is what it did, no part of its name
        ("When did the Mole reach the bottom?", ""),
        ("When did the Otter bridge open?", ""),
        ("When was the Otter sold?", ""),
    ],
)
def test_a_page_about_what_is_asked_of_says_it_in_other_words(question: str, told: str) -> None:
    found = ledger(The_dive_of_the_Otter=OTTER, The_Mole=MOLE)
    seen = survey(question, found)
    first = next((seen.pages[one.line.page].text[one.line.start : one.line.end] for one in judged(seen).enough), "")
    assert (told in first) if told else not first


def test_a_figure_that_no_sentence_bears_is_told_and_nothing_is_given_for_it() -> None:
    found = ledger(Kiln=KILN)
    draft = extractive_draft(extract("Who built the kiln in 1950?", found, Length.NORMAL), found, language="en")
    assert not draft.answer
    [gaps] = draft.sections
    assert not any(sentence.claims for sentence in gaps.sentences)
    assert "figure or date" in gaps.sentences[-1].text
