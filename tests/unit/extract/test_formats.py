from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.extract.documents import OFFICE, archive, relations

from leadline.errors import BrokenDocument, EncryptedDocument, TooLarge
from leadline.extract.builder import MAX_LOCATORS, thin
from leadline.extract.registry import extract
from leadline.extract.types import Locator, locate

P = "http://schemas.openxmlformats.org/presentationml/2006/main"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
X = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


# ------------------------------------------------------------------------------------------ slides


def shape(*lines: str, kind: str = "") -> str:
    placeholder = f'<p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>' if kind else ""
    body = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in lines)
    return f"<p:sp>{placeholder}<p:txBody>{body}</p:txBody></p:sp>"


def slide(inside: str, root: str = "sld") -> str:
    return f'<p:{root} xmlns:p="{P}" xmlns:a="{A}" xmlns:r="{OFFICE}"><p:cSld><p:spTree>{inside}</p:spTree></p:cSld></p:{root}>'


def pptx(*slides: str, notes: str = "") -> bytes:
    ids = "".join(f'<p:sldId id="{n}" r:id="s{n}"/>' for n in range(len(slides)))
    parts: dict[str, str | bytes] = {
        "ppt/presentation.xml": f'<p:presentation xmlns:p="{P}" xmlns:r="{OFFICE}"><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>',
        "ppt/_rels/presentation.xml.rels": relations(
            *((f"s{n}", "slide", f"slides/x{n}.xml") for n in range(len(slides)))
        ),
    }
    # The order of the files is not that of the slides.
    for number, inside in reversed(list(enumerate(slides))):
        parts[f"ppt/slides/x{number}.xml"] = slide(inside)
    if notes:
        parts["ppt/slides/_rels/x0.xml.rels"] = relations(("n", "notesSlide", "../notesSlides/n.xml"))
        parts["ppt/notesSlides/n.xml"] = slide(notes, "notes")
    return archive(parts)


def test_slides_have_titles_tables_and_notes() -> None:
    table = "<a:tbl><a:tr><a:tc><a:p><a:r><a:t>k</a:t></a:r></a:p></a:tc><a:tc><a:p><a:r><a:t>v</a:t></a:r></a:p></a:tc></a:tr></a:tbl>"
    raw = pptx(
        shape("Welcome", kind="ctrTitle") + shape("first", "second") + shape("7", kind="sldNum"),
        shape("Figures", kind="title") + f"<p:graphicFrame>{table}</p:graphicFrame>",
        notes=shape("Say hello", kind="body"),
    )
    result = extract(raw, name="a.pptx")
    assert result.text == "Welcome\n\nfirst\nsecond\n\nNotes: Say hello\n\nFigures\n\nk | v"
    assert locate(result.locators, result.text.index("second")) == "slide 1, heading: Welcome"
    assert locate(result.locators, result.text.index("k | v")) == "slide 2, heading: Figures"


def test_a_missing_slide_is_mentioned() -> None:
    raw = archive(
        {
            "ppt/presentation.xml": f'<p:presentation xmlns:p="{P}" xmlns:r="{OFFICE}"><p:sldId r:id="a"/></p:presentation>'
        }
    )
    assert extract(raw, name="a.pptx").warnings == ("1 slides are missing from the file",)


# ------------------------------------------------------------------------------------------ sheets


def xlsx(rows: str, *, strings: str = "", styles: str = "", workbook: str = "") -> bytes:
    return archive(
        {
            "xl/workbook.xml": f'<workbook xmlns="{X}" xmlns:r="{OFFICE}">{workbook}<sheets><sheet name="Sales" r:id="a"/>'
            '<sheet name="Old" state="hidden" r:id="b"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": relations(
                ("a", "worksheet", "worksheets/s.xml"),
                ("b", "worksheet", "worksheets/s.xml"),
                ("c", "sharedStrings", "/xl/strings.xml"),
                ("d", "styles", "styles.xml"),
            ),
            "xl/worksheets/s.xml": f'<worksheet xmlns="{X}"><sheetData>{rows}</sheetData></worksheet>',
            "xl/strings.xml": f'<sst xmlns="{X}">{strings}</sst>',
            "xl/styles.xml": f'<styleSheet xmlns="{X}">{styles}</styleSheet>',
        }
    )


STYLES = (
    '<numFmts><numFmt numFmtId="164" formatCode="[Red]yyyy\\-mm"/><numFmt numFmtId="165" formatCode="0.0&quot;days&quot;"/>'
    '</numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs>'
)


def test_sheets_become_rows_with_dates_and_gaps() -> None:
    rows = (
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is><t>When</t></is></c></row>'
        '<row r="3"><c r="A3"><v>0.30000000000000004</v></c><c r="B3" s="1"><v>45356</v></c><c r="D3" s="2"><v>45356.5</v></c></row>'
        '<row r="4"><c r="A4" s="3"><v>12</v></c><c r="B4" t="b"><v>1</v></c><c r="C4" t="e"><v>#N/A</v></c></row><row r="5"/>'
    )
    strings = "<si><r><t>Am</t></r><r><t>ount</t></r><rPh><t>X</t></rPh></si>"
    result = extract(xlsx(rows, strings=strings, styles=STYLES), name="a.xlsx")
    assert result.text == ("Sales\nAmount | When\n0.3 | 2024-03-05 |  | 2024-03-05 12:00\n12 | TRUE | #N/A")
    assert locate(result.locators, result.text.index("0.3")) == "sheet Sales, row 3"
    assert result.warnings == ("1 hidden sheets were left out",)


def test_the_epoch_of_1904() -> None:
    raw = xlsx(
        '<row><c s="1"><v>0</v></c><c s="1"><v>1.25</v></c></row>', styles=STYLES, workbook='<workbookPr date1904="1"/>'
    )
    assert extract(raw, name="a.xlsx").text == "Sales\n00:00:00 | 1904-01-02 06:00"


@pytest.mark.parametrize(
    "cell",
    [
        '<c t="s"><v>99</v></c>',
        '<c r="ZZZ1"><v>x</v></c>',
        '<c s="1"><v>1e300</v></c>',
        '<c t="s"><v>-1</v></c>',
        '<c s="1"><v>nan</v></c>',
    ],
)
def test_absurd_cells_do_no_harm(cell: str) -> None:
    assert len(extract(xlsx(f"<row>{cell}</row>", styles=STYLES), name="a.xlsx").text) < 200


def test_many_rows_keep_their_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadline.extract.builder.MAX_LOCATORS", 200)
    rows = "".join(f'<row r="{n}"><c><v>{n}</v></c></row>' for n in range(1, 2_000))
    result = extract(xlsx(rows), name="a.xlsx")
    assert len(result.locators) <= 200
    assert locate(result.locators, 6) == "sheet Sales, rows 1-11"
    assert locate(result.locators, len(result.text)) == "sheet Sales, rows 1992-1999"


def test_too_many_coarse_places_are_thinned_too() -> None:
    assert len(thin([Locator(at, "page", str(at)) for at in range(5 * MAX_LOCATORS)])) <= MAX_LOCATORS


# ------------------------------------------------------------------------------------------- books


def epub(chapters: dict[str, str], *, encryption: str = "") -> bytes:
    items = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(chapters)))
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        "OPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        "<dc:title>The Book</dc:title><dc:creator>Ann</dc:creator><dc:creator>Bob</dc:creator><dc:language>en</dc:language>"
        f"<dc:date>2020-01-02</dc:date></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    for name, body in chapters.items():
        parts[f"OPS/{name.replace('%20', ' ')}"] = body
    if encryption:
        parts["META-INF/encryption.xml"] = encryption
    return archive(parts)


CHAPTERS = {
    "one%20.xhtml": '<?xml version="1.0"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><body><h1>Start</h1><p>It&nbsp;began.</p></body></html>',
    "two.xhtml": "<html><body><h1>End</h1><p>It ended.</p><script>x</script></body></html>",
}


def test_a_book_is_read_in_order() -> None:
    result = extract(epub(CHAPTERS), name="a.epub")
    assert result.text == "Start\n\nIt began.\n\nEnd\n\nIt ended."
    assert (result.title, result.authors, result.published, result.language) == (
        "The Book",
        ("Ann", "Bob"),
        "2020-01-02",
        "en",
    )
    assert locate(result.locators, len(result.text)) == "part 2, heading: End"


def test_a_locked_book_is_named_and_locked_fonts_are_not() -> None:
    def encryption(uri: str) -> str:
        return f'<encryption xmlns:e="x"><e:CipherReference URI="{uri}"/></encryption>'

    with pytest.raises(EncryptedDocument, match="DRM"):
        extract(epub(CHAPTERS, encryption=encryption("OPS/two.xhtml")), name="a.epub")
    assert extract(epub(CHAPTERS, encryption=encryption("OPS/font.otf")), name="a.epub").text


# --------------------------------------------------------------------------------------- notebooks


def test_a_notebook_is_read_cell_by_cell() -> None:
    notebook = {
        "cells": [
            {"cell_type": "markdown", "source": ["# Top\n", "\n", "words\n", "## Sub"]},
            {"cell_type": "code", "source": "1 + 1", "outputs": [{"data": {"text/plain": ["2"], "image/png": "xx"}}]},
            {"cell_type": "code", "source": [], "outputs": [{"output_type": "stream", "text": ["hi\n"]}]},
        ]
    }
    result = extract(json.dumps(notebook).encode(), name="a.ipynb")
    assert result.text == "# Top\n\nwords\n## Sub\n\n1 + 1\n\n2\n\nhi"
    assert result.title == "Top"
    assert locate(result.locators, result.text.index("1 + 1")) == "heading: Top › Sub, cell 2"


@pytest.mark.parametrize("raw", [b"[1]", b"{", b"3", b"[" * 100_000])
def test_what_is_no_notebook_is_broken(raw: bytes) -> None:
    with pytest.raises(BrokenDocument, match=r"`a\.ipynb`"):
        extract(raw, name="a.ipynb")


@pytest.mark.parametrize("raw", [b"{}", b'{"cells": 3}', b'{"cells": [1, {"source": 5, "outputs": [7, {"data": 1}]}]}'])
def test_an_odd_notebook_is_empty(raw: bytes) -> None:
    assert not extract(raw, name="a.ipynb").text


# -------------------------------------------------------------------------------------------- mail


def test_a_message_with_alternatives_and_an_attachment() -> None:
    raw = (
        "From: =?utf-8?q?Ann_B=C3=A9e?= <ann@example.org>\r\nTo: bob@example.org\r\nSubject: =?gb2312?B?xOO6ww==?=\r\n"
        "Date: Tue, 05 Mar 2024 10:00:00 +0000\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n"
        "--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
        "--a\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n"
        "--a\r\nContent-Type: text/html\r\n\r\n<p>HTML</p>\r\n--a--\r\n"
        "--m\r\nContent-Type: application/pdf; name=x.pdf\r\nContent-Disposition: attachment; filename=x.pdf\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--m--\r\n"
    ).encode("ascii")
    result = extract(raw, name="a.eml")
    assert result.text == (
        "From: Ann Bée <ann@example.org>\nTo: bob@example.org\nDate: Tue, 05 Mar 2024 10:00:00 +0000\nSubject: 你好\n\n"
        "Grüße\n\n[attachment: x.pdf, application/pdf, 3 bytes]"
    )
    assert (result.title, result.authors, result.published) == ("你好", ("Ann Bée",), "2024-03-05")


def test_an_html_message_is_read_as_a_page() -> None:
    raw = b"Subject: x\nContent-Type: text/html\n\n<h1>Head</h1><p style='display:none'>no</p><p>yes</p>"
    assert extract(raw, name="a.eml").text == "Subject: x\n\nHead\n\nyes"


def test_text_that_is_no_mail_is_broken() -> None:
    with pytest.raises(BrokenDocument, match="none of the headers"):
        extract(b"just words\n", name="a.eml")


@pytest.mark.parametrize("word", ["=?utf-8?b?!!!?=", "=?x-unknown?q?a?=", "=?utf-8?q?=?="])
def test_damaged_header_words_stay(word: str) -> None:
    assert extract(f"Subject: {word}\n\nbody".encode(), name="a.eml").text.endswith("body")


# ----------------------------------------------------------------------------------------- hostile


@pytest.mark.parametrize(
    ("name", "part"),
    [("a.pptx", "ppt/presentation.xml"), ("a.xlsx", "xl/workbook.xml"), ("a.epub", "META-INF/container.xml")],
)
def test_bombs_are_refused_in_every_archive_format(name: str, part: str) -> None:
    with pytest.raises(TooLarge, match="zip bomb"):
        extract(archive({part: b" " * 12_000_000}), name=name)
    with pytest.raises(BrokenDocument, match="document type"):
        extract(archive({part: '<!DOCTYPE a [<!ENTITY a "b">]><a>&a;</a>'}), name=name)
    with pytest.raises(BrokenDocument):
        extract(archive({part: "<a/>"})[:60], name=name)


# Every state of the streaming readers, reached by any nesting of the elements they know.
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
VOCABULARY = {
    "a.docx": (
        "word/document.xml",
        W,
        "p r t tbl tr tc pPr rPr vanish numPr ilvl hyperlink del tab br footnoteReference",
    ),
    "a.pptx": ("ppt/slides/x.xml", A, "p r t br tbl tr tc"),
    "a.xlsx": ("xl/worksheets/s.xml", X, "row c v t is f sheetData"),
}


@st.composite
def elements(draw: st.DrawFn, names: list[str], depth: int = 4) -> str:
    name = draw(st.sampled_from(names))
    value = draw(st.sampled_from(["", ' val="1"', ' r="B2"', ' t="s"', ' s="1"', ' w:val="3"', ' r="0"']))
    inside = draw(st.sampled_from(["", "1", "word", "45000.5"]))
    if depth:
        inside += "".join(draw(st.lists(elements(names, depth - 1), max_size=3)))
    return f"<{name}{value}>{inside}</{name}>"


@pytest.mark.parametrize("name", sorted(VOCABULARY))
@settings(max_examples=25)
@given(data=st.data())
def test_any_nesting_of_known_elements_is_read(name: str, data: st.DataObject) -> None:
    part, space, words = VOCABULARY[name]
    inside = data.draw(elements(words.split()))
    document = f'<root xmlns="{space}" xmlns:w="{W}">{inside}</root>'
    raw = {
        "a.docx": lambda: archive({part: document}),
        "a.pptx": lambda: archive(
            {
                "ppt/presentation.xml": f'<p:x xmlns:p="{P}" xmlns:r="{OFFICE}"><p:sldId r:id="s"/></p:x>',
                "ppt/_rels/presentation.xml.rels": relations(("s", "slide", "slides/x.xml")),
                part: document,
            }
        ),
        "a.xlsx": lambda: xlsx(inside.replace("w:val", "val"), styles=STYLES),
    }[name]()
    result = extract(raw, name=name)
    assert not result.warnings or name == "a.xlsx"
    assert all(place.start <= len(result.text) for place in result.locators)
