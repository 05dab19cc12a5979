"""What extraction takes and gives: limits in, text with locators and metadata out."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MIB: Final = 1 << 20

LocatorKind = Literal[
    "page",  # PDF page; the label is the printed page label
    "sheet",  # spreadsheet sheet
    "slide",  # presentation slide
    "part",  # chapter file of an e-book, part of a mail
    "heading",  # section; the label is the path of headings above and at this place
    "cell",  # notebook cell
    "row",  # row of a table file
    "line",  # line, or a range of lines, of a text file
]

# A finer kind only refines a coarser one: "sheet Sales, row 12", never "row 12, sheet Sales".
_RANK: Final[dict[str, int]] = {
    "page": 0,
    "sheet": 0,
    "slide": 0,
    "part": 0,
    "heading": 1,
    "cell": 2,
    "row": 2,
    "line": 2,
}
_FINEST: Final = max(_RANK.values())


class Locator(NamedTuple):
    """From code point `start` of the stored text on, a reader is at `label`.

    A tuple rather than a dataclass: a document may have thousands, and they cross a process border.
    """

    start: int
    kind: str
    label: str


class Link(NamedTuple):
    """A link of the document: absolute address and the words it stands on."""

    url: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one document may cost.

    seconds: wall-clock time of a child process on it; bytes: size of the input; chars: code points
    of stored text, the rest is cut off and `truncated` set; memory: address space of a child in
    bytes; unpacked: bytes that a zip-based document may unpack to; ratio: how many times its packed
    size an archive above 1 MiB may unpack to.
    """

    seconds: float = 20.0
    bytes: int = 64 * MIB
    chars: int = 20_000_000
    memory: int = 1024 * MIB
    unpacked: int = 512 * MIB
    ratio: int = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Extracted:
    """Text of one document with where each part of it stands.

    text: what is stored and quoted; for plain text the decoded file, unchanged. published: ISO 8601
    date. language: lower-case BCP 47 tag as the document states it. locators: sorted by `start`.
    content_type: what the bytes were taken for. extractor: `name/version`, or
    `name-library/version` where the text depends on a library; the same bytes under the same
    extractor always give the same text. truncated: text was cut at a limit. warnings: what
    a reader of the report should know. raw_sha256: hash of the bytes, in hex.
    """

    text: str
    title: str | None = None
    authors: tuple[str, ...] = ()
    published: str | None = None
    language: str | None = None
    locators: tuple[Locator, ...] = ()
    links: tuple[Link, ...] = ()
    content_type: str
    extractor: str
    truncated: bool = False
    warnings: tuple[str, ...] = ()
    raw_sha256: str


def locate(locators: Sequence[Locator], offset: int) -> str:
    """Say where `offset` (code points of the stored text) is, for a person: `page 12`.

    The nearest locator before it comes last, after those of the coarser kinds that enclose it:
    `sheet Sales, row 12`. Empty where no locator stands at or before the offset.
    """
    end = bisect_right(locators, offset, key=lambda locator: locator.start)
    found: list[Locator] = []
    rank = _FINEST + 1
    for position in range(end - 1, -1, -1):
        locator = locators[position]
        if _RANK.get(locator.kind, 0) < rank:
            rank = _RANK.get(locator.kind, 0)
            found.append(locator)
        if rank == 0:
            break
    return ", ".join(_describe(locator) for locator in reversed(found))


def _describe(locator: Locator) -> str:
    if locator.kind == "heading":
        return f"heading: {locator.label}"
    if _RANK.get(locator.kind) == _FINEST and "-" in locator.label:
        return f"{locator.kind}s {locator.label}"
    return f"{locator.kind} {locator.label}".rstrip()
