from __future__ import annotations

import io
import zipfile

import pytest
from tests.unit.extract.documents import W, archive, docx, paragraph, relations

from leadline.errors import BrokenDocument, EncryptedDocument, TooLarge
from leadline.extract.registry import extract
from leadline.extract.types import Limits, Link, locate

STYLES = (
    f'<w:styles xmlns:w="{W}">'
    '<w:style w:styleId="T"><w:name w:val="Title"/></w:style>'
    '<w:style w:styleId="H1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:styleId="Own"><w:name w:val="My own"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>'
    '<w:style w:styleId="L"><w:name w:val="List"/><w:pPr><w:numPr/></w:pPr></w:style></w:styles>'
)
PROPERTIES = (
    '<p:coreProperties xmlns:p="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/">'
    "<dc:title>Plan</dc:title><dc:creator>Ann; Bob</dc:creator>"
    "<dcterms:created>2024-03-05T01:02:03Z</dcterms:created></p:coreProperties>"
)
RELATED = relations(
    ("r1", "styles", "styles.xml"),
    ("r2", "hyperlink", "https://example.org/"),
    ("r3", "footnotes", "footnotes.xml"),
)
FOOTNOTES = (
    f'<w:footnotes xmlns:w="{W}"><w:footnote w:type="separator" w:id="0">{paragraph("---")}</w:footnote>'
    f'<w:footnote w:id="1">{paragraph("A remark.")}</w:footnote></w:footnotes>'
)


def cell(*paragraphs: str) -> str:
    return f"<w:tc>{''.join(paragraph(text) for text in paragraphs)}</w:tc>"


def full(body: str) -> bytes:
    return docx(
        body,
        **{
            "word__styles.xml": STYLES,
            "word___rels__document.xml.rels": RELATED,
            "word__footnotes.xml": FOOTNOTES,
            "docProps__core.xml": PROPERTIES,
        },
    )


def test_the_day_of_a_program_s_template_is_not_the_document_s() -> None:
    made = PROPERTIES.replace("Ann; Bob", "python-docx")
    result = extract(docx(paragraph("Text"), **{"docProps__core.xml": made}), name="a.docx")
    assert (result.authors, result.published) == ((), None)


def test_a_document_becomes_blocks_with_headings() -> None:
    body = (
        paragraph("The plan", "T")
        + paragraph("Install", "H1")
        + paragraph("Some text")
        + paragraph("Linux", "Own")
        + paragraph("one", "L")
        + paragraph("two", "L")
        + f"<w:tbl><w:tr>{cell('a')}{cell('b', 'c')}</w:tr><w:tr>{cell('中文')}{cell('4')}</w:tr></w:tbl>"
        + '<w:p><w:r><w:t>See</w:t></w:r><w:hyperlink r:id="r2"><w:r><w:t xml:space="preserve"> there</w:t></w:r></w:hyperlink>'
        '<w:r><w:tab/><w:t>x</w:t><w:footnoteReference w:id="1"/></w:r></w:p>'
    )
    result = extract(full(body), name="a.docx")
    assert result.text == (
        "The plan\n\nInstall\n\nSome text\n\nLinux\n\n- one\n- two\n\na | b c\n中文 | 4\n\nSee there\tx[1]\n\n"
        "Footnotes\n\n[1] A remark."
    )
    assert (result.title, result.authors, result.published) == (
        "Plan",
        ("Ann", "Bob"),
        "2024-03-05",
    )
    assert result.links == (Link("https://example.org/", ""),)
    assert locate(result.locators, result.text.index("two")) == "heading: Install › Linux"
    assert locate(result.locators, len(result.text)) == "heading: Footnotes"


def test_deleted_hidden_and_repeated_text_is_left_out() -> None:
    body = (
        "<w:p><w:del><w:r><w:t>old</w:t></w:r></w:del><w:ins><w:r><w:t>new</w:t></w:r></w:ins></w:p>"
        + paragraph("unseen", properties="<w:vanish/>")
        + paragraph(" seen", properties='<w:vanish w:val="0"/>')
        + "<w:p><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
    )
    assert extract(docx(body), name="a.docx").text == "new\n\nseen"


def test_nested_tables_stay_in_their_row() -> None:
    inner = f"<w:tbl><w:tr>{cell('x')}{cell('y')}</w:tr></w:tbl>"
    body = f"<w:tbl><w:tr><w:tc>{paragraph('a')}{inner}</w:tc>{cell('b')}</w:tr></w:tbl>"
    assert extract(docx(body), name="a.docx").text == "a x | y | b"


def test_it_is_known_without_its_extension() -> None:
    assert extract(docx(paragraph("Hi")), name="upload").text == "Hi"


def test_a_bomb_that_declares_its_size_is_refused() -> None:
    bomb = archive({"word/document.xml": b"<" + b" " * 12_000_000})
    with pytest.raises(TooLarge, match="zip bomb"):
        extract(bomb, name="a.docx")


def test_a_bomb_that_lies_about_its_size_is_refused() -> None:
    raw = archive({"word/document.xml": b"<w>" + b" " * 3_000_000})
    size = (3_000_003).to_bytes(4, "little")
    lie = raw.replace(size, (1000).to_bytes(4, "little"))
    assert lie != raw
    with pytest.raises((TooLarge, BrokenDocument)):
        extract(lie, name="a.docx")


def test_an_archive_of_members_that_share_bytes_counts_each() -> None:
    limits = Limits(unpacked=1_500_000, ratio=10_000)
    parts: dict[str, str | bytes] = {f"part{n}": b" " * 1_000_000 for n in range(3)}
    with pytest.raises(TooLarge):
        extract(archive({"word/document.xml": "<w/>", **parts}), name="a.docx", limits=limits)


def test_billion_laughs_and_external_entities_are_refused() -> None:
    laughs = '<!DOCTYPE w [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><w>&b;</w>'
    outside = '<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]><w>&x;</w>'
    for document in (laughs, outside):
        with pytest.raises(BrokenDocument, match="document type"):
            extract(archive({"word/document.xml": document}), name="a.docx")


def test_endless_nesting_is_refused() -> None:
    with pytest.raises(BrokenDocument, match="nested deeper"):
        extract(
            archive({"word/document.xml": "<w>" * 100_000}),
            name="a.docx",
            limits=Limits(ratio=100_000),
        )


@pytest.mark.parametrize("keep", [10, 100, 400])
def test_a_cut_off_file_is_broken(keep: int) -> None:
    with pytest.raises(BrokenDocument, match=r"`a\.docx`"):
        extract(docx(paragraph("text"))[:keep], name="a.docx")


def test_another_archive_under_its_name_is_broken() -> None:
    with pytest.raises(BrokenDocument, match="no part"):
        extract(archive({"a.txt": "x"}), name="a.docx")


def test_malformed_xml_is_broken() -> None:
    with pytest.raises(BrokenDocument, match="malformed"):
        extract(archive({"word/document.xml": "<w><p></w>"}), name="a.docx")


def test_an_encrypted_member_is_named() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("word/document.xml", "<w/>")
    raw = bytearray(out.getvalue())
    raw[6] |= 1  # the flags of the local header
    central = raw.index(b"PK\x01\x02")
    raw[central + 8] |= 1
    with pytest.raises(EncryptedDocument):
        extract(bytes(raw), name="a.docx")


def test_an_office_file_with_a_password_is_named() -> None:
    raw = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(EncryptedDocument, match=r"`a\.docx` is an Office file encrypted"):
        extract(raw, name="a.docx")
