"""A report as the page shows it."""

from __future__ import annotations

import dataclasses

import pytest
from tests.support.reports import Made, a_claim, a_report, a_source, chinese, cite, english

from leadline.telling.numbering import Numbers
from leadline.ui.view import ReportView, report_view


@pytest.mark.parametrize("made", [english(), chinese()], ids=["en", "zh"])
def test_citations_have_the_numbers_of_every_other_form(made: Made) -> None:
    view = report_view(made.report, "en")
    numbers = Numbers(made.report)
    assert [one.number for one in view.citations] == list(range(1, len(view.citations) + 1))
    for cited in view.citations:
        assert made.texts[cited.source_id][cited.start : cited.end]
    for claim, shown in zip(made.report.claims, view.claims, strict=True):
        assert shown.cites == numbers.of(claim.citations)
    assert {n for source in view.sources for n in source.cites} == {one.number for one in view.citations}


def test_labels_are_in_the_readers_language_and_texts_in_their_own() -> None:
    made = english()
    one, other = report_view(made.report, "en"), report_view(made.report, "zh")
    assert [claim.text for claim in one.claims] == [claim.text for claim in other.claims]
    labels = dict(zip((claim.label for claim in one.claims), (claim.label for claim in other.claims), strict=True))
    assert labels["checked by value"] == "数值相符"
    assert one.facts == other.facts  # the report's own line, in its own language


def test_every_claim_of_the_text_is_among_the_claims_and_counted() -> None:
    view = report_view(english().report, "en")
    known = {claim.id for claim in view.claims}
    told = [piece for part in (view.answer, *(p.pieces for p in view.parts)) for piece in part]
    assert {piece.claim for piece in told if piece.claim} <= known
    assert sum(view.counts.values()) == len(view.claims)


def test_what_hides_or_turns_is_gone_and_only_the_web_is_a_link() -> None:
    attack = "<b>\u202eturned\u200b</b>"
    text = f"Before. The quote {attack} stands. After."
    source = a_source(text, uri="javascript:alert(1)", title=attack, authors=(attack,))
    claim = a_claim(attack, cite(source, text, f"The quote {attack} stands."), reasons=(attack,))
    view = report_view(a_report([claim], [source], question=attack, notes=(attack,), unexamined=(attack,)), "en")
    assert view.sources[0].link is None
    for value in _texts(view):
        assert "\u202e" not in value
        assert "\u200b" not in value


def _texts(view: ReportView) -> list[str]:
    found: list[str] = []

    def walk(value: object) -> None:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list | tuple):
            for part in value:
                walk(part)
        elif isinstance(value, dict):
            walk([*value, *value.values()])

    walk(dataclasses.asdict(view))
    assert len(found) > 10
    return found
