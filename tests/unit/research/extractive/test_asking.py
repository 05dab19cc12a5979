"""Questions taken apart."""

from __future__ import annotations

import pytest

from leadline.research.extractive.asking import Kind, key_of, take_apart, words_of


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When was the mill built?", Kind.DATE),
        ("In which year did the canal open?", Kind.DATE),
        ("How many locks does the canal have?", Kind.NUMBER),
        ("Who built the mill?", Kind.PERSON),
        ("Where was the miller born?", Kind.PLACE),
        ("Is the mill older than the church?", Kind.YES_NO),
        ("What is a mill race?", Kind.OTHER),
        ("这座桥是哪一年建成的？", Kind.DATE),
        ("這座橋有多長？", Kind.NUMBER),
        ("磨坊是谁修建的？", Kind.PERSON),
        ("这座桥是否还在使用？", Kind.YES_NO),
    ],
)
def test_the_kind_of_thing_asked_for(question: str, kind: Kind) -> None:
    assert take_apart(question).kind is kind


@pytest.mark.parametrize(
    ("question", "alternatives"),
    [
        ("Which bridge is older, Tower Gate or Stone Arch?", ("Tower Gate", "Stone Arch")),
        ("Which ship sailed first, the Aurora or the Beagle?", ("the Aurora", "the Beagle")),
        ("郑和还是王景弘更早去世？", ("郑和", "王景弘")),
        ("Who was born first, Ann Lee?", ()),
        ("Are Ann Lee and Bo Ray both painters?", ()),
        ("“甲号”和“乙号”的设计师分别是谁？", ()),
    ],
)
def test_two_things_to_choose_from(question: str, alternatives: tuple[str, ...]) -> None:
    assert take_apart(question).alternatives == alternatives


def test_names_and_what_is_asked_of_them() -> None:
    asked = take_apart("Who was the father of the engineer who built Smeaton's Tower?")
    assert asked.names == ("Smeaton's Tower",)
    assert set(asked.rest) == {"father", "engineer", "build"}
    assert "son" in dict(asked.related)["father"]


def test_what_programs_call_things_is_a_name() -> None:
    assert "max_connections" in take_apart("What is the default of max_connections?").names


def test_keys_fold_case_accents_articles_and_possessives() -> None:
    assert key_of("The Café's Owner") == key_of("cafe owner")
    assert key_of("MUMMY'S boys") == "mummy boys"
    assert key_of("《夢溪筆談》") == key_of("梦溪笔谈")


def test_words_keep_their_places() -> None:
    text = "Ann's mill, 1722"
    assert [text[w.start : w.end] for w in words_of(text)] == ["Ann", "mill", "1722"]
    assert [w.marked for w in words_of(text)] == [True, False, True]
