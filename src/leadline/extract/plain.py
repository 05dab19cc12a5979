"""Text files: the stored text is the decoded file, unchanged; locators and a title are added."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from leadline.errors import UnknownFormat
from leadline.extract.builder import HeadingPath, line_locators, one_line, thin
from leadline.extract.decode import Decoded, decode
from leadline.extract.html_meta import iso_date
from leadline.extract.sniff import HEAD, looks_like_text
from leadline.extract.types import Locator
from leadline.extract.work import Job, Parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_TITLE: Final = 120
_SENTENCE_END: Final = (".", "。", ",", "，", ";", "；", ":", "：", "!", "！", "?", "？")
_ATX: Final = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_SETEXT: Final = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_NOT_SETEXT: Final = re.compile(r"\s*$| {4}|\t|\s*(?:[-*+>|#]|\d+[.)])(?:\s|$)")
_FIELD: Final = re.compile(r"^(title|author|authors|date|lang|language)\s*:\s*(.+?)\s*$", re.IGNORECASE)
_FRONT_LINES: Final = 60
_ADORNMENT: Final = re.compile(r"([=\-`:.'\"~^_*+#<>!$%&(),/;?@\[\]{|}])\1{2,}[ \t]*$")
_MOST_MARKED_LINES: Final = 2_000


def parse_plain(job: Job) -> Parsed:
    """Plain text: numbered lines; a short first line that stands alone is the title."""
    decoded = _decode(job)
    text = decoded.text
    return _parsed(
        job,
        decoded,
        locators=line_locators(text[: job.limits.chars]),
        title=_first_line_title(text),
    )


def parse_source(job: Job) -> Parsed:
    """Source code, configuration, logs and data: numbered lines, no title."""
    decoded = _decode(job)
    return _parsed(
        job,
        decoded,
        locators=line_locators(decoded.text[: job.limits.chars], most=_MOST_MARKED_LINES),
    )


def parse_markdown(job: Job) -> Parsed:
    """Markdown: ATX and setext headings outside of code; front matter gives title, author, date."""
    decoded = _decode(job)
    text = decoded.text[: job.limits.chars]
    front, skip = _front_matter(text)
    headings = list(markdown_headings(text, skip))
    title = front.get("title") or next((title for _, level, title in headings if level == 1), None)
    return _parsed(job, decoded, locators=_sections(text, headings), title=title, front=front)


def parse_rst(job: Job) -> Parsed:
    """reStructuredText: a line under (and perhaps over) which its adornment stands is a heading."""
    decoded = _decode(job)
    text = decoded.text[: job.limits.chars]
    headings = list(_rst_headings(text))
    title = headings[0][2] if headings else None
    return _parsed(job, decoded, locators=_sections(text, headings), title=title)


def parse_table(job: Job) -> Parsed:
    """CSV and TSV: the file as it is, one locator a line."""
    return parse_source(job)


def _decode(job: Job) -> Decoded:
    if not looks_like_text(job.raw[:HEAD]):
        msg = f"{job.name or 'the document'} holds binary data, not text"
        raise UnknownFormat(msg)
    return decode(job.raw, declared=job.declared)


def _parsed(
    job: Job,
    decoded: Decoded,
    *,
    locators: tuple[Locator, ...],
    title: str | None = None,
    front: dict[str, str] | None = None,
) -> Parsed:
    text = decoded.text[: job.limits.chars]
    facts = front or {}
    author = facts.get("author") or facts.get("authors")
    damaged = f"some bytes are not valid {decoded.encoding} and were replaced by U+FFFD"
    return Parsed(
        text=text,
        title=one_line(title, 500) if title else None,
        authors=(one_line(author),) if author else (),
        published=iso_date(facts["date"]) if "date" in facts else None,
        language=(facts.get("lang") or facts.get("language") or "").lower() or None,
        locators=locators,
        truncated=len(decoded.text) > job.limits.chars,
        warnings=(damaged,) if decoded.damaged else (),
    )


def _first_line_title(text: str) -> str | None:
    first, _, rest = text.lstrip("\r\n").partition("\n")
    first, second = first.strip(), rest.partition("\n")[0]
    alone = bool(rest) and not second.strip()
    if not first or not alone or len(first) > _LONGEST_TITLE or first.endswith(_SENTENCE_END):
        return None
    return first


def _lines(text: str, start: int = 0) -> Iterator[tuple[int, str]]:
    """Yield offset and content of each line; only LF and CRLF end one."""
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield start, text[start:end].removesuffix("\r")
        start = end + 1


def _front_matter(text: str) -> tuple[dict[str, str], int]:
    """Read the simple fields of a YAML front matter; returns them and where the document begins."""
    if not text.startswith("---"):
        return {}, 0
    fields: dict[str, str] = {}
    for number, (offset, line) in enumerate(_lines(text)):
        if number == 0:
            if line.rstrip() != "---":
                return {}, 0
        elif line.rstrip() in {"---", "..."}:
            return fields, offset + len(line)
        elif number > _FRONT_LINES:
            return {}, 0
        elif found := _FIELD.match(line):
            fields[found[1].lower()] = found[2].strip("\"'")
    return {}, 0


def markdown_headings(text: str, start: int = 0) -> Iterator[tuple[int, int, str]]:
    """Yield offset, level and title of each heading outside of code."""
    fence = ""
    above: tuple[int, str] | None = None  # a line that a setext underline would make a heading
    for offset, line in _lines(text, start):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence = ""
            continue
        if mark:
            fence, above = mark[1], None
            continue
        atx = _ATX.match(line)
        setext = _SETEXT.match(line)
        if atx:
            yield offset, len(atx[1]), atx[2] or ""
        elif setext and above:
            yield above[0], 1 if "=" in setext[1] else 2, above[1]
        above = None if atx or setext or _NOT_SETEXT.match(line) else (offset, line.strip())


def _rst_headings(text: str) -> Iterator[tuple[int, int, str]]:
    styles: list[str] = []
    before: tuple[int, str] = (0, "")
    over = ""  # the adornment over `before`, where there is one
    for offset, line in _lines(text):
        under = _ADORNMENT.match(line)
        title = before[1]
        if under and _can_title(title) and len(line.rstrip()) >= len(title.rstrip()):
            style = under[1] * 2 if over == under[1] else under[1]
            if style not in styles:
                styles.append(style)
            yield before[0], styles.index(style) + 1, title.strip()
            before, over = (offset, ""), ""
            continue
        adorned = _ADORNMENT.match(title)
        over = adorned[1] if adorned else ""
        before = (offset, line)


def _can_title(line: str) -> bool:
    return bool(line.strip()) and not _ADORNMENT.match(line) and not line.startswith((".. ", "   ", "\t"))


def _sections(text: str, headings: list[tuple[int, int, str]]) -> tuple[Locator, ...]:
    if not headings:
        return line_locators(text)
    path = HeadingPath()
    marks = [Locator(offset, "heading", path.enter(level, title)) for offset, level, title in headings if title]
    return thin(marks)
