"""Sentence spans for English and Chinese prose, lists, tables and wrapped text.

Two steps: lines are joined into blocks (paragraph, heading, list item, table row), then each
block is cut at its full stops.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from leadline.text.language import CJK, CJK_MARKS
from leadline.text.numerals import ENGLISH_WORDS
from leadline.text.offsets import Span, trim
from leadline.text.scan import matches
from leadline.text.stops import ENUMERATOR, LETTERED, NEVER_ENDS, SELDOM_ENDS, STARTERS

Sentence = Span
__all__ = ["MAX_SENTENCE", "Sentence", "blocks", "split"]

# A longer sentence is cut at commas and blanks.
MAX_SENTENCE: Final = 1_000

_LINE: Final = re.compile("[^\n\r\x0b\x0c\x85\u2028\u2029]+")
_BLANK_BETWEEN: Final = re.compile("\n[^\n]*\n|\r\r|\n\r\n|[\x0c\u2029]", re.DOTALL)
# What makes a line a block of its own: bullet, number, heading, table row, quotation, field list.
_OWN_LINE: Final = re.compile(
    r"[ \t]*(?:[-*+\u2022\u2023\u25aa\u25cf\u25e6\u2013\u00b7][ \t]"
    r"|\(?(?:\d{1,3}[.)]|[a-z][.)]|[ivx]{1,5}[.)]|[A-Z]\))[ \t]|\d{1,3}\u3001|#{1,6}[ \t]"
    r"|[(\uff08]?[一二三四五六七八九十]{1,3}[)\uff09\u3001.]|[|>]|:[\w -]{1,30}:)"
)
# A line after which nothing continues: heading, table row, rule.
_CLOSED_LINE: Final = re.compile(r"[ \t]*(?:#{1,6}[ \t]|\||:[\w -]{1,30}:[ \t]*$)")
_RULE_LINE: Final = re.compile(r"[ \t]*[-=*_~^+|]{3,}[ \t]*$")
_CJK_END: Final = re.compile(f"[{CJK}{CJK_MARKS}]")

_CLOSERS: Final = "\"'\u201d\u2019\u300d\u300f\u300b\u3011\u3015\uff09)\\]\u00bb\uff02\uff07"
_STOP_MARK: Final = re.compile("[。！？；｡….!?\u203c\u2047-\u2049]")
# Each alternative consumes what it sees, so that no position is visited twice.
_STOP: Final = re.compile(
    rf"(?P<han>[。！？；｡]+[。！？!?…]*|…{{2,}})[{_CLOSERS}]*"
    rf"|(?P<latin>[.!?\u2026\u203c\u2047-\u2049]+)[{_CLOSERS}]*(?:\[\d{{1,3}}\]){{0,8}}"
)
_OPENERS: Final = "\"'\u201c\u2018\u300c\u300e\u300a\u3010\uff08([\u00ab\u00bf\u00a1*_"
_NEXT_WORD: Final = re.compile(rf"\s*[{re.escape(_OPENERS)}]*(\w{{0,20}})")
_LAST_WORD: Final = re.compile(r"[^\s(\[\"'\u201c\u2018\u2014]+$")
_SPACE: Final = re.compile(r"\s+")
_CAMEL: Final = re.compile("[a-z][A-Z]")

# What parts the cells of a row; a comma within a figure ("1,200") parts none.
_PARTING: Final = ((",", re.compile(r",(?!\d{3}(?!\d))")), (";", re.compile(";")))
_LEAST_PARTED: Final = 2
_BRACKETED_FIGURE: Final = re.compile(r"[ \t]*\(\d{1,3}\)[ \t]")

# How far back a word before a full stop may begin.
_LOOK_BACK: Final = 24
# Widths of wrapped text, in columns.
_WRAP_LEAST: Final = 30
_WRAP_MOST: Final = 130
_WRAP_LEAST_CJK: Final = 22
# Shorter lines of lower-case words are a list rather than a wrapped paragraph.
_LOWER_LEAST: Final = 20
# Full lines of proportional type, as PDF has them, hold up to so much less than the longest in characters.
_PROPORTIONAL: Final = 0.9
_STOPS: Final = ".!?:;\u3002\uff01\uff1f"
_GOES_ON: Final = ",，、-\u2010(（"


def split(text: str) -> list[Span]:
    """Return the sentences of `text` in order, trimmed, disjoint and never empty.

    Blank lines, headings, list items, table rows and lines that end short of the text's width are
    borders; a line break inside a wrapped paragraph is not. Full stops inside abbreviations,
    initials, numbers and addresses are no borders. Closing quotes, brackets and reference marks
    stay with the sentence before them. What is longer than `MAX_SENTENCE` is cut.
    """
    found: list[Span] = []
    for block in blocks(text):
        start = block.start
        for border in _borders(text, block):
            found.extend(_pieces(text, start, border))
            start = border
        found.extend(_pieces(text, start, block.end))
    return found


def _pieces(text: str, start: int, end: int) -> Iterator[Span]:
    span = trim(text, start, end)
    while span.length > MAX_SENTENCE:
        cut = _cut_at(text, span.start)
        yield trim(text, span.start, cut)
        span = Span(_skip_space(text, cut), span.end)
    if span.length:
        yield span


def _skip_space(text: str, start: int) -> int:
    space = _SPACE.match(text, start)
    return space.end() if space else start


def _cut_at(text: str, start: int) -> int:
    low, high = start + MAX_SENTENCE // 2, start + MAX_SENTENCE
    for marks in (";；", ",，、", " \t\n\u3000"):
        best = max(text.rfind(mark, low, high) for mark in marks)
        if best >= 0:
            return best + 1
    return high


def blocks(text: str) -> list[Span]:
    """Return the blocks of `text`: paragraphs, headings, list items, table rows; trimmed.

    Lines that only draw a rule belong to no block.
    """
    found: list[Span] = []
    before: Span | None = None
    width = 0
    for match in _LINE.finditer(text):
        line = trim(text, match.start(), match.end())
        if not line.length:
            continue
        if _RULE_LINE.match(text, line.start, line.end):
            before = None
        elif before is not None and _continues(text, before, line=line, width=width):
            found[-1] = Span(found[-1].start, line.end)
            before, width = line, max(width, line.length)
        else:
            found.append(line)
            before, width = line, line.length
    return found


def _continues(text: str, before: Span, *, line: Span, width: int) -> bool:
    """Whether `line` goes on with the block whose last line is `before` and widest is `width`."""
    if _BLANK_BETWEEN.search(text, before.end, line.start):
        return False
    if _OWN_LINE.match(text, line.start, line.end):
        return _is_figure_of_word(text, before, line)
    if _CLOSED_LINE.match(text, before.start, before.end) or _are_rows(before.of(text), line.of(text)):
        return False
    first, last = text[line.start], text[before.end - 1]
    if last in _GOES_ON or (first.islower() and before.length >= _LOWER_LEAST):
        return True
    if _CJK_END.match(last):
        return before.length >= max(_WRAP_LEAST_CJK, width - 2, line.length - 2)
    if not _WRAP_LEAST <= before.length <= _WRAP_MOST:
        return False
    most = max(width, line.length)
    if last not in _STOPS:
        most = int(most * _PROPORTIONAL)
    return before.length + 1 + _first_word(text, line) > most


def _are_rows(one: str, other: str) -> bool:
    """Whether two lines are rows of one table: parted alike, and by commas as no prose is."""
    if " | " in one or "\t" in one:
        return any(one.count(mark) == other.count(mark) > 0 for mark in (" | ", "\t"))
    for mark, apart in _PARTING:
        if one.count(mark) == other.count(mark) >= _LEAST_PARTED and all(apart.search(line) for line in (one, other)):
            return f"{mark} " not in one and f"{mark} " not in other
    return False


def _is_figure_of_word(text: str, before: Span, line: Span) -> bool:
    """Whether a line opens with the figures of the number that ends the line before: contracts' "six / (6) months"."""
    figure = _BRACKETED_FIGURE.match(text, line.start, line.end)
    word = _LAST_WORD.search(text, max(before.start, before.end - _LOOK_BACK), before.end)
    return figure is not None and word is not None and word[0].lower().split("-")[0] in ENGLISH_WORDS


def _first_word(text: str, line: Span) -> int:
    blank = text.find(" ", line.start, line.end)
    return (blank if blank >= 0 else line.end) - line.start


def _borders(text: str, block: Span) -> Iterator[int]:
    for stop in matches(_STOP, text, opening=_STOP_MARK, start=block.start, end=block.end):
        if stop.end() < block.end and _ends(text, stop, block=block):
            yield stop.end()


def _ends(text: str, stop: re.Match[str], *, block: Span) -> bool:
    """Whether a sentence ends with `stop`, which does not end the block."""
    if stop["han"] is not None:
        # Inside a title such as 《谁？》 nothing ends.
        return "》" not in text[stop.end("han") : stop.end()]
    mark = stop["latin"]
    following = text[stop.end()]
    if not following.isspace():
        return _ends_between_han(text, stop)
    after = _NEXT_WORD.match(text, stop.end(), block.end)
    word = after[1] if after else ""
    if word and word[0].islower() and not _CAMEL.match(word):
        return False
    if mark != ".":
        return True
    return _full_stop(text, stop.start(), block=block, word=word)


def _ends_between_han(text: str, stop: re.Match[str]) -> bool:
    """Whether a half-width mark without a blank after it ends a Chinese sentence."""
    if stop.start() == 0 or stop["latin"][0] == ".":
        return False
    return bool(_CJK_END.match(text[stop.start() - 1]) and _CJK_END.match(text[stop.end()]))


def _full_stop(text: str, dot: int, *, block: Span, word: str) -> bool:
    """Whether the single dot at `dot`, followed by white space and `word`, ends a sentence."""
    low = max(block.start, dot - _LOOK_BACK)
    last = _LAST_WORD.search(text, low, dot)
    if last is None:
        return True
    token = last[0]
    if ENUMERATOR.fullmatch(token) and last.start() == block.start:
        return False
    folded = token.lower()
    if folded in NEVER_ENDS:
        return False
    if len(token) == 1 and token.isalpha():
        return word in STARTERS or not _is_initial(text, last.start(), block=block)
    if folded in SELDOM_ENDS:
        return word in STARTERS
    return word in STARTERS or "." not in token.strip(".") or _is_address(token)


def _is_address(token: str) -> bool:
    """Whether a dotted token is a number, version or host rather than an abbreviation."""
    return token[0].isdigit() or any(len(part) > 3 for part in token.split("."))


def _is_initial(text: str, letter: int, *, block: Span) -> bool:
    """Whether the single letter at `letter` is an initial rather than a label ("Plan B")."""
    if not text[letter].isupper():
        return False
    before = text[max(block.start, letter - _LOOK_BACK) : letter].split()
    return not before or before[-1].strip("(\"'").lower() not in LETTERED
