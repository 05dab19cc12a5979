from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.reports import a_claim, a_report, a_source, chinese, cite, english
from tests.unit.render import samples

from leadline.domain import StrategyName, Verdict
from leadline.render.compose import compose, shown
from leadline.render.page import Kind, Look
from leadline.research.reporting.html import to_html


def test_parts_come_in_the_order_of_reading() -> None:
    kinds = [block.kind for block in compose(english().report).blocks]
    assert kinds[:5] == [Kind.TITLE, Kind.BYLINE, Kind.HEADING, Kind.ANSWER, Kind.TEXT]
    assert kinds.index(Kind.SUBHEADING) < kinds.index(Kind.SOURCE) < kinds.index(Kind.NOTE)
    assert kinds[-1] is Kind.NOTE


def test_every_citation_has_one_entry() -> None:
    for report in (english().report, chinese().report, samples.hostile(), samples.many()):
        blocks = compose(report).blocks
        cited = {run.cites for block in blocks for run in block.runs} - {None}
        entries = [number for block in blocks for number in block.entries]
        assert sorted(entries) == list(range(1, len(entries) + 1))
        assert cited <= set(entries)


def test_chinese_sentences_stand_side_by_side() -> None:
    page = compose(chinese().report)
    prose = next(block.text for block in page.blocks if block.kind is Kind.TEXT)
    assert "] " not in prose
    assert "。 " not in prose


def test_a_statement_that_is_wrong_looks_so() -> None:
    text = "It is 5."
    source = a_source(text)
    for verdict, look in [
        (Verdict.CONTRADICTED, Look.WARNING),
        (Verdict.UNSUPPORTED, Look.WARNING),
        (Verdict.PARTIAL, Look.REMARK),
    ]:
        report = a_report([a_claim(text, cite(source, text, text), verdict=verdict)], [source])
        looks = [run.look for block in compose(report).blocks if block.kind is Kind.TEXT for run in block.runs]
        assert looks[-1] is look


def test_a_quotation_that_the_report_shows_is_not_repeated_where_its_place_is_known() -> None:
    text = "It is 5."
    source = a_source(text)
    for locator, entry in [("page 3", "[1] page 3"), ("", "[1] “It is 5.”")]:
        report = a_report([a_claim(text, cite(source, text, text, locator=locator), decided_by="quote")], [source])
        assert [block.text for block in compose(report).blocks if block.kind is Kind.CITED] == [entry]


def test_an_empty_report_still_says_how_it_was_made() -> None:
    blocks = compose(samples.empty()).blocks
    assert [block.kind for block in blocks] == [Kind.TITLE, Kind.BYLINE, Kind.HEADING, Kind.NOTE]


def test_a_long_question_is_no_title_of_many_lines() -> None:
    question = "Why is that so? " * 100
    title, _, full = compose(replace(samples.empty(), question=question)).blocks[:3]
    assert (title.kind, full.kind, full.text) == (Kind.TITLE, Kind.TEXT, question.strip())
    assert len(title.text) <= 200
    assert compose(replace(samples.empty(), question="Short…")).blocks[2].kind is Kind.HEADING


def test_moments_are_shown_in_utc() -> None:
    for at, told in [("2026-01-01T02:30:00+02:00", "2026-01-01 00:30 UTC"), ("once", "once")]:
        assert f"Written {told} · step by step" in compose(replace(samples.empty(), created_at=at)).blocks[1].text


@given(st.text())
def test_what_is_shown_is_one_line_that_xml_can_hold(text: str) -> None:
    told = shown(text)
    assert told == " ".join(told.split())
    assert not [char for char in told if ord(char) < 0x20 or 0xD800 <= ord(char) < 0xE000 or char in "\ufffe\uffff"]
    assert shown(told) == told


@pytest.mark.parametrize("strategy", [name.value for name in StrategyName if name is not StrategyName.AUTO])
def test_how_evidence_was_gathered_is_told_in_the_reports_language(strategy: str) -> None:
    for language, ascii_only in (("en", True), ("zh", False)):
        report = replace(samples.empty(), strategy=strategy, language=language)
        shown_as = compose(report).blocks[1].text.split(" · ")[1]
        assert shown_as != strategy
        assert shown_as.isascii() is ascii_only
        assert shown_as in to_html(report, {})
