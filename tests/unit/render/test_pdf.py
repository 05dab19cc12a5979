from __future__ import annotations

import io
import re
import unicodedata
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pdfminer.pdfdocument import PDFDocument
from pdfminer.pdfpage import PDFPage
from pdfminer.pdfparser import PDFParser
from pdfminer.pdftypes import resolve1
from tests.support.reports import a_claim, a_report, a_source, chinese, cite, english
from tests.unit.render import samples
from tests.unit.render.samples import REPORTS

from leadline.domain import Report
from leadline.errors import MissingExtra
from leadline.extract.registry import extract
from leadline.render import pdf
from leadline.render.compose import TITLE, shown
from leadline.render.pdf import to_pdf

DEJAVU = "/usr/share/fonts/truetype/dejavu"
pytestmark = pytest.mark.server("fonts")


def saying(*texts: str, language: str = "en") -> Report:
    sources = [a_source(text, title="T") for text in texts]
    cited = zip(texts, sources, strict=True)
    claims = [a_claim(text, cite(source, text, text), index=n) for n, (text, source) in enumerate(cited)]
    return a_report(claims, sources, language=language)


def solid(text: str) -> str:
    """Return text without blanks: where lines end is the page's affair."""
    return "".join(text.split())


def read(made: bytes) -> str:
    return extract(made, name="report.pdf").text


def links_of(made: bytes) -> list[list[dict[str, Any]]]:
    """Return the links of each page, resolved."""
    document = PDFDocument(PDFParser(io.BytesIO(made)))
    return [[resolve1(each) for each in resolve1(page.annots) or []] for page in PDFPage.create_pages(document)]


@pytest.mark.parametrize("name", [name for name in REPORTS if name != "many"])
def test_it_opens_and_says_what_it_is(name: str) -> None:
    report = REPORTS[name]()
    made = to_pdf(report)
    document = pypdfium2.PdfDocument(made)
    metadata = document.get_metadata_dict()
    assert metadata["Title"] == shown(report.question, limit=TITLE)
    assert metadata["CreationDate"].startswith("D:2026")
    assert [round(side) for side in document[0].get_size()] == [595, 842]


@pytest.mark.parametrize("name", ["chinese", "scripts"])
def test_the_same_report_gives_the_same_bytes(name: str) -> None:
    report = REPORTS[name]()
    assert to_pdf(report) == to_pdf(report)


@pytest.mark.parametrize("name", ["english", "chinese", "hostile"])
def test_the_text_can_be_copied(name: str) -> None:
    report = REPORTS[name]()
    kept = solid(read(to_pdf(report)))
    assert not [claim.text for claim in report.claims if solid(shown(claim.text)) not in kept]
    assert solid(shown(report.question)) in kept


def test_citations_lead_to_their_entries_and_sources_to_the_web() -> None:
    report = english().report
    made = to_pdf(report)
    links = [link for page in links_of(made) for link in page]
    targets = [resolve1(link["A"])["URI"].decode() for link in links if "A" in link]
    assert set(targets) == {"https://example.org/skarvik"}
    inner = [link for link in links if "Dest" in link]
    assert len(inner) == len(re.findall(r"\[\d+\]", read(made).partition("Sources")[0]))


def test_each_internal_link_lands_on_its_number() -> None:
    made = to_pdf(samples.many(60))
    document = pypdfium2.PdfDocument(made)
    texts = [page.get_textpage() for page in document]
    pages = [page.pageid for page in PDFPage.create_pages(PDFDocument(PDFParser(io.BytesIO(made))))]
    followed = 0
    for text, links in zip(texts, links_of(made), strict=True):
        for link in (link for link in links if "Dest" in link):
            left, one, right, other = (float(side) for side in link["Rect"])
            number = text.get_text_bounded(left - 1, min(one, other), right + 1, max(one, other)).strip()
            target, _, edge, top, *_ = link["Dest"]
            there = texts[pages.index(target.objid)].get_text_bounded(float(edge), float(top) - 16, 500, float(top))
            assert there.strip().startswith(number)
            followed += 1
    assert followed == 60


def test_headings_are_bookmarks_and_pages_are_numbered() -> None:
    made = to_pdf(samples.many())
    document = pypdfium2.PdfDocument(made)
    toc = [(item.level, item.get_title()) for item in document.get_toc()]
    assert toc == [(0, "Findings"), (0, "Sources"), (0, "About this report")]
    total = len(document)
    assert total > 10
    for index, page in enumerate(document):
        lines = page.get_textpage().get_text_range().splitlines()
        assert f"{index + 1} / {total}" in lines


@pytest.mark.parametrize("name", ["wordy", "chinese", "hostile", "scripts"])
def test_nothing_is_drawn_outside_the_margins(name: str) -> None:
    for page in pypdfium2.PdfDocument(to_pdf(REPORTS[name]())):
        text = page.get_textpage()
        boxes = [text.get_charbox(n) for n in range(text.count_chars())]
        assert min(left for left, _, right, _ in boxes if right > left) > 50
        assert max(right for _, _, right, _ in boxes) < 595.28 - 50


def test_every_font_is_embedded_as_a_subset() -> None:
    made = to_pdf(chinese().report)
    names = set(re.findall(rb"/BaseFont /(\S+)", made))
    assert names
    assert all(re.match(rb"[A-Z]{6}\+", name) for name in names)
    assert made.count(b"/FontFile") >= len(names) - 1
    assert len(made) < 200_000


@pytest.mark.slow
@settings(max_examples=8)
@given(
    st.lists(
        st.text(alphabet="abc XYZ 中文引号，。：“”（）《》…—ёжЯ λ→×é123.,%-‘’", min_size=4, max_size=120).filter(
            lambda text: bool(text.strip())
        ),
        min_size=3,
        max_size=12,
        unique_by=solid,
    ),
    st.sampled_from(["en", "zh"]),
)
def test_any_mixture_of_scripts_can_be_copied(texts: list[str], language: str) -> None:
    texts = [f"Q{text}Q" for text in texts]
    kept = solid(read(to_pdf(saying(*texts, language=language))))
    # A hyphen at a line's end is one that the reader may take out when it joins the word again.
    loose = kept.replace("-", "")
    assert not [text for text in texts if solid(shown(text)).replace("-", "") not in loose]


def test_scripts_that_turn_or_join_are_in_the_page() -> None:
    kept = read(to_pdf(samples.scripts()))
    assert "Москва — столица России." in kept
    assert {"בעברית", "ציטוט"} <= set(re.split(r"[\s“”.]+", kept))
    assert "العربية" in unicodedata.normalize("NFKC", kept)


# --- fonts that are not there ----------------------------------------------------------------


def test_chinese_without_a_chinese_font_names_the_command() -> None:
    with pytest.raises(MissingExtra, match=r"apt-get install fonts-noto-cjk\n") as caught:
        to_pdf(chinese().report, folders=[DEJAVU])
    assert "赵" in str(caught.value) or "…" in str(caught.value)
    assert "brew install --cask font-noto-sans-cjk" in str(caught.value)


def test_a_machine_without_fonts_names_the_command(tmp_path: Path) -> None:
    (tmp_path / "NotoSans-Regular.ttf").write_bytes(b"no font at all")
    for folders in ([], [str(tmp_path)], [str(tmp_path / "missing")]):
        with pytest.raises(MissingExtra, match="apt-get install fonts-dejavu-core"):
            to_pdf(samples.empty(), folders=folders)


def test_several_scripts_name_several_fonts() -> None:
    with pytest.raises(MissingExtra, match="apt-get install fonts-noto-core fonts-noto-cjk\n"):
        to_pdf(saying("中 ಕನ್ನಡ"), folders=[DEJAVU])


def test_a_picture_that_no_font_has_is_written_out() -> None:
    kept = read(to_pdf(saying("Done \U0001f680 and \ue001."), folders=[DEJAVU]))
    assert "Done [rocket] and [U+E001]." in kept


def test_a_missing_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fpdf", None)
    with pytest.raises(MissingExtra, match=re.escape("pip install 'leadline[office]'")):
        to_pdf(samples.empty())
    monkeypatch.undo()
    monkeypatch.setattr(pdf, "find_spec", lambda name: None if name == "fontTools" else name)
    with pytest.raises(MissingExtra, match=re.escape("pip install 'leadline[office]'")):
        pdf.require()
    monkeypatch.setattr(pdf, "find_spec", lambda name: None if name == "uharfbuzz" else name)
    with pytest.raises(MissingExtra, match=re.escape("pip install 'leadline[office]'")):
        to_pdf(samples.scripts())
    assert to_pdf(samples.empty())
