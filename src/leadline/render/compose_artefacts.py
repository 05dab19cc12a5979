"""What programs made, as blocks: pictures with their titles, files by name, and the programs as listings."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

from leadline.domain import Report
from leadline.render.page import Block, Kind, Look, Run
from leadline.render.pictures import picture
from leadline.telling.artefacts import Group, Shown, groups, listing, title
from leadline.telling.wording import word

MOST_LINES: Final = 120
"""Lines of a program that a document lists; the whole of it is in the page and in the export."""

_MEANINGLESS: Final = frozenset({"Co", "Cn"})


def artefacts(report: Report, bodies: Mapping[str, bytes]) -> Iterator[Block]:
    """Yield the part about what programs made; nothing where they made nothing."""
    made = groups(report)
    if made:
        yield Block(Kind.HEADING, (Run(word("artefacts", report.language)),))
        yield Block(Kind.NOTE, (Run(word("computed", report.language), Look.QUIET),))
    for group in made:
        yield from _group(group, bodies, report.language)


def _group(group: Group, bodies: Mapping[str, bytes], language: str) -> Iterator[Block]:
    for one in group.shown:
        yield from _shown(one, bodies.get(one.made.sha256), language)
    lines, more = listing(bodies.get(group.program), most=MOST_LINES)
    if lines:
        yield Block(Kind.DETAIL, (Run(word("program", language), Look.QUIET),))
    for line in lines:
        yield Block(Kind.CODE, (Run(_drawn(line) or " "),))
    if more:
        yield Block(Kind.CODE, (Run(word("more_lines", language).format(f"{more:,}"), Look.QUIET),))


def _shown(one: Shown, body: bytes | None, language: str) -> Iterator[Block]:
    told = _drawn(title(one, language))
    shown = picture(body, told) if one.number is not None else None
    if shown is not None:
        yield Block(Kind.PICTURE, (), picture=shown)
    hint = f" SHA-256 {one.made.sha256[:16]}…"
    gone = f" {word('gone', language)}" if body is None else ""
    yield Block(Kind.CAPTION, (Run(told), Run(hint + gone, Look.QUIET)))


def _drawn(text: str) -> str:
    """Return a line with the characters that no font has written out; its blanks stay."""
    if text.isascii():
        return text
    return "".join(f"[U+{ord(c):04X}]" if unicodedata.category(c) in _MEANINGLESS else c for c in text)
