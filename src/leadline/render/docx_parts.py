"""The parts of a Word document that are the same for every report, but for its language: styles, lists, footer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple
from xml.sax.saxutils import quoteattr

from leadline.render.page import Page
from leadline.render.pictures import Picture

HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
WORD: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_TYPE: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_EPOCH: Final = "2000-01-01T00:00:00Z"

_DRAWING: Final = "http://schemas.openxmlformats.org/drawingml/2006"
_EMU: Final = 12_700
"""Units of DrawingML in a point."""
_TEXT_WIDTH: Final = 464.0
_TEXT_HEIGHT: Final = 560.0

_LATIN: Final = "Calibri"
_CHINESE: Final = "Microsoft YaHei"

_CONTENT: Final = (
    f'{HEAD}<Types xmlns="{_PACKAGE}/content-types">'
    f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Default Extension="png" ContentType="image/png"/>'
    f'<Override PartName="/word/document.xml" ContentType="{_TYPE}.document.main+xml"/>'
    f'<Override PartName="/word/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
    f'<Override PartName="/word/settings.xml" ContentType="{_TYPE}.settings+xml"/>'
    f'<Override PartName="/word/numbering.xml" ContentType="{_TYPE}.numbering+xml"/>'
    f'<Override PartName="/word/fontTable.xml" ContentType="{_TYPE}.fontTable+xml"/>'
    f'<Override PartName="/word/footer1.xml" ContentType="{_TYPE}.footer+xml"/>'
    '<Override PartName="/docProps/core.xml"'
    ' ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>'
)
_ROOT: Final = (
    f'{HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="document" Type="{OFFICE}/officeDocument" Target="word/document.xml"/>'
    f'<Relationship Id="core" Type="{_PACKAGE}/relationships/metadata/core-properties"'
    ' Target="docProps/core.xml"/></Relationships>'
)
_NUMBERING: Final = (
    f'{HEAD}<w:numbering xmlns:w="{WORD}"><w:abstractNum w:abstractNumId="0"><w:multiLevelType w:val="singleLevel"/>'
    '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="bullet"/><w:lvlText w:val="•"/><w:lvlJc w:val="left"/>'
    '<w:pPr><w:ind w:left="340" w:hanging="227"/></w:pPr></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
)
_FONTS: Final = (
    f'{HEAD}<w:fonts xmlns:w="{WORD}"><w:font w:name="{_LATIN}"><w:altName w:val="Carlito"/></w:font>'
    f'<w:font w:name="{_CHINESE}"><w:altName w:val="微软雅黑"/><w:charset w:val="86"/></w:font></w:fonts>'
)


class _Style(NamedTuple):
    """A paragraph style: its place in Word's scheme, and its properties as XML."""

    id: str
    name: str
    paragraph: str
    run: str = ""
    based: str = "Normal"
    following: str = "BodyText"


_HEADING: Final = "<w:keepNext/><w:keepLines/>"
_PARAGRAPHS: Final = (
    _Style(
        "Title",
        "Title",
        f'{_HEADING}<w:spacing w:after="60" w:line="276" w:lineRule="auto"/>',
        '<w:b/><w:bCs/><w:sz w:val="38"/><w:szCs w:val="38"/>',
        following="Byline",
    ),
    _Style("Byline", "Byline", '<w:spacing w:after="120"/>', '<w:color w:val="606060"/><w:sz w:val="17"/>'),
    *(
        _Style(
            f"Heading{level}",
            f"heading {level}",
            f'{_HEADING}<w:spacing w:before="{before}" w:after="80"/><w:outlineLvl w:val="{level - 1}"/>',
            f'<w:b/><w:bCs/><w:sz w:val="{size}"/><w:szCs w:val="{size}"/>',
        )
        for level, before, size in ((1, 340, 27), (2, 220, 23), (3, 180, 21))
    ),
    _Style("BodyText", "Body Text", '<w:spacing w:after="120"/>'),
    _Style(
        "Answer",
        "Answer",
        '<w:pBdr><w:left w:val="single" w:sz="18" w:space="8" w:color="0B57A4"/></w:pBdr>'
        '<w:spacing w:after="120"/><w:ind w:left="227"/>',
        '<w:sz w:val="22"/><w:szCs w:val="22"/>',
        based="BodyText",
    ),
    _Style(
        "ListBullet",
        "List Bullet",
        '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr><w:spacing w:after="80"/>',
        following="ListBullet",
    ),
    _Style("Source", "Source", '<w:keepNext/><w:spacing w:before="200" w:after="0"/>', following="Detail"),
    _Style(
        "Detail",
        "Source Detail",
        '<w:keepNext/><w:spacing w:after="20"/>',
        '<w:color w:val="606060"/><w:sz w:val="17"/><w:szCs w:val="17"/>',
        following="Cited",
    ),
    _Style(
        "Cited",
        "Cited Place",
        '<w:spacing w:after="40"/><w:ind w:left="567" w:hanging="340"/>',
        '<w:sz w:val="19"/><w:szCs w:val="19"/>',
        following="Cited",
    ),
    _Style("Picture", "Picture", '<w:keepNext/><w:spacing w:before="160" w:after="60"/>', following="Caption"),
    _Style(
        "Caption",
        "caption",
        '<w:spacing w:after="120"/>',
        '<w:sz w:val="19"/><w:szCs w:val="19"/>',
        following="BodyText",
    ),
    _Style(
        "Listing",
        "Listing",
        '<w:spacing w:after="0" w:line="240" w:lineRule="auto"/><w:ind w:left="227"/>',
        '<w:rFonts w:ascii="Consolas" w:hAnsi="Consolas" w:cs="Consolas"/><w:noProof/>'
        '<w:sz w:val="16"/><w:szCs w:val="16"/>',
        following="Listing",
    ),
    _Style("Note", "Note", '<w:spacing w:after="80"/>', '<w:sz w:val="17"/><w:szCs w:val="17"/>', following="Note"),
    _Style(
        "Footer",
        "footer",
        '<w:jc w:val="center"/>',
        '<w:color w:val="606060"/><w:sz w:val="17"/><w:szCs w:val="17"/>',
        following="Footer",
    ),
)
_RUNS: Final = (
    ("Strong", "Strong", "<w:b/><w:bCs/>"),
    ("Quiet", "Quiet", '<w:color w:val="606060"/>'),
    ("Remark", "Verdict Remark", '<w:color w:val="785414"/>'),
    ("Warning", "Verdict Warning", '<w:color w:val="AA1E1E"/>'),
    ("Citation", "Citation", '<w:color w:val="0B57A4"/>'),
    ("Hyperlink", "Hyperlink", '<w:color w:val="0B57A4"/><w:u w:val="single"/>'),
    ("SourceLink", "Source Link", '<w:b/><w:bCs/><w:color w:val="0B57A4"/>'),
)


def fixed_parts(page: Page) -> dict[str, str]:
    """Return what does not depend on the report's content, by name in the package."""
    return {
        "[Content_Types].xml": _CONTENT,
        "_rels/.rels": _ROOT,
        "word/numbering.xml": _NUMBERING,
        "word/fontTable.xml": _FONTS,
        "word/settings.xml": _settings(page),
        "word/footer1.xml": _FOOTER,
    }


def styles(page: Page) -> str:
    """Return the styles: Word's own names for headings, lists and links, so that Word's tools know them."""
    line = 336 if page.chinese else 295
    fonts = f'<w:rFonts w:ascii="{_LATIN}" w:hAnsi="{_LATIN}" w:eastAsia="{_CHINESE}" w:cs="Arial"/>'
    default = (
        f'<w:docDefaults><w:rPrDefault><w:rPr>{fonts}<w:sz w:val="21"/><w:szCs w:val="21"/>{_language(page)}</w:rPr>'
        f'</w:rPrDefault><w:pPrDefault><w:pPr><w:spacing w:line="{line}" w:lineRule="auto"/></w:pPr></w:pPrDefault>'
        "</w:docDefaults>"
        '<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/><w:qFormat/></w:style>'
        '<w:style w:type="character" w:default="1" w:styleId="DefaultParagraphFont">'
        '<w:name w:val="Default Paragraph Font"/></w:style>'
    )
    paragraphs = "".join(
        f'<w:style w:type="paragraph" w:styleId="{s.id}"><w:name w:val="{s.name}"/><w:basedOn w:val="{s.based}"/>'
        f'<w:next w:val="{s.following}"/><w:qFormat/><w:pPr>{s.paragraph}</w:pPr><w:rPr>{s.run}</w:rPr></w:style>'
        for s in _PARAGRAPHS
    )
    runs = "".join(
        f'<w:style w:type="character" w:styleId="{id}"><w:name w:val="{name}"/>'
        f'<w:basedOn w:val="DefaultParagraphFont"/><w:qFormat/><w:rPr>{run}</w:rPr></w:style>'
        for id, name, run in _RUNS
    )
    return f'{HEAD}<w:styles xmlns:w="{WORD}">{default}{paragraphs}{runs}</w:styles>'


def relationships(links: Mapping[str, str], *, pictures: int = 0) -> str:
    """Return the document's relationships: its parts, so many pictures, and web addresses by id."""
    kinds = (("styles", "styles"), ("settings", "settings"), ("numbering", "numbering"), ("fontTable", "fontTable"))
    parts = [*((kind, f"{target}.xml") for kind, target in kinds), ("footer", "footer1.xml")]
    inner = "".join(f'<Relationship Id="{kind}" Type="{OFFICE}/{kind}" Target="{target}"/>' for kind, target in parts)
    inner += "".join(
        f'<Relationship Id="picture{n}" Type="{OFFICE}/image" Target="media/picture{n}.png"/>'
        for n in range(1, pictures + 1)
    )
    outer = "".join(
        f'<Relationship Id="{id}" Type="{OFFICE}/hyperlink" Target={quoteattr(url)} TargetMode="External"/>'
        for url, id in links.items()
    )
    return f'{HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{inner}{outer}</Relationships>'


def drawing(picture: Picture, number: int) -> str:
    """Return the picture as it stands in a run: DrawingML inline (ECMA-376, 20.4.2.8), as wide as fits the text."""
    width, height = (round(side * _EMU) for side in picture.fitted(_TEXT_WIDTH, _TEXT_HEIGHT))
    told = quoteattr(picture.told)
    pixels = (
        f'<pic:pic xmlns:pic="{_DRAWING}/picture"><pic:nvPicPr><pic:cNvPr id="{number}" name="picture{number}.png"/>'
        f'<pic:cNvPicPr/></pic:nvPicPr><pic:blipFill><a:blip r:embed="picture{number}"/><a:stretch><a:fillRect/>'
        f'</a:stretch></pic:blipFill><pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="{width}" cy="{height}"/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr></pic:pic>'
    )
    return (
        f'<w:drawing><wp:inline xmlns:wp="{_DRAWING}/wordprocessingDrawing" distT="0" distB="0" distL="0" distR="0">'
        f'<wp:extent cx="{width}" cy="{height}"/><wp:docPr id="{number}" name="Picture {number}" descr={told}/>'
        f'<a:graphic xmlns:a="{_DRAWING}/main"><a:graphicData uri="{_DRAWING}/picture">{pixels}</a:graphicData>'
        "</a:graphic></wp:inline></w:drawing>"
    )


def moment(at: str) -> str:
    """Return a moment in UTC to the second, as core properties have it; a fixed one for text that is none."""
    try:
        made = datetime.fromisoformat(at)
    except ValueError:
        return _EPOCH
    return made.replace(tzinfo=made.tzinfo or UTC).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _settings(page: Page) -> str:
    return (
        f'{HEAD}<w:settings xmlns:w="{WORD}"><w:defaultTabStop w:val="420"/>'
        '<w:characterSpacingControl w:val="compressPunctuation"/>'
        '<w:compat><w:compatSetting w:name="compatibilityMode" w:uri="http://schemas.microsoft.com/office/word"'
        f' w:val="15"/></w:compat><w:themeFontLang {_codes(page)}/></w:settings>'
    )


def _language(page: Page) -> str:
    return f"<w:lang {_codes(page)}/>"


def _codes(page: Page) -> str:
    latin = "en-US" if page.chinese or page.language == "en" else page.language
    return f'w:val={quoteattr(latin)} w:eastAsia="zh-CN" w:bidi="ar-SA"'


def _field(name: str) -> str:
    return (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
        f'<w:r><w:instrText xml:space="preserve"> {name} </w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>1</w:t></w:r>'
        '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )


_FOOTER: Final = (
    f'{HEAD}<w:ftr xmlns:w="{WORD}"><w:p><w:pPr><w:pStyle w:val="Footer"/></w:pPr>{_field("PAGE")}'
    f'<w:r><w:t xml:space="preserve"> / </w:t></w:r>{_field("NUMPAGES")}</w:p></w:ftr>'
)
