"""A report as text: the same as its Markdown says, and nothing for a renderer in it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.reports import Made, a_claim, a_report, a_source, chinese, cite, english

from leadline.research.reporting.markdown import to_markdown
from leadline.research.reporting.plain import changes_to_text, to_text
from leadline.text.clean import visible


def test_nothing_is_escaped_and_nothing_is_marked_up() -> None:
    said = "See http://www.gnu.org/a_b, __NOMAGIC__ and [Vessel: Skagen] *Nordlys* stash@{<revision>}."
    source = a_source(f"{said} More.", title="The `stash` of notes.md", uri="file:///srv/notes.md")
    report = a_report([a_claim(said, cite(source, f"{said} More.", said), decided_by="quote")], [source])
    told = to_text(replace(report, notes=("It failed (http://127.0.0.1:9/v1: no connection).",)))
    assert f"- {said} [1]" in told
    assert "The `stash` of notes.md\n/srv/notes.md\n" in told
    assert "(http://127.0.0.1:9/v1: no connection)" in told
    assert "\\" not in told


def test_what_hides_or_turns_text_is_gone() -> None:
    source = a_source("a \u202etxt b", title="\u202eevil\x1b[2J")
    told = to_text(a_report([a_claim("a \u202etxt", cite(source, "a \u202etxt b", "txt"))], [source]))
    assert visible(told) == told
    assert "\x1b" not in told


@pytest.mark.parametrize("made", [english(), chinese()], ids=["en", "zh"])
def test_it_says_what_the_markdown_says(made: Made) -> None:
    marks = str.maketrans("", "", "\\*#`<>-=\n ")
    assert to_text(made.report).translate(marks) == to_markdown(made.report).translate(marks)


def test_titles_are_underlined_as_wide_as_they_are() -> None:
    told = to_text(replace(chinese().report, question="赵州桥有多长？")).splitlines()
    assert told[:2] == ["赵州桥有多长？", "=" * 14]


def test_without_an_earlier_report_there_are_no_changes_to_tell() -> None:
    assert changes_to_text(english().report) == ""
