"""What changed, in every form of a report and in both languages."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from io import BytesIO

import pytest
from markdown_it import MarkdownIt
from tests.support.reports import compared, english

from leadline.domain import Changes, Report
from leadline.render.docx import to_docx
from leadline.research.reporting.html import to_html
from leadline.research.reporting.markdown import changes_to_markdown, to_markdown
from leadline.telling.news import MOST, news
from leadline.ui.view import report_view

KINDS = ["changed_claims", "new_claims", "gone_claims", "new_sources", "changed_sources", "gone_sources"]
TITLES = {
    "en": ["What changed since 2025-12-25 08:00 UTC", "Changed", "New", "No longer said", "No longer cited"],
    "zh": ["自 2025-12-25 08:00 UTC 以来的变化", "有变", "新增", "不再出现", "不再引用的来源"],
}
NOTES = {"en": "before: “The lighthouse at Skarvik stands 45 metres tall.”", "zh": "此前：“赵州桥的净跨度为48.13米。”"}
VERDICTS = {"en": "verdict: not checked → ", "zh": "判定：未核查 → "}
IN_FULL = {"en": "In full", "zh": "详述"}
LANGUAGES = ["en", "zh"]


def of(language: str) -> tuple[Report, dict[str, str]]:
    made = compared(language)
    return made.report, dict(made.texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_is_told_in_the_reports_language(language: str) -> None:
    report, _ = of(language)
    assert [kind.kind for kind in news(report, language)] == KINDS
    (value, verdict), *_ = (kind.items for kind in news(report, language))
    assert value.note == NOTES[language]
    assert verdict.note.startswith(VERDICTS[language])


def test_nothing_weak_is_told_as_if_it_stood() -> None:
    report, texts = of("en")
    new = {item.text: item.note for kind in news(report, "en") if kind.kind == "new_claims" for item in kind.items}
    assert new["The lamp was automated in 1982."].startswith("contradicted by the source")
    assert "1982. [3] *(contradicted by the source" in to_markdown(report).partition("## In full")[0]
    part = to_html(report, texts).partition('class="changes"')[2].partition("</section>")[0]
    assert "contradicted by the source" in part


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_stands_between_answer_and_sections_of_every_form(language: str) -> None:
    report, texts = of(language)
    word = zipfile.ZipFile(BytesIO(to_docx(report))).read("word/document.xml").decode()
    for told in (to_markdown(report), to_html(report, texts), word):
        at = [told.index(title) for title in TITLES[language]]
        assert at[0] == min(at)
        assert at[0] < told.index(IN_FULL[language])
        assert NOTES[language] in told
        assert VERDICTS[language] in told


def test_what_an_earlier_report_said_is_no_markup() -> None:
    report, texts = of("en")
    assert "<del><bdi>It *was* &lt;b&gt;painted&lt;/b&gt; green.</bdi></del>" in to_html(report, texts)
    shown = MarkdownIt("commonmark").enable("strikethrough").render(to_markdown(report))
    assert "<s>It *was* &lt;b&gt;painted&lt;/b&gt; green.</s>" in shown
    assert "A page [gone] (<code>https://gone.example/page</code>)" in shown
    assert 'href="https://gone.example' not in shown


def test_the_changes_alone_are_the_part_of_the_report() -> None:
    report, _ = of("en")
    assert changes_to_markdown(report).strip() in to_markdown(report)
    assert changes_to_markdown(english().report) == ""


@pytest.mark.parametrize(("language", "told"), [("en", "Nothing: the same claims"), ("zh", "没有变化")])
def test_that_nothing_changed_is_said(language: str, told: str) -> None:
    report, texts = of(language)
    same = replace(report, changes=Changes(earlier="r0", earlier_at="2025-12-25T08:00:00Z"))
    for form in (to_markdown(same), to_html(same, texts)):
        assert told in form
    plain = replace(report, changes=None)
    assert TITLES[language][0] not in to_markdown(plain) + to_html(plain, texts)


def test_of_very_many_changes_the_rest_is_counted() -> None:
    report, texts = of("en")
    assert report.changes is not None
    gone = report.changes.gone_claims * (MOST + 7)
    many = replace(report, changes=replace(report.changes, gone_claims=gone))
    kinds = {kind.kind: kind for kind in news(many, "en")}
    assert (len(kinds["gone_claims"].items), kinds["gone_claims"].more) == (MOST, 7)
    assert "… and 7 more" in to_markdown(many)
    assert "… and 7 more" in to_html(many, texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_gets_the_same_in_the_readers_language(language: str) -> None:
    report, _ = of("en")
    view = report_view(report, "zh" if language == "zh" else "en").changes
    assert view is not None
    assert (view.earlier, [kind.kind for kind in view.kinds]) == ("r0", KINDS)
    assert view.title == TITLES[language][0]
    known = {source.id for source in report.sources}
    cited = [item.source for kind in view.kinds for item in kind.items if item.source]
    assert cited
    assert set(cited) <= known
    assert report_view(english().report, "en").changes is None
