"""Pictures of programs in Word documents and on paper."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import replace
from xml.etree import ElementTree as ET

import docx
import pypdfium2
import pytest
from tests.support.reports import chinese, english

from leadline.domain import Artefact, Report, sha256
from leadline.extract.registry import extract
from leadline.render.compose import compose
from leadline.render.docx import to_docx
from leadline.render.page import Kind
from leadline.render.pdf import to_pdf
from leadline.render.pictures import picture
from leadline.sandbox.png import encoded_anew

PROGRAM = b"if True:\n    print('<w:p>&')\n"
WIDE, TALL = (1_200, 300), (200, 2_000)


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + bytes([y % 251]) * width for y in range(height))
    made = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return encoded_anew(made)


def with_pictures(report: Report) -> tuple[Report, dict[str, bytes]]:
    """Return a report with a wide and a tall picture, a table, a picture that is gone, and the bodies."""
    found = [png(*WIDE), png(*TALL), b"a,b\n1,2\n"]
    kinds = ("image/png", "image/png", "text/csv")
    names = ("wide.png", "tall.png", "table.csv")
    made = [
        Artefact(name=n, sha256=sha256(b), media_type=k, size=len(b), program=sha256(PROGRAM), caption=f"The {n}")
        for n, b, k in zip(names, found, kinds, strict=True)
    ]
    gone = replace(made[0], name="gone.png", sha256="d" * 64)
    return replace(report, artefacts=(*made, gone)), {sha256(b): b for b in (*found, PROGRAM)}


def test_the_size_is_that_of_screens_and_never_larger_than_its_room() -> None:
    small, wide, tall = picture(png(96, 48), ""), picture(png(*WIDE), ""), picture(png(*TALL), "")
    assert small is not None
    assert wide is not None
    assert tall is not None
    assert small.fitted(400, 400) == (72, 36)
    assert wide.fitted(400, 400) == (400, 100)
    assert tall.fitted(400, 400) == (40, 400)


@pytest.mark.parametrize("data", [None, b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + bytes(40), png(1, 1)[:20]])
def test_what_is_no_picture_is_none(data: bytes | None) -> None:
    assert picture(data, "") is None


def test_blocks_come_as_picture_title_and_program() -> None:
    report, bodies = with_pictures(english().report)
    kinds = [block.kind for block in compose(report, bodies).blocks]
    start = kinds.index(Kind.PICTURE)
    assert kinds[start : start + 6] == [
        Kind.PICTURE,
        Kind.CAPTION,
        Kind.PICTURE,
        Kind.CAPTION,
        Kind.CAPTION,
        Kind.CAPTION,
    ]
    assert [b.text for b in compose(report, bodies).blocks if b.kind is Kind.CODE] == [
        "if True:",
        "    print('<w:p>&')",
    ]
    assert Kind.PICTURE not in [block.kind for block in compose(english().report).blocks]


def test_word_shows_the_pictures() -> None:
    report, bodies = with_pictures(english().report)
    made = to_docx(report, bodies)
    assert made == to_docx(report, bodies)
    with zipfile.ZipFile(io.BytesIO(made)) as package:
        assert package.read("word/media/picture1.png") == bodies[report.artefacts[0].sha256]
        for name in package.namelist():
            if name.endswith((".xml", ".rels")):
                assert ET.fromstring(package.read(name)) is not None  # noqa: S314 our own file
    document = docx.Document(io.BytesIO(made))
    assert [(round(s.width.pt), round(s.height.pt)) for s in document.inline_shapes] == [(464, 116), (56, 560)]
    told = [p.text for p in document.paragraphs]
    assert any(text.startswith("Figure 3: The wide.png (gone.png)") and "not at hand" in text for text in told)


@pytest.mark.server("fonts")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_paper_shows_the_pictures_whole(language: str) -> None:
    report, bodies = with_pictures(english().report if language == "en" else chinese().report)
    made = to_pdf(report, bodies)
    assert made == to_pdf(report, bodies)
    shown = []
    for page in pypdfium2.PdfDocument(made):
        _, height = page.get_size()
        for each in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]):
            left, bottom, right, top = each.get_bounds()
            assert left >= 60
            assert bottom >= 60
            assert top <= height - 60
            shown.append((round(right - left), round(top - bottom)))
    assert shown == [(467, 117), (42, 420)]
    text = extract(made, name="report.pdf").text
    assert "The tall.png" in text
    assert "print('<w:p>&')" in text
