"""Page to sheets of paper: lines of pieces at measured places, in points from the upper left corner.

Nothing here draws: the result says where everything lies, so that the number of sheets and the
places of all links are known before the first is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from types import MappingProxyType
from typing import Final, NamedTuple

from leadline.render.breaks import breaks
from leadline.render.fonts import Face, Wardrobe
from leadline.render.page import Block, Kind, Look, Page, Run
from leadline.render.pictures import Picture

WIDTH: Final = 595.28
HEIGHT: Final = 841.89
MARGIN: Final = 64.0
FOOT: Final = 72.0
TALLEST: Final = 420.0
"""Height that a picture may take, so that its title stands on the same sheet."""

BAR: Final = 10.0
"""From the left edge of a direct answer to its bar."""


class Measure(NamedTuple):
    """What text takes up: `advance` of a character, `extent` of a whole piece as it will be drawn; in points."""

    advance: Callable[[Face, str, float], float]
    extent: Callable[[Face, str, float], float]


class Style(NamedTuple):
    """How a kind of block is set: points, and indents from the left margin; `hang` is for all lines but the first."""

    size: float
    above: float
    indent: float = 0.0
    hang: float = 0.0
    bold: bool = False
    bullet: str = ""
    keeps: bool = False  # stays with the block that follows


STYLES: Final[Mapping[Kind, Style]] = MappingProxyType(
    {
        Kind.TITLE: Style(20, 0, bold=True, keeps=True),
        Kind.BYLINE: Style(8.5, 4),
        Kind.HEADING: Style(13.5, 18, bold=True, keeps=True),
        Kind.SUBHEADING: Style(11, 10, bold=True, keeps=True),
        Kind.ANSWER: Style(11, 8, indent=14, hang=14),
        Kind.TEXT: Style(10.5, 7),
        Kind.ITEM: Style(10.5, 5, indent=14, hang=14, bullet="•"),
        Kind.SOURCE: Style(10.5, 10, keeps=True),
        Kind.DETAIL: Style(8.5, 1.5, keeps=True),
        Kind.PICTURE: Style(10.5, 10, keeps=True),
        Kind.CAPTION: Style(9.5, 4),
        Kind.CODE: Style(7.5, 0, indent=14, hang=28),
        Kind.CITED: Style(9.5, 3, indent=14, hang=30),
        Kind.NOTE: Style(8.5, 5),
    }
)


class Piece(NamedTuple):
    """Text of one face and look at its place; `y` is the baseline."""

    x: float
    y: float
    width: float
    text: str
    face: Face
    size: float
    run: Run


class Placed(NamedTuple):
    """A picture at its place: its upper left corner, and its size."""

    x: float
    y: float
    width: float
    height: float
    picture: Picture


class Entry(NamedTuple):
    """Where a link or the outline leads: a sheet, from 0, and the upper edge of a line on it."""

    sheet: int
    y: float


class Title(NamedTuple):
    """A line of the outline; `level` from 0."""

    level: int
    text: str
    entry: Entry


@dataclass(slots=True)
class Sheet:
    """What lies on one sheet; `bars` are vertical strokes beside a direct answer: x, top, bottom."""

    pieces: list[Piece] = field(default_factory=list)
    pictures: list[Placed] = field(default_factory=list)
    bars: list[tuple[float, float, float]] = field(default_factory=list)


@dataclass(slots=True)
class Sheets:
    """A report on paper: its sheets, the entries of its citations by number, its outline."""

    sheets: list[Sheet] = field(default_factory=lambda: [Sheet()])
    entries: dict[int, Entry] = field(default_factory=dict)
    outline: list[Title] = field(default_factory=list)


class _Char(NamedTuple):
    char: str
    run: Run
    face: Face
    advance: float


class _Line(NamedTuple):
    """Pieces with x from the left margin and y from the baseline; `height` down to the next line's top."""

    pieces: tuple[Piece, ...]
    height: float


def lay(page: Page, wardrobe: Wardrobe, measure: Measure) -> Sheets:
    """Return the page on sheets of A4."""
    return _Setter(page, wardrobe, measure).sheets()


def bold(block: Block, run: Run) -> bool:
    """Whether a run of a block is drawn bold."""
    return run.look is Look.STRONG or STYLES[block.kind].bold


class _Setter:
    def __init__(self, page: Page, wardrobe: Wardrobe, measure: Measure) -> None:
        self._page = page
        self._wardrobe = wardrobe
        self._measure = measure
        self._leading = 1.62 if page.chinese else 1.42
        self._made = Sheets()
        self._y = MARGIN

    def sheets(self) -> Sheets:
        """Place all blocks, one below the other."""
        blocks = [(block, self._lines(block)) for block in self._page.blocks]
        for at, (block, lines) in enumerate(blocks):
            following = _kept(blocks[at : at + 4])
            self._place(block, lines, needed=following)
        return self._made

    def _place(self, block: Block, lines: Sequence[_Line], *, needed: float) -> None:
        style = STYLES[block.kind]
        first = self._y == MARGIN
        if not first:
            self._y += style.above
        if not first and self._y + needed > HEIGHT - FOOT:
            self._turn()
        entry = Entry(len(self._made.sheets) - 1, self._y)
        self._made.entries.update(dict.fromkeys(block.entries, entry))
        if block.kind in _LEVELS:
            self._made.outline.append(Title(_LEVELS[block.kind], block.text, entry))
        if block.picture is not None:
            self._show(block.picture)
        for line in lines:
            if self._y + line.height > HEIGHT - FOOT:
                self._turn()
            self._draw(block, line)

    def _show(self, picture: Picture) -> None:
        width, height = picture.fitted(WIDTH - 2 * MARGIN, TALLEST)
        if self._y + height > HEIGHT - FOOT:
            self._turn()
        self._made.sheets[-1].pictures.append(Placed(MARGIN, self._y, width, height, picture))
        self._y += height

    def _turn(self) -> None:
        self._made.sheets.append(Sheet())
        self._y = MARGIN

    def _draw(self, block: Block, line: _Line) -> None:
        sheet = self._made.sheets[-1]
        base = self._y + line.height * 0.5 + STYLES[block.kind].size * 0.36
        sheet.pieces += [piece._replace(x=piece.x + MARGIN, y=base) for piece in line.pieces]
        if block.kind is Kind.ANSWER:
            x = MARGIN + STYLES[block.kind].indent - BAR
            joined = bool(sheet.bars) and abs(sheet.bars[-1][2] - self._y) < 0.1
            top = sheet.bars.pop()[1] if joined else self._y
            sheet.bars.append((x, top, self._y + line.height))
        self._y += line.height

    # --- lines -------------------------------------------------------------------------------

    def _lines(self, block: Block) -> list[_Line]:
        style = STYLES[block.kind]
        chars = self._chars(block)
        height = style.size * self._leading
        room = WIDTH - 2 * MARGIN
        lines: list[_Line] = []
        for start, end in _cut(chars, first=room - style.indent, rest=room - style.hang):
            x = style.hang if lines else style.indent
            lines.append(_Line(tuple(self._pieces(chars[start:end], x=x, size=style.size)), height))
        if style.bullet and lines:
            bullet = self._bullet(style)
            lines[0] = _Line((bullet, *lines[0].pieces), height)
        return lines

    def _chars(self, block: Block) -> list[_Char]:
        """Return the block's characters with their faces and widths; faces are chosen across runs."""
        size = STYLES[block.kind].size
        plain = self._wardrobe.faces(block.text, bold=False)
        heavy = self._wardrobe.faces(block.text, bold=True) if any(bold(block, run) for run in block.runs) else plain
        runs = [run for run in block.runs for _ in run.text]
        faces = [(heavy if bold(block, run) else plain)[at] for at, run in enumerate(runs)]
        return [
            _Char(char, run, face, self._measure.advance(face, char, size))
            for char, run, face in zip(block.text, runs, faces, strict=True)
        ]

    def _pieces(self, chars: Sequence[_Char], *, x: float, size: float) -> Iterator[Piece]:
        # By identity: two runs that are equal are still two links.
        for _, group in groupby(chars, key=lambda each: (id(each.run), each.face.key)):
            same = list(group)
            text, face = "".join(each.char for each in same), same[0].face
            width = self._measure.extent(face, text, size)
            yield Piece(x, 0, width, text, face, size, same[0].run)
            x += width

    def _bullet(self, style: Style) -> Piece:
        (face,) = self._wardrobe.faces(style.bullet, bold=False)
        width = self._measure.extent(face, style.bullet, style.size)
        return Piece(style.indent - width - 4, 0, width, style.bullet, face, style.size, Run(style.bullet))


_LEVELS: Final[Mapping[Kind, int]] = MappingProxyType({Kind.HEADING: 0, Kind.SUBHEADING: 1})


def _kept(blocks: Sequence[tuple[Block, Sequence[_Line]]]) -> float:
    """Return the height that must be left on a sheet for the first block to begin there.

    Two lines of it, or all of it and the first lines of the next where they belong together.
    """
    height = 0.0
    for block, lines in blocks:
        style = STYLES[block.kind]
        if block.picture is not None:
            height += block.picture.fitted(WIDTH - 2 * MARGIN, TALLEST)[1]
        if not style.keeps:
            return height + sum(line.height for line in lines[:2])
        height += style.above + sum(line.height for line in lines[:4])
    return height


def _cut(chars: Sequence[_Char], *, first: float, rest: float) -> Iterator[tuple[int, int]]:
    """Yield the spans of lines no wider than their room, blanks at their ends left out.

    What has no place to break and is wider than a line is broken where the line is full.
    """
    places = breaks("".join(each.char for each in chars))
    start, room = 0, first
    while start < len(chars):
        end = _end(chars, start=start, room=room, places=places)
        last = end
        while last > start + 1 and chars[last - 1].char == " ":
            last -= 1
        yield start, last
        start, room = end, rest
        while start < len(chars) and chars[start].char == " ":
            start += 1


def _end(chars: Sequence[_Char], *, start: int, room: float, places: frozenset[int]) -> int:
    """Return where the line that begins at `start` ends: the last place to break at which it still fits."""
    width, last = 0.0, None
    for at in range(start, len(chars)):
        if at > start and at in places:
            last = at
        width += chars[at].advance
        if width > room and chars[at].char != " " and at > start:
            return last or at
    return len(chars)
