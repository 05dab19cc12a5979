from __future__ import annotations

import pytest
from tests.support.reports import a_source

from leadline.domain import Length
from leadline.research.evidence import Ledger
from leadline.research.write import Wish, draft_of, sentences_of, writer_messages

TEXTS = ("The lamp was lit in 1698.", "Oak was used in 1709.", "灯塔建于1759年。")


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger()
    for n, text in enumerate(TEXTS):
        source = made.admit(a_source(text, f"https://example.org/{n}", title=f"Page {n}"), text)
        made.excerpt(source.id, 0, len(text))
    return made


def test_the_writer_sees_numbered_excerpts_and_nothing_else(ledger: Ledger) -> None:
    wish = Wish(question="When was the lamp lit?", language="en", length=Length.SHORT, budget_chars=10_000)
    system, user = writer_messages(wish, ledger)
    assert "At most 5 sentences" in system.content
    assert 'named "What was not found"' in system.content
    assert user.content.startswith("Question: When was the lamp lit?\n\nExcerpts:\n\n[1] Page 0")
    assert all(text in user.content for text in TEXTS)


def test_what_serves_the_question_is_kept_when_not_all_fits(ledger: Ledger) -> None:
    wish = Wish(question="What was made of oak?", language="en", length=Length.NORMAL, budget_chars=40)
    _, user = writer_messages(wish, ledger)
    assert "Oak was used" in user.content
    assert "灯塔" not in user.content


def test_a_draft_is_answer_sections_and_gaps(ledger: Ledger) -> None:
    text = (
        "ANSWER: It was lit in 1698 [1].\n\n## Later\n- **Oak** was used in 1709.[2] It burnt [9].\n"
        "1. 灯塔建于1759年。【3】\n\n## What was not found\nIts cost is not mentioned. Its height is 20 m [1].\n"
    )
    draft = draft_of(text, ledger, written_by="m", gaps="What was not found")
    one, two, three = (excerpt.id for excerpt in ledger.excerpts)
    assert [(s.text, s.excerpt_ids) for s in draft.answer] == [("It was lit in 1698.", (one,))]
    assert [section.title for section in draft.sections] == ["Later", "What was not found"]
    assert [(s.text, s.excerpt_ids, s.claims) for s in draft.sections[0].sentences] == [
        ("Oak was used in 1709.", (two,), True),
        ("It burnt.", (), True),
        ("灯塔建于1759年。", (three,), True),
    ]
    assert [s.claims for s in draft.sections[1].sentences] == [False, True]
    assert draft.unknown_ids == 1


def test_an_answer_without_a_heading_ends_at_the_first_blank_line(ledger: Ledger) -> None:
    draft = draft_of("<answer>\nYes [1].\n\nMore [2].\n</answer>", ledger, written_by="m", gaps="-")
    assert [s.text for s in draft.answer] == ["Yes."]
    assert [(s.title, [x.text for x in s.sentences]) for s in draft.sections] == [("", ["More."])]


def test_text_of_a_model_without_sentences_makes_no_draft(ledger: Ledger) -> None:
    for text in ("", "\n\n", "## Title", "[1]", "- \n* "):
        draft = draft_of(text, ledger, written_by="m", gaps="-")
        assert (draft.answer, draft.sections) == ((), ())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("One [1]. Two [2][3].", [("One.", ("1",)), ("Two.", ("2", "3"))]),
        ("One. [1] Two. [2]", [("One.", ("1",)), ("Two.", ("2",))]),
        ("Ranges [2-4] and lists [1, 3; 5].", [("Ranges and lists.", ("2", "3", "4", "1", "3", "5"))]),
        ("A year [1998-2004] is a range too.", [("A year is a range too.", tuple(str(n) for n in range(1998, 2005)))]),
        ("Too wide [1-900].", [("Too wide.", ("1", "900"))]),
        ("甲建于隋代[1]。乙建于唐代【2】。", [("甲建于隋代。", ("1",)), ("乙建于唐代。", ("2",))]),
        ("  - `code` and __bold__ [1]", [("code and bold", ("1",))]),
    ],
)
def test_markers_belong_to_the_sentence_before_them(line: str, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    assert [(s.text, s.labels) for s in sentences_of(line)] == expected
