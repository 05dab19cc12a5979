"""A report as PDF: A4, real fonts as subsets, text that can be searched and copied, links that work.

Drawn with fpdf2; the same report and the same fonts give the same bytes. Scripts that join or turn
their letters (Arabic, Hebrew, Indic and their like) are shaped by HarfBuzz.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from leadline.domain import Report
from leadline.errors import MissingExtra
from leadline.render.compose import compose
from leadline.render.fonts import FOLDERS, Face, Wardrobe, dress
from leadline.render.layout import FOOT, HEIGHT, WIDTH, Measure, Piece, Sheet, Sheets, bold, lay
from leadline.render.page import Look, Page
from leadline.telling.artefacts import NO_BODIES

if TYPE_CHECKING:
    from fpdf import FPDF

_INK: Final = (26, 26, 26)
_LINK: Final = (11, 87, 164)
_GREY: Final = (96, 96, 96)
_COLOURS: Final[Mapping[Look, tuple[int, int, int]]] = MappingProxyType(
    {Look.QUIET: _GREY, Look.REMARK: (120, 84, 20), Look.WARNING: (170, 30, 30)}
)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_NUMBER_SIZE: Final = 8.5
_DIGITS: Final = "0123456789 /•"


def to_pdf(report: Report, bodies: Mapping[str, bytes] = NO_BODIES, *, folders: Iterable[str] = FOLDERS) -> bytes:
    """Return the report as PDF; fonts are looked for in `folders`.

    `bodies` are by their hash what programs made, and the programs' texts.

    Raises `MissingExtra`, naming the command to run, where the extra `office` is not installed or
    the machine has no font for the report's letters.
    """
    require()
    page = compose(report, bodies)
    wardrobe = dress(*_letters(page), chinese=page.chinese, folders=folders)
    page = _spelled(page, wardrobe.spelled)
    with _canvas(page, wardrobe) as canvas:
        sheets = lay(page, wardrobe, _measure(canvas))
        _draw(canvas, sheets, wardrobe)
        return bytes(canvas.output())


def require() -> None:
    """Raise `MissingExtra` where the libraries that make a PDF are not installed."""
    if any(find_spec(name) is None for name in ("fpdf", "fontTools")):
        raise MissingExtra("PDF needs an extra: pip install 'leadline[office]'")


def joined(text: str) -> bool:
    """Whether a text has letters that must be shaped: from right to left, joined, or with marks set on them."""
    return any(char > "\u02ff" and (unicodedata.category(char) in _MARKS or _shaped(char)) for char in text)


_MARKS: Final = frozenset({"Mn", "Mc", "Me"})


def _shaped(char: str) -> bool:
    if unicodedata.bidirectional(char) in {"R", "AL"}:
        return True
    return "\u0900" <= char <= "\u109f" or "\u1780" <= char <= "\u18af"  # India to Myanmar, Khmer, Mongolian


def _letters(page: Page) -> tuple[str, str]:
    """Return the characters that are drawn plain, and those drawn bold."""
    plain, heavy = set(_DIGITS), set[str]()
    for block in page.blocks:
        for run in block.runs:
            (heavy if bold(block, run) else plain).update(run.text)
    return "".join(sorted(plain)), "".join(sorted(heavy))


def _spelled(page: Page, names: Mapping[int, str]) -> Page:
    """Return the page with the characters that no font has written out."""
    blocks = (
        replace(block, runs=tuple(replace(run, text=run.text.translate(names)) for run in block.runs))
        for block in page.blocks
    )
    return replace(page, blocks=tuple(blocks))


# --- canvas ----------------------------------------------------------------------------------


@contextmanager
def _canvas(page: Page, wardrobe: Wardrobe) -> Iterator[FPDF]:
    from fpdf import FPDF  # noqa: PLC0415 heavy, and part of an extra
    from fpdf.fonts import CoreFont  # noqa: PLC0415 as above

    canvas = FPDF(unit="pt", format="A4")
    canvas.set_auto_page_break(auto=False)
    canvas.c_margin = 0
    canvas.set_title(page.title)
    canvas.set_author("Leadline")
    canvas.set_creator("Leadline")
    canvas.set_lang("zh-CN" if page.chinese else page.language)
    canvas.set_creation_date(_made(page.created_at))
    try:
        for face in (*wardrobe.regular, *wardrobe.bold):
            letters = sorted(face.covers)
            canvas.add_font(face.key, fname=face.path, collection_font_number=face.number, unicode_range=letters)
        yield canvas
    finally:
        # The library reads glyphs as they are wanted, and leaves the files open.
        for font in canvas.fonts.values():
            if not isinstance(font, CoreFont):
                font.ttfont.close()


def _made(at: str) -> datetime:
    try:
        made = datetime.fromisoformat(at)
    except ValueError:
        return _EPOCH
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def _measure(canvas: FPDF) -> Measure:
    @cache
    def em(key: str, char: str) -> float:
        canvas.set_font(key, size=1000)
        return float(canvas.get_string_width(char)) / 1000

    def advance(face: Face, char: str, size: float) -> float:
        return em(face.key, char) * size

    def extent(face: Face, text: str, size: float) -> float:
        if not joined(text):
            return sum(advance(face, char, size) for char in text)
        canvas.set_font(face.key, size=size)
        with _shaping(canvas):
            return float(canvas.get_string_width(text))

    return Measure(advance, extent)


@contextmanager
def _shaping(canvas: FPDF) -> Iterator[None]:
    if find_spec("uharfbuzz") is None:
        told = "PDF of Arabic, Hebrew or Indic text needs uharfbuzz; install it with: pip install 'leadline[office]'"
        raise MissingExtra(told)
    canvas.set_text_shaping(use_shaping_engine=True)
    yield
    canvas.set_text_shaping(use_shaping_engine=False)


# --- drawing ---------------------------------------------------------------------------------


def _draw(canvas: FPDF, sheets: Sheets, wardrobe: Wardrobe) -> None:
    total = len(sheets.sheets)
    targets = {n: canvas.add_link(page=at.sheet + 1, y=at.y) for n, at in sheets.entries.items()}
    for index, sheet in enumerate(sheets.sheets):
        canvas.add_page()
        for title in (title for title in sheets.outline if title.entry.sheet == index):
            canvas.set_y(title.entry.y)
            canvas.start_section(title.text, level=title.level, strict=False)
        _bars(canvas, sheet)
        for placed in sheet.pictures:
            canvas.image(
                io.BytesIO(placed.picture.data),
                x=placed.x,
                y=placed.y,
                w=placed.width,
                h=placed.height,
                alt_text=placed.picture.told,
            )
        for piece in sheet.pieces:
            _write(canvas, piece)
            _link(canvas, piece, targets)
        _number(canvas, f"{index + 1} / {total}", wardrobe)


def _bars(canvas: FPDF, sheet: Sheet) -> None:
    canvas.set_fill_color(*_LINK)
    for x, top, bottom in sheet.bars:
        canvas.rect(x, top, 2, bottom - top, style="F")


def _write(canvas: FPDF, piece: Piece) -> None:
    linked = piece.run.url is not None or piece.run.cites is not None
    canvas.set_text_color(*(_LINK if linked else _COLOURS.get(piece.run.look, _INK)))
    canvas.set_font(piece.face.key, size=piece.size)
    if not joined(piece.text):
        canvas.text(piece.x, piece.y, piece.text)
        return
    with _shaping(canvas):
        # A cell sets its baseline at 0.8 of the size below its top.
        canvas.set_xy(piece.x, piece.y - 0.8 * piece.size)
        canvas.cell(piece.width, piece.size, piece.text)


def _link(canvas: FPDF, piece: Piece, targets: Mapping[int, int]) -> None:
    target = targets.get(piece.run.cites) if piece.run.cites is not None else piece.run.url
    if target is not None and piece.text.strip():
        canvas.link(piece.x, piece.y - 0.9 * piece.size, piece.width, 1.2 * piece.size, target)


def _number(canvas: FPDF, text: str, wardrobe: Wardrobe) -> None:
    faces = wardrobe.faces(text, bold=False)
    canvas.set_text_color(*_GREY)
    canvas.set_font(faces[0].key, size=_NUMBER_SIZE)
    width = canvas.get_string_width(text)
    canvas.text((WIDTH - width) / 2, HEIGHT - FOOT / 2, text)
