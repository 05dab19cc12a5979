"""Make the PDF and Word documents of the example corpus from the texts in examples/sources.

Needed only after one of those texts has changed: pip install reportlab python-docx, then
python examples/make_documents.py
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from xml.sax.saxutils import escape

import docx
from reportlab import rl_config
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate

HERE = Path(__file__).resolve().parent
AUTHOR = "Leadline example corpus"
WRITTEN = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)
DOCUMENTS = {
    "challenger-expedition": "sounding/challenger-expedition.pdf",
    "john-smeaton": "engineering/john-smeaton.pdf",
    "zhaozhou-bridge": "engineering/zhaozhou-bridge.pdf",
    "dujiangyan": "engineering/dujiangyan.docx",
    "postgresql-wal": "databases/postgresql-wal.docx",
}


def main() -> None:
    """Write every document anew."""
    os.environ["SOURCE_DATE_EPOCH"] = str(int(WRITTEN.timestamp()))
    for source, target in DOCUMENTS.items():
        blocks = (HERE / "sources" / f"{source}.txt").read_text(encoding="utf-8").strip()
        path = HERE / "corpus" / target
        write = write_pdf if path.suffix == ".pdf" else write_docx
        write(path, blocks.split("\n\n"))
        print(path.relative_to(HERE))


def write_docx(path: Path, blocks: list[str]) -> None:
    """Write headings and paragraphs as a Word document."""
    document = docx.Document()
    document.core_properties.author = AUTHOR
    document.core_properties.title = blocks[0].removeprefix("# ")
    document.core_properties.created = document.core_properties.modified = WRITTEN
    for block in blocks:
        marks, _, text = block.rpartition("# ")
        if block.startswith("#"):
            document.add_heading(text, level=len(marks) + 1)
        else:
            document.add_paragraph(block)
    document.save(str(path))


def write_pdf(path: Path, blocks: list[str]) -> None:
    """Write headings and paragraphs as a PDF of small pages, the same bytes each time."""
    rl_config.invariant = 1
    chinese = any("\u4e00" <= character <= "\u9fff" for character in blocks[0])
    if chinese:
        pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    font = "STSong-Light" if chinese else "Times-Roman"
    body = ParagraphStyle(
        "body",
        fontName=font,
        fontSize=11,
        leading=16,
        spaceAfter=8,
        wordWrap="CJK" if chinese else None,
    )
    heading = ParagraphStyle("heading", parent=body, fontSize=14, leading=20, spaceBefore=8)
    story: list[Flowable] = [
        Paragraph(escape(block.lstrip("# ")), heading if block.startswith("#") else body) for block in blocks
    ]
    SimpleDocTemplate(str(path), pagesize=A5, title=blocks[0].removeprefix("# "), author=AUTHOR).build(story)


if __name__ == "__main__":
    main()
