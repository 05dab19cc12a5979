from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree as ET

import docx
import pytest
from tests.support.reports import a_claim, a_report, a_source, chinese, cite, english
from tests.unit.render import samples
from tests.unit.render.samples import REPORTS

from leadline.domain import Report
from leadline.extract.registry import extract
from leadline.render.compose import TITLE, shown
from leadline.render.docx import to_docx

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"


def parts(report: Report) -> dict[str, ET.Element]:
    with zipfile.ZipFile(io.BytesIO(to_docx(report))) as package:
        return {name: ET.fromstring(package.read(name)) for name in package.namelist()}  # noqa: S314 our own file


def text_of(paragraph: ET.Element) -> str:
    return "".join(node.text or "" for node in paragraph.iter(f"{W}t"))


def styled(document: ET.Element) -> list[tuple[str, str]]:
    found = []
    for paragraph in document.iter(f"{W}p"):
        style = paragraph.find(f"{W}pPr/{W}pStyle")
        assert style is not None
        found.append((style.get(f"{W}val", ""), text_of(paragraph)))
    return found


@pytest.mark.parametrize("name", REPORTS)
def test_every_part_is_well_formed_and_word_reads_it(name: str) -> None:
    report = REPORTS[name]()
    package = parts(report)
    targets = {node.get("Id"): node.get("Target") for node in package["word/_rels/document.xml.rels"]}
    assert {node.get(f"{R}id") for node in package["word/document.xml"].iter(f"{W}hyperlink")} - {None} <= set(targets)
    known = {node.get(f"{W}styleId") for node in package["word/styles.xml"].iter(f"{W}style")}
    used = {
        node.get(f"{W}val") for tag in ("pStyle", "rStyle") for node in package["word/document.xml"].iter(f"{W}{tag}")
    }
    assert used <= known
    opened = docx.Document(io.BytesIO(to_docx(report)))
    assert opened.core_properties.title == shown(report.question, limit=TITLE)
    assert [text for _, text in styled(package["word/document.xml"])] == [p.text for p in opened.paragraphs]


@pytest.mark.parametrize("name", REPORTS)
def test_the_same_report_gives_the_same_bytes(name: str) -> None:
    report = REPORTS[name]()
    assert to_docx(report) == to_docx(report)


@pytest.mark.parametrize("name", ["english", "chinese", "hostile", "many"])
def test_citations_lead_to_their_entries(name: str) -> None:
    document = parts(REPORTS[name]())["word/document.xml"]
    marks = [node.get(f"{W}name") for node in document.iter(f"{W}bookmarkStart")]
    anchors = {
        node.get(f"{W}anchor"): text_of(node) for node in document.iter(f"{W}hyperlink") if node.get(f"{W}anchor")
    }
    assert anchors
    assert len(marks) == len(set(marks))
    assert set(anchors) <= set(marks)
    assert all(shown == f"[{(anchor or '').removeprefix('citation_')}]" for anchor, shown in anchors.items())
    ends = [node.get(f"{W}id") for node in document.iter(f"{W}bookmarkEnd")]
    assert ends == [node.get(f"{W}id") for node in document.iter(f"{W}bookmarkStart")]


def test_headings_have_words_own_styles() -> None:
    told = styled(parts(english().report)["word/document.xml"])
    assert told[0] == ("Title", english().report.question)
    headings = [text for style, text in told if style == "Heading1"]
    assert headings == [
        "Answer",
        "What was not found",
        "Where sources disagree",
        "Not examined",
        "Sources",
        "About this report",
    ]
    package = parts(english().report)
    names = {node.get(f"{W}val") for node in package["word/styles.xml"].iter(f"{W}name")}
    assert {"heading 1", "heading 2", "heading 3", "Title", "Hyperlink", "List Bullet", "footer"} <= names


def test_verdicts_stand_behind_their_statements() -> None:
    told = styled(parts(english().report)["word/document.xml"])
    body = next(text for style, text in told if style == "BodyText")
    assert "The lamp was automated in 1982. [" in body
    assert "(contradicted by the source, checked by value; the evidence says 1979, not 1982)" in body


def test_only_web_addresses_are_links() -> None:
    text = "A fact."
    for uri, target in [
        ('https://example.org/新闻?q=中&x="1', None),
        ("https://example.org/新闻?q=中&x=1#部", "https://example.org/%E6%96%B0%E9%97%BB?q=%E4%B8%AD&x=1#%E9%83%A8"),
        ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
        ("javascript:alert(1)", None),
        ("file:///etc/passwd", None),
    ]:
        source = a_source(text, uri, title="T")
        package = parts(a_report([a_claim(text, cite(source, text, text))], [source]))
        relations = package["word/_rels/document.xml.rels"]
        outer = [node.get("Target") for node in relations if node.get("TargetMode") == "External"]
        assert outer == ([target] if target else [])


def test_chinese_has_its_language_its_font_and_wide_quotation_marks() -> None:
    package = parts(chinese().report)
    fonts = next(package["word/styles.xml"].iter(f"{W}rFonts"))
    assert fonts.get(f"{W}eastAsia") == "Microsoft YaHei"
    assert next(package["word/styles.xml"].iter(f"{W}lang")).get(f"{W}eastAsia") == "zh-CN"
    hints = [node.get(f"{W}hint") for node in package["word/document.xml"].iter(f"{W}rFonts")]
    assert set(hints) == {"eastAsia"}


def test_pages_are_numbered() -> None:
    fields = [node.text for node in parts(samples.empty())["word/footer1.xml"].iter(f"{W}instrText")]
    assert fields == [" PAGE ", " NUMPAGES "]


def test_letters_from_right_to_left_are_marked_so() -> None:
    document = parts(samples.scripts())["word/document.xml"]
    turned = [text_of(run) for run in document.iter(f"{W}r") if run.find(f"{W}rPr/{W}rtl") is not None]
    assert "שלום" in turned
    assert not [text for text in turned if any("a" <= char <= "z" for char in text)]
    headings = [p for p in document.iter(f"{W}p") if text_of(p) == "שלום"]
    assert headings[0].find(f"{W}pPr/{W}bidi") is not None


@pytest.mark.parametrize("name", ["english", "chinese", "hostile", "many", "wordy", "scripts"])
def test_our_own_reader_gives_the_text_back(name: str) -> None:
    report = REPORTS[name]()
    read = extract(to_docx(report), name="report.docx")
    kept = "".join(read.text.split())
    missing = [claim.text for claim in report.claims if "".join(shown(claim.text).split()) not in kept]
    assert not missing
    assert (read.title or "")[:100] == shown(report.question)[:100]
