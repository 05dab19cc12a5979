"""Finds the ends of strings in damaged JSON, where quotes are of any kind, missing or inside.

A quote ends a string if what follows it makes sense behind a value; see `Scanner.closes`. Every look
ahead is paid for from a budget that grows with the text, so that the whole takes linear time.
"""

from __future__ import annotations

import re
from typing import Final

# Each look ahead is paid for from this many characters per character of input.
_LOOK_AHEAD: Final = 24
_SPACE: Final = re.compile(r"(?:[\s\ufeff\u200b]+|//[^\n]*|/\*.*?(?:\*/|\Z)|#[^\n]*|```[a-zA-Z]*|\.\.\.)*", re.DOTALL)
QUOTES: Final = {
    '"': '"',
    "'": "'",
    "`": "`\u00b4'",
    "\u00b4": "\u00b4`",
    "\u201c": '\u201d"',
    "\u201d": '\u201d"',
    "\u2018": "\u2019'`\u00b4",
    "\u2019": "\u2019'",
}
_STRING_STOP: Final = {start: re.compile(rf"[\\{ends}]") for start, ends in QUOTES.items()}
_NEXT_VISIBLE: Final = re.compile(r"\s*(?:/\*.*?(?:\*/|\Z)\s*|//[^\n]*\s*|#[^\n]*(?:\n\s*|\Z)|```\s*)*", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_SELF_ESCAPED: Final = frozenset("\"'\\/`\n")
_HEX: Final = re.compile("[0-9a-fA-F]{4}")
BARE_KEY_END: Final = re.compile(r"[:,}\]{\[\"'\n]|\s+(?=[\"'`\d\[{]|true\b|false\b|null\b)|\Z")
KEY_AHEAD: Final = re.compile(r"\s{0,80}(?:(?:\"[^\"\n]{1,80}\"|'[^'\n]{1,80}'|[\w-]{1,80})\s{0,20}:(?!//)|[}\]])")
_ITEM_END: Final = re.compile(r"[,}\]\n]")
_MEMBER_END: Final = re.compile(r"[}\]\n]|,(?=\s{0,40}[\"']?[\w-]{1,80}[\"']?\s{0,40}:)")
_AFTER_KEY: Final = frozenset({":", "", "=", "}", ",", "[", "{"})
_AFTER_COMMA: Final = frozenset({"", "}", "]", ",", "/", ".", "[", "{"})
_CLOSERS: Final = re.compile(r"[\]})\s]*")


class NotJson(ValueError):
    """The text holds nothing that could be meant as JSON, or is nested beyond reason."""


class Scanner:
    """Walks over a text; every method leaves `at` behind what it read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.budget = _LOOK_AHEAD * len(text) + 4096

    def skip(self) -> None:
        space = _SPACE.match(self.text, self.at)
        if space is not None:
            self.at = space.end()

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def pay(self, characters: int) -> None:
        self.budget -= characters
        if self.budget < 0:
            raise NotJson("too damaged to be repaired")

    def string(self, place: str) -> str:
        """Return the string whose opening quote is here; see `_closes` for where it ends."""
        quote = self.peek()
        stop = _STRING_STOP[quote]
        self.at += 1
        start = at = self.at
        pieces: list[str] = []
        comma = -1  # where the string ends if its closing quote was forgotten before a comma
        while True:
            found = stop.search(self.text, at)
            if found is None:
                return self.unterminated(start, place)
            end = found.start()
            self.pay(end - at)
            if self.text[end] == "\\":
                piece, after = self.escape(end)
                pieces += (self.text[at:end], piece)
                at = after
                continue
            verdict = self.closes(end, place)
            if verdict == "colon":
                self.at = end - 1  # the key's closing quote was forgotten
                return self.text[start : end - 1]
            if verdict == "end":
                self.at = end + 1
                return "".join((*pieces, self.text[at:end]))
            if verdict == "key" and comma >= 0:
                self.at = comma
                return self.text[start:comma].rstrip()
            comma = self.comma_before(end, start, comma)
            if comma >= 0 and place == ",":
                self.at = comma
                return self.text[start:comma].rstrip()
            pieces.append(self.text[at : end + 1])
            at = end + 1

    def escape(self, at: int) -> tuple[str, int]:
        char = self.text[at + 1 : at + 2]
        if char != "u":
            # An unknown escape is a pattern or a path that was not escaped: keep its backslash.
            return _ESCAPES.get(char, char if char in _SELF_ESCAPED else f"\\{char}"), at + 2
        code = _HEX.match(self.text, at + 2)
        if code is None:
            return "u", at + 2
        value, after = int(code[0], 16), at + 6
        if 0xD800 <= value < 0xDC00 and self.text.startswith("\\u", after):
            low = _HEX.match(self.text, after + 2)
            if low is not None and 0xDC00 <= int(low[0], 16) < 0xE000:
                pair = 0x10000 + ((value - 0xD800) << 10) + int(low[0], 16) - 0xDC00
                return chr(pair), after + 6
        return ("\ufffd" if 0xD800 <= value < 0xE000 else chr(value)), after

    def closes(self, at: int, place: str) -> str:
        """Judge the quote at `at` by what follows: `end` of the string, `key` or `inner`."""
        following = _NEXT_VISIBLE.match(self.text, at + 1)
        after = following.end() if following else at + 1
        self.pay(after - at)
        char = self.text[after : after + 1]
        if place == "key":
            return self.closes_key(at, after)
        if char in {"}", "]", ")"}:
            return "end" if self.ends_value(after) else "inner"
        if not char:
            return "end"
        if char == ":":
            return "key" if place == ":" else "end"
        if char == ",":
            return "end" if self.separates(after, place) else "inner"
        if char == "+":
            return "end"
        if char in QUOTES:
            return "end" if place == "," or self.starts_member(after) else "inner"
        return "end" if "\n" in self.text[at + 1 : after] and place != "" else "inner"

    def closes_key(self, at: int, after: int) -> str:
        char = self.text[after : after + 1]
        if self.text[at - 1] == ":" and char.isalnum():
            return "colon"
        ends = after > at + 1 or char.isdigit() or char in QUOTES or char in _AFTER_KEY
        return "end" if ends else "inner"

    def separates(self, comma: int, place: str) -> bool:
        """Whether the comma here parts two values, rather than two words of a quotation."""
        following = _NEXT_VISIBLE.match(self.text, comma + 1)
        after = following.end() if following else comma + 1
        self.pay(after - comma)
        char = self.text[after : after + 1]
        if place != ":":
            return True
        return char in _AFTER_COMMA or char in QUOTES or self.starts_member(after)

    def ends_value(self, at: int) -> bool:
        """Whether the closing bracket here is one of the JSON, rather than part of a quotation."""
        closers = _CLOSERS.match(self.text, at)
        after = closers.end() if closers else at
        self.pay(after - at)
        return self.text[after : after + 1] != "," or self.separates(after, ":")

    def starts_member(self, at: int) -> bool:
        self.pay(16)
        return KEY_AHEAD.match(self.text, at) is not None

    def comma_before(self, quote: int, start: int, known: int) -> int:
        """Return where the comma before an inner quote is, else what was known."""
        at = quote - 1
        while at > start and self.text[at].isspace():
            at -= 1
        self.pay(quote - at)
        return at if at > start and self.text[at] == "," else known

    def unterminated(self, start: int, place: str) -> str:
        """Return a string whose end is missing: all of it if the text was cut, else up to a delimiter."""
        self.pay(len(self.text) - start)
        if place == "key":
            found = BARE_KEY_END.search(self.text, start)
        elif self.text.rstrip().endswith(("}", "]")):
            found = (_MEMBER_END if place == ":" else _ITEM_END).search(self.text, start)
        else:
            found = None
        end = found.start() if found else len(self.text)
        self.at = end
        piece = self.text[start:end]
        return _unescaped(piece.rstrip() if found else piece)


def _unescaped(piece: str) -> str:
    if "\\" not in piece:
        return piece
    reader = Scanner(piece)
    pieces: list[str] = []
    at = 0
    while (slash := piece.find("\\", at)) >= 0:
        text, after = reader.escape(slash)
        pieces += (piece[at:slash], text)
        at = after
    return "".join((*pieces, piece[at:]))
