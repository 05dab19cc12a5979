"""The sentence that answers, the one it is read with, and silence where none surely does."""

from __future__ import annotations

from tests.unit.research.extractive.test_hops import ledger

from leadline.domain import Length
from leadline.research.extractive.asking import take_apart
from leadline.research.extractive.coverage import seams
from leadline.research.extractive.quoting import extract, extractive_draft

MILL = (
    "Grey Mill is a water mill. It was built by Anna Moss in 1712. The mill has three wheels. "
    "When the pond is full, the gate is raised by a chain. This is called a draw."
)
OTHER = "Old Weir is a dam. Old Weir was built in 1690. The mill was bought by John Reed."


def first(question: str, **pages: str) -> str:
    found = ledger(**pages)
    draft = extractive_draft(extract(question, found, Length.NORMAL), found, language="en")
    assert not {s.text for s in draft.answer} & {s.text for part in draft.sections for s in part.sentences}
    return " ".join(s.text for s in draft.answer)


def test_the_sentence_with_names_and_form_is_said_first() -> None:
    assert first("When was Grey Mill built?", Grey_Mill=MILL, Old_Weir=OTHER).endswith("built by Anna Moss in 1712.")
    assert first("When was Old Weir built?", Grey_Mill=MILL, Old_Weir=OTHER) == "Old Weir was built in 1690."
    assert first("How many wheels has Grey Mill?", Grey_Mill=MILL, Old_Weir=OTHER) == "The mill has three wheels."


def test_a_sentence_that_points_back_is_read_with_the_one_before() -> None:
    told = first("What is a draw?", Grey_Mill=MILL, Old_Weir=OTHER)
    assert told.startswith("When the pond is full")
    assert told.endswith("This is called a draw.")


def test_nothing_is_said_first_where_the_form_is_missing() -> None:
    assert first("When was Grey Mill sold?", Grey_Mill="Grey Mill was sold to a farmer.", Old_Weir=OTHER) == ""
    assert first("How high is Grey Mill?", Grey_Mill=MILL, Old_Weir=OTHER) == ""


def test_what_is_only_dated_by_the_thing_asked_of_is_no_answer() -> None:
    dives = (
        "It was the first dive since the Otter in 1960. Kelly dived on 20 June 2020, years after the Otter was there."
    )
    otter = "The Otter was a boat. On 23 January 1960 Anna Moss dived off Guam."
    assert first("When did the Otter dive?", Later_dives=dives, The_dive_of_the_Otter=otter).startswith("On 23 January")
    assert "Kelly" not in first("Who dived in the Otter?", Later_dives=dives, The_dive_of_the_Otter=otter)
    after = "The Otter dived on 3 May 1961, a year after the Mole."
    assert first("When did the Otter dive?", Boats=after, Later_dives=dives) == after


def test_what_stands_under_a_heading_that_asks_the_same_is_said_first() -> None:
    otter = "The Otter was a small craft.\n\n## How deep was it?\n\nThe gauge of the Otter showed 900 feet."
    pages = {"The_dive_of_the_Otter": otter, "Old_Weir": OTHER}
    assert first("How deep did the Otter dive?", **pages).endswith("showed 900 feet.")
    assert first("How deep did the Mole dive?", **pages) == ""
    assert first("How long did the Otter dive?", **pages) == ""


def test_nothing_is_said_first_over_a_bridge() -> None:
    assert first("Where did the builder of Grey Mill die?", Grey_Mill=MILL, Anna_Moss="Anna Moss died in Hull.") == ""


def test_a_question_over_the_rows_of_a_table_is_answered_by_none_of_them() -> None:
    table = "| Part | Stock | Limit |\n|---|---|---|\n| Seal | 340 | 100 |\n| Bolt | 12 | 50 |\n"
    assert first("Which parts are below the limit?", Parts=table) == ""
    assert "340" in first("What is the stock of the Seal?", Parts=table)


def test_yes_or_no_is_told_with_what_goes_on_from_it() -> None:
    page = "# FAQ\n\n## Does Otter deliver each letter once?\n\nNo. A letter is delivered at least once.\n"
    told = first("Does Otter deliver each letter once?", Otter=page)
    assert told.endswith("No. A letter is delivered at least once.")
    page = "# FAQ\n\n## Can I use it behind a bridge?\n\nYes, by day. At night the bridge does not work with Otter.\n"
    assert "Yes, by day." in first("Can I use Otter behind a bridge?", Otter=page)


def test_front_matter_is_for_programs() -> None:
    page = "---\ntitle: Grey Mill\nowner: Anna Moss\n---\n# Grey Mill\n\nGrey Mill was built in 1712.\n"
    found = ledger(Grey_Mill=page)
    made = extract("When was Grey Mill built?", found, Length.NORMAL)
    assert all(one.start > page.index("---", 3) for one in (*made.first, *made.chosen))


def test_pages_that_disagree_are_both_told() -> None:
    told = first(
        "When was Grey Mill built?", Grey_Mill="Grey Mill was built in 1712.", Note="Grey Mill was built in 1714."
    )
    assert "1712" in told
    assert "1714" in told


def test_pairs_across_two_words_are_seams() -> None:
    asked = take_apart("主机名保存在哪个文件里？")
    counts = {"主机": 8, "机名": 2, "名保": 0, "保存": 9, "文件": 20, "件里": 1}
    across = seams(asked, counts)
    assert {"名保", "件里"} <= across
    assert across.isdisjoint({"主机", "机名", "保存", "文件"})
