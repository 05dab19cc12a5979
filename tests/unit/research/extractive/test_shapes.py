"""The form of an answer, and questions that describe what they ask of."""

from __future__ import annotations

import pytest

from leadline.research.extractive.asking import take_apart
from leadline.research.extractive.nesting import nested
from leadline.research.extractive.shapes import Shape, clashes, defines, fit, shape_of, subject_of


@pytest.mark.parametrize(
    ("question", "shape"),
    [
        ("When was the mill built?", Shape.DATE),
        ("How deep is the well?", Shape.NUMBER),
        ("What is the diameter of the drum?", Shape.NUMBER),
        ("Who built the mill?", Shape.PERSON),
        ("Where is the mill?", Shape.PLACE),
        ("What is a sluice?", Shape.MEANING),
        ("What does --force do?", Shape.MEANING),
        ("Why was the mill moved?", Shape.REASON),
        ("What was the purpose of the sluice?", Shape.REASON),
        ("How do I open the sluice?", Shape.MANNER),
        ("What is the difference between a mill and a dam?", Shape.DIFFERENCE),
        ("Does the mill work at low water?", Shape.YES_NO),
        ("Which grain does the mill take?", Shape.OTHER),
        ("磨坊建于哪一年？", Shape.DATE),
        ("磨坊有几层？", Shape.NUMBER),
        ("磨坊是谁建造的？", Shape.PERSON),
        ("磨坊在哪里？", Shape.PLACE),
        ("什么是水闸？", Shape.MEANING),
        ("水闸是什么？", Shape.MEANING),
        ("为什么要搬走磨坊？", Shape.REASON),
        ("如何打开水闸？", Shape.MANNER),
    ],
)
def test_a_question_asks_for_a_form(question: str, shape: Shape) -> None:
    assert shape_of(take_apart(question)) is shape


def test_what_is_asked_of_a_thing_is_no_meaning() -> None:
    assert subject_of(take_apart("What is the colour of the mill?")) == ""
    assert subject_of(take_apart("What is a sluice in a mill?")) == "sluice"
    assert subject_of(take_apart("Who was the first miller?")) == ""


@pytest.mark.parametrize(
    ("subject", "text", "sure"),
    [
        ("sluice", "A sluice is a gate that holds water back.", 1.0),
        ("sluice", "Sluices (or gates) are made of oak.", 1.0),
        ("sluice", "The gate, called a sluice, is made of oak.", 0.7),
        ("git stash", "git-stash - Stash the changes away", 0.7),
        ("sluice", "The `sluice` tool provides a way to hold water back.", 1.0),
        ("sluice", "A sluice is usually a gate of oak.", 1.0),
        ("sluice", "Sluice provides a number of gates.", 0.7),
        ("sluice", "Sluice is not entirely tight.", 0.0),
        ("sluice", "Sluice is perfectly happy under water.", 0.0),
        ("sluice", "Sluice is missing a few planks.", 0.0),
        ("sluice", "The miller opened the sluice at dawn.", 0.0),
        ("水闸", "水闸是用来挡水的门。", 1.0),
        ("水闸", "门可以升降，这就是水闸。", 0.7),
        ("水闸", "早晨打开了水闸。", 0.0),
    ],
)
def test_a_definition_says_what_its_subject_is(subject: str, text: str, sure: float) -> None:
    assert defines(subject, text) == sure


def test_a_value_of_the_question_is_no_answer() -> None:
    asked = take_apart("When after 1712 was the mill rebuilt?")
    assert fit(asked, Shape.DATE, "The mill burned in 1712.").share == 0.0
    assert fit(asked, Shape.DATE, "It was rebuilt in 1715.").share == 1.0


def test_a_count_counts_what_is_asked_for() -> None:
    asked = take_apart("How many wheels has the mill?")
    assert fit(asked, Shape.NUMBER, "The mill has three large wheels.").share == 1.0
    assert fit(asked, Shape.NUMBER, "The mill has stood for 300 winters.").share == 0.5
    assert fit(take_apart("磨坊有几层？"), Shape.NUMBER, "磨坊共五层。").share == 1.0


def test_a_measure_is_of_the_dimension_asked_for() -> None:
    asked = take_apart("How high is the mill?")
    assert fit(asked, Shape.NUMBER, "The mill is 12 metres high.").share == 1.0
    assert fit(asked, Shape.NUMBER, "The mill ground for 12 hours.").share == 0.0


def test_another_one_of_a_row_clashes() -> None:
    assert clashes("Who built the first mill?", "Anna built the third mill.")
    assert not clashes("Who built the first mill?", "Anna built the mill.")
    assert not clashes("Who built the mill?", "Anna built the third mill.")


@pytest.mark.parametrize(
    "question",
    [
        "When did the director of Night Ferry die?",
        "Who is the spouse of the author of Night Ferry?",
        "Who is Anna's mother-in-law?",
        "In which year did the engineer who built the mill die?",
        "The mill stands on an island with a population of what?",
        "甲船和乙船的总设计师分别是谁？",
        "这艘船的总设计师在哪里出生？",
    ],
)
def test_what_is_only_described_goes_over_a_bridge(question: str) -> None:
    assert nested(question)


@pytest.mark.parametrize(
    "question",
    [
        "Who is the director of Night Ferry?",
        "When was the mill built?",
        "Which mill stands on the island?",
        "这艘船的总设计师是谁？",
    ],
)
def test_what_is_named_is_asked_directly(question: str) -> None:
    assert not nested(question)
