"""A report as a Word document: WordprocessingML (ECMA-376, ISO/IEC 29500) written part by part.

Nothing but the standard library is needed to write it, and the same report gives the same bytes.
Headings have Word's own styles, so that a table of contents can be made; a citation leads to its
entry in the table of sources, a source to its address.
"""

from __future__ import annotations

import io
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Final
from xml.sax.saxutils import escape

from leadline.domain import Report
from leadline.render.breaks import wide
from leadline.render.compose import compose
from leadline.render.docx_parts import HEAD, OFFICE, WORD, drawing, fixed_parts, moment, relationships, styles
from leadline.render.page import Block, Kind, Look, Page, Run
from leadline.render.pictures import Picture
from leadline.telling.artefacts import NO_BODIES

_STYLES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.TITLE: "Title",
        Kind.BYLINE: "Byline",
        Kind.HEADING: "Heading1",
        Kind.SUBHEADING: "Heading2",
        Kind.ANSWER: "Answer",
        Kind.TEXT: "BodyText",
        Kind.ITEM: "ListBullet",
        Kind.SOURCE: "Source",
        Kind.DETAIL: "Detail",
        Kind.PICTURE: "Picture",
        Kind.CAPTION: "Caption",
        Kind.CODE: "Listing",
        Kind.CITED: "Cited",
        Kind.NOTE: "Note",
    }
)
_LOOKS: Final[Mapping[Look, str]] = MappingProxyType(
    {Look.STRONG: "Strong", Look.QUIET: "Quiet", Look.REMARK: "Remark", Look.WARNING: "Warning"}
)
_STAMP: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})


def to_docx(report: Report, bodies: Mapping[str, bytes] = NO_BODIES) -> bytes:
    """Return the report as a Word document; `bodies` are by their hash what programs made, and their texts."""
    page = compose(report, bodies)
    links = _Links()
    body = _document(page, links)
    parts = {
        **fixed_parts(page),
        "word/document.xml": body,
        "word/styles.xml": styles(page),
        "word/_rels/document.xml.rels": relationships(links.targets, pictures=len(links.pictures)),
        "docProps/core.xml": _core(page),
    }
    packed = {name: part.encode() for name, part in parts.items()}
    packed |= {f"word/media/picture{n}.png": shown.data for n, shown in enumerate(links.pictures, 1)}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in ("[Content_Types].xml", *sorted(packed.keys() - {"[Content_Types].xml"})):
            entry = zipfile.ZipInfo(name, date_time=_STAMP)
            entry.create_system, entry.compress_type = _UNIX, zipfile.ZIP_DEFLATED
            made.writestr(entry, packed[name])
    return out.getvalue()


class _Links:
    """What a document leads to: web addresses, each under one id, in order of first use; its pictures in order."""

    def __init__(self) -> None:
        self.targets: dict[str, str] = {}
        self.pictures: list[Picture] = []

    def id(self, url: str) -> str:
        """Return the relationship's id of an address."""
        return self.targets.setdefault(url, f"link{len(self.targets) + 1}")


def _document(page: Page, links: _Links) -> str:
    blocks = "\n".join(_block(block, links) for block in page.blocks)
    return (
        f'{HEAD}<w:document xmlns:w="{WORD}" xmlns:r="{OFFICE}"><w:body>\n{blocks}\n'
        '<w:sectPr><w:footerReference w:type="default" r:id="footer"/><w:pgSz w:w="11906" w:h="16838"/>'
        '<w:pgMar w:top="1304" w:right="1304" w:bottom="1304" w:left="1304" w:header="709" w:footer="624"'
        ' w:gutter="0"/></w:sectPr></w:body></w:document>'
    )


def _block(block: Block, links: _Links) -> str:
    if block.picture is not None:
        links.pictures.append(block.picture)
        inner = drawing(block.picture, len(links.pictures))
        return f'<w:p><w:pPr><w:pStyle w:val="{_STYLES[block.kind]}"/></w:pPr><w:r>{inner}</w:r></w:p>'
    turned = "<w:bidi/>" if _from_right(block.text) else ""
    opened = "".join(f'<w:bookmarkStart w:id="{n}" w:name="{_mark(n)}"/>' for n in block.entries)
    closed = "".join(f'<w:bookmarkEnd w:id="{n}"/>' for n in block.entries)
    runs = "".join(_run(run, links) for run in block.runs)
    return f'<w:p><w:pPr><w:pStyle w:val="{_STYLES[block.kind]}"/>{turned}</w:pPr>{opened}{runs}{closed}</w:p>'


def _run(run: Run, links: _Links) -> str:
    if run.url is not None:
        body = _texts(run.text, "SourceLink" if run.look is Look.STRONG else "Hyperlink")
        return f'<w:hyperlink r:id="{links.id(run.url)}" w:history="1">{body}</w:hyperlink>'
    if run.cites is not None:
        body = _texts(run.text, "Citation")
        return f'<w:hyperlink w:anchor="{_mark(run.cites)}" w:history="1">{body}</w:hyperlink>'
    return _texts(run.text, _LOOKS.get(run.look))


def _mark(number: int) -> str:
    return f"citation_{number}"


def _texts(text: str, style: str | None) -> str:
    """Return runs of one direction each, with the hint by which quotation marks in Chinese text are wide."""
    named = f'<w:rStyle w:val="{style}"/>' if style else ""
    return "".join(
        f'<w:r>{_properties(named, part, turned=turned)}<w:t xml:space="preserve">{escape(part)}</w:t></w:r>'
        for part, turned in _directions(text)
    )


def _properties(named: str, text: str, *, turned: bool) -> str:
    hint = '<w:rFonts w:hint="eastAsia"/>' if any(map(wide, text)) else ""
    inside = f"{named}{hint}{'<w:rtl/>' if turned else ''}"
    return f"<w:rPr>{inside}</w:rPr>" if inside else ""


def _directions(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a text by the direction of their letters; what has none goes with what is before it."""
    turned: list[bool] = []
    for char in text:
        kind = unicodedata.bidirectional(char)
        strong = kind in _RIGHT_TO_LEFT or kind == "L"
        turned.append(kind in _RIGHT_TO_LEFT if strong or not turned else turned[-1])
    for turn, group in groupby(zip(text, turned, strict=True), key=lambda pair: pair[1]):
        yield "".join(char for char, _ in group), turn


def _from_right(text: str) -> bool:
    """Whether a paragraph's first letter runs from right to left (UAX 9, P2)."""
    kinds = (unicodedata.bidirectional(char) for char in text)
    return next((kind for kind in kinds if kind in {"L", *_RIGHT_TO_LEFT}), "L") != "L"


def _core(page: Page) -> str:
    made = moment(page.created_at)
    language = "zh-CN" if page.chinese else page.language
    return (
        f'{HEAD}<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{escape(page.title)}</dc:title><dc:creator>Leadline</dc:creator>"
        f"<dc:language>{escape(language)}</dc:language>"
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{made}</dcterms:created>'
        f'<dcterms:modified xsi:type="dcterms:W3CDTF">{made}</dcterms:modified></cp:coreProperties>'
    )
