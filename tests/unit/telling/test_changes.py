"""What changed between two reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.reports import a_claim, a_report, a_source, chinese, cite, english

from leadline.domain import Changes, Cited, Claim, Difference, Report, Source, Stated, Verdict
from leadline.telling.changes import changes, gist, same_question
from leadline.telling.numbering import closed

A, B, C = (a_source(f"The text of {n}.", f"https://{n}.test/") for n in "abc")


def report(run: str, texts: Sequence[str], sources: Sequence[Source], **fields: object) -> Report:
    return a_report([a_claim(text) for text in texts], sources, run_id=run, **fields)


def compared(before: str, after: str) -> Changes:
    return changes(gist(report("r1", [before], [A])), report("r2", [after], [A]))


def texts(found: Sequence[str], later: Report) -> list[str]:
    told = {claim.id: claim.text for claim in later.claims}
    return [told[key] for key in found]


OLD = report("r1", ("It was lit in 1698.", "It burnt."), (A, B))


@pytest.mark.parametrize("same", [OLD, english().report, chinese().report], ids=["short", "en", "zh"])
def test_the_same_report_has_no_changes(same: Report) -> None:
    found = changes(gist(same), replace(same, run_id="r2"))
    assert not found.any
    assert (found.earlier, found.earlier_at) == (same.run_id, same.created_at)


def test_new_and_gone_in_their_own_order() -> None:
    new = report("r2", ("it was  lit in 1698", "It was rebuilt in 1709."), (C, A))
    found = changes(gist(OLD), new)
    assert found.any
    assert texts(found.new_claims, new) == ["It was rebuilt in 1709."]
    assert found.gone_claims == (Stated(text="It burnt.", verdict=Verdict.SUPPORTED),)
    assert found.changed_claims == ()
    assert found.new_sources == (C.id,)
    assert found.gone_sources == (Cited(uri=B.uri, title=B.title, sha256=B.sha256),)
    assert found.tally.new_claims == found.tally.gone_claims == found.tally.new_sources == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("The tower is 48 metres high.", "The tower is 52 metres high."),
        ("The lighthouse at Skerryvore was lit on 1 February 1844.", "The lighthouse at Skerryvore was lit in 1845."),
        ("The limit applies to all tenants.", "The limit does not apply to all tenants."),
        ("The cache keeps entries for 10 minutes by default.", "By default the cache keeps entries for 2 hours."),
        ("都江堰灌溉着一千多万亩农田。", "都江堰灌溉着1200万亩农田。"),
        ("该桥全长50米。", "该桥全长64米。"),
    ],
)
def test_another_value_is_a_change_not_a_new_claim(before: str, after: str) -> None:
    found = compared(before, after)
    (changed,) = found.changed_claims
    assert changed.differs == (Difference.VALUE,)
    assert changed.before.text == before
    assert (found.new_claims, found.gone_claims) == ((), ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("The tower is 48 metres high.", "The tower is 4,800 cm high."),
        ("The bridge spans about 1.2 km.", "The bridge spans about 1,200 metres."),
        ("It was opened on 5 March 2024 in the old town.", "In the old town it was opened on 2024-03-05."),
    ],
)
def test_the_same_value_in_other_words_is_no_change(before: str, after: str) -> None:
    assert not compared(before, after).any


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Berlin had 3.6 million inhabitants in 2019.", "Hamburg had 1.8 million inhabitants in 2019."),
        ("The tower is 48 metres high.", "The tower was built in 1844."),
        ("In the archive, Alan Stevenson built 3 towers.", "In the archive, Robert Stevenson built 5 towers."),
        ("It burnt.", "It sank."),
    ],
)
def test_what_speaks_of_something_else_is_gone_and_new(before: str, after: str) -> None:
    found = compared(before, after)
    assert found.changed_claims == ()
    assert (len(found.new_claims), len(found.gone_claims)) == (1, 1)


def test_another_verdict_is_a_change() -> None:
    before = report("r1", ["It burnt."], [A])
    claim = a_claim("It burnt.", verdict=Verdict.CONTRADICTED)
    (changed,) = changes(gist(before), a_report([claim], [A], run_id="r2")).changed_claims
    assert (changed.claim_id, changed.differs) == (claim.id, (Difference.VERDICT,))
    assert changed.before.verdict is Verdict.SUPPORTED


def test_a_page_with_another_text_is_told_from_a_new_page() -> None:
    anew = a_source("Another text.", A.uri)
    found = changes(gist(report("r1", ["It burnt."], [A])), report("r2", ["It burnt."], [anew]))
    assert (found.changed_sources, found.new_sources, found.gone_sources) == ((anew.id,), (), ())


def test_each_claim_finds_one_partner_and_the_likest_first() -> None:
    before = report("r1", ["The north tower is 48 metres high.", "The south tower is 30 metres high."], [A])
    after = report("r2", ["The south tower is 31 metres high.", "The north tower is 49 metres high."], [A])
    pairs = {texts([c.claim_id], after)[0]: c.before.text for c in changes(gist(before), after).changed_claims}
    assert pairs == {
        "The south tower is 31 metres high.": "The south tower is 30 metres high.",
        "The north tower is 49 metres high.": "The north tower is 48 metres high.",
    }


def test_questions_are_the_same_but_for_case_blanks_and_the_mark_at_the_end() -> None:
    assert same_question("What is  new?", "what is new？")
    assert not same_question("What is new?", "What was new?")


CLAIMS = st.lists(st.text(min_size=1, max_size=60).filter(str.strip), max_size=8)


@given(CLAIMS, CLAIMS)
def test_each_claim_is_told_at_most_once(old: list[str], new: list[str]) -> None:
    earlier, later = report("r1", old, [A]), report("r2", new, [A])
    found = changes(gist(earlier), later)
    here = [*found.new_claims, *(one.claim_id for one in found.changed_claims)]
    assert len(here) == len(set(here)) <= len(later.claims)
    gone = [one.text for one in found.gone_claims] + [one.before.text for one in found.changed_claims]
    assert len(gone) <= len({claim.text for claim in earlier.claims})
    assert closed(replace(later, changes=found))


def test_a_report_that_names_what_it_does_not_hold_is_not_closed() -> None:
    claim: Claim = a_claim("It burnt.", cite(A, "The text of a.", "text of a"))
    whole = a_report([claim], [A])
    assert closed(replace(whole, changes=Changes(earlier="r0", earlier_at="", new_claims=(claim.id,))))
    assert not closed(replace(whole, changes=Changes(earlier="r0", earlier_at="", new_claims=("c0",))))
    assert not closed(replace(whole, changes=Changes(earlier="r0", earlier_at="", changed_sources=("s0",))))
