"""Reads JSON as language models write it: damaged, cut short, fenced, or in the midst of prose.

Strict JSON goes through `orjson`. What it refuses is read by a forgiving recursive reader: quotes
of any kind or none, commas too many or too few, comments, Python literals, unescaped quotes inside
strings, brackets never closed. The reader does a bounded number of steps a character and so runs
in linear time on any input; general repair libraries take seconds on a few hostile kilobytes.

Results can always be written as JSON again: no infinities, no integers beyond 64 bits, no lone
surrogates, no nesting beyond `MAX_DEPTH`.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from leadline.text.repair_scan import BARE_KEY_END, KEY_AHEAD, QUOTES, NotJson, Scanner

__all__ = ["MAX_DEPTH", "NotJson", "parse_json", "parse_values"]

MAX_DEPTH: Final = 100
_WORDS: Final[dict[str, object]] = {
    "true": True,
    "false": False,
    "null": None,
    "none": None,
    "undefined": None,
    "nan": None,
    "infinity": None,
    "-infinity": None,
}
_NUMBER: Final = re.compile(r"[+-]?(?:0|[1-9]\d{0,400})?(?:\.\d{0,400})?(?:[eE][+-]?\d{0,6})?")
_DIGIT: Final = re.compile(r"\d")
_BARE_END: Final = re.compile(r"[,}\]\n]|/\*|//|\Z")
_BARE_END_IN_GROUP: Final = re.compile(r"[,)}\]\n]|/\*|//|\Z")
_FENCE: Final = re.compile(r"```[a-zA-Z0-9]{0,12}[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_OPENING: Final = re.compile(r"[{\[]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_FURTHER_MEMBER: Final = re.compile(r"\s{0,80},\s{0,80}(?=\"[^\"\n]{1,80}\"\s{0,20}:)")


def parse_json(raw: str) -> Any:  # noqa: ANN401 a JSON tree has no narrower type
    """Return the first JSON value that `raw` holds or is meant to be.

    Raises `NotJson` where there is none. A text that is not a container is read as a scalar only
    if the whole of it is one.
    """
    found = parse_values(raw, limit=1)
    if not found:
        raise NotJson("no JSON value in the text")
    return found[0]


def parse_values(raw: str, *, limit: int = 64) -> list[Any]:
    """Return up to `limit` JSON values that stand one after the other in `raw`, repaired.

    Empty where there is none. Raises `NotJson` for nesting beyond `MAX_DEPTH`.
    """
    text = raw.strip()
    strict = _strict(text)
    if strict is not _REFUSED:
        return [strict]
    text = _SURROGATE.sub("\ufffd", text)
    fence = _fenced(text)
    if fence is not None:
        strict = _strict(fence.strip())
        if strict is not _REFUSED:
            return [strict]
        text = fence
    return _Reader(text).values(limit)


_REFUSED: Final = object()


def _strict(text: str) -> Any:  # noqa: ANN401 a JSON tree has no narrower type
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _REFUSED
    if text.count("[") + text.count("{") > MAX_DEPTH and _too_deep(value, MAX_DEPTH):
        raise NotJson(f"nested deeper than {MAX_DEPTH} levels")
    return value


def _too_deep(value: object, room: int) -> bool:
    if isinstance(value, dict):
        return room == 0 or any(_too_deep(item, room - 1) for item in value.values())
    if isinstance(value, list):
        return room == 0 or any(_too_deep(item, room - 1) for item in value)
    return False


def _fenced(text: str) -> str | None:
    """Return the body of the first code fence that is not inside a value."""
    opening = _OPENING.search(text)
    fence = text.find("```")
    if fence < 0 or (opening is not None and opening.start() < fence):
        return None
    found = _FENCE.search(text, fence)
    return found[1] if found and _OPENING.search(found[1]) else None


class _Reader(Scanner):
    """One forgiving pass over a text; every method leaves `at` behind what it read."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.objects = 0
        self.groups = 0

    def values(self, limit: int) -> list[Any]:
        """Return the containers in the text, or the one scalar that the whole of it is."""
        found: list[Any] = []
        while len(found) < limit:
            opening = _OPENING.search(self.text, self.at)
            if opening is None:
                break
            self.at = 0 if self.text.startswith("(") and not self.at else opening.start()
            value = self.value(",")
            while isinstance(value, dict) and (more := _FURTHER_MEMBER.match(self.text, self.at)):
                self.at = more.end() - 1  # the object was closed too early
                value |= self.object()
            if value or not found:
                found.append(value)
        if found:
            return found
        return self.scalars()

    def scalars(self) -> list[Any]:
        self.skip()
        if self.at >= len(self.text):
            return []
        if self.text[self.at] in QUOTES:
            return [self.string("")]
        word = self.text.strip()
        value = _word(word)
        return [] if isinstance(value, str) else [value]

    # --- values ---

    def value(self, place: str) -> Any:  # noqa: ANN401 a JSON tree has no narrower type
        """Return the value that begins here; `place` is `:` in an object and `,` in an array."""
        self.skip()
        first = self.peek()
        if first in {"{", "[", "("} and first:
            if self.depth >= MAX_DEPTH:
                raise NotJson(f"nested deeper than {MAX_DEPTH} levels")
            self.depth += 1
            value = self.group() if first == "(" else self.object() if first == "{" else self.array()
            self.depth -= 1
            return value
        if first in QUOTES:
            return self.joined(place)
        return self.bare()

    def joined(self, place: str) -> str:
        """Return a string, with those that follow it behind a plus sign."""
        value = self.string(place)
        while True:
            start = self.at
            self.skip()
            if self.peek() != "+":
                self.at = start
                return value
            self.at += 1
            self.skip()
            if self.peek() not in QUOTES:
                return value
            value += self.string(place)

    def group(self) -> Any:  # noqa: ANN401 a JSON tree has no narrower type
        """Return what stands in parentheses: a tuple as an array, a single value as itself."""
        self.groups += 1
        start = self.at
        items = self.array(")")
        self.groups -= 1
        tuple_like = len(items) != 1 or self.text[start : self.at].rstrip(" )").endswith(",")
        return items if tuple_like else items[0]

    def array(self, closing: str = "]") -> list[Any]:
        self.at += 1
        items: list[Any] = []
        while True:
            self.skip()
            char = self.peek()
            if char in {"", closing} or (char == "}" and self.objects):
                # A brace that ends an array nobody closed belongs to the object around it.
                self.at += char == closing or (char == "}" and self.stands_in())
                return items
            if char in ",;:])}":
                self.at += 1
                continue
            before = self.at
            item = self.value(",")
            self.skip()
            if self.peek() == ":" and isinstance(item, str):
                item = self.pair(item)
            items.append(item)
            if self.at == before:
                self.at += 1

    def stands_in(self) -> bool:
        """Whether the brace here was meant as a bracket: the object goes on behind it."""
        self.pay(16)
        return _FURTHER_MEMBER.match(self.text, self.at + 1) is not None

    def pair(self, key: str) -> dict[str, Any]:
        """Return the object of one member that stands bare in an array."""
        self.at += 1
        return {key: self.value(":")}

    def object(self) -> dict[str, Any]:
        self.at += 1
        self.objects += 1
        members = self.members()
        self.objects -= 1
        return members

    def members(self) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while True:
            self.skip()
            char = self.peek()
            if char in {"", "}"}:
                self.at += char == "}"
                return members
            if char in ",;:":
                self.at += 1
                continue
            if char == "]":
                return members
            before = self.at
            self.member(members)
            if self.at == before:
                self.at += 1

    def member(self, members: dict[str, Any]) -> None:
        char = self.peek()
        if char in "[{(":
            for item in self.array() if char != "{" else [self.value(":")]:
                if isinstance(item, str):
                    members.setdefault(item, "")
            return
        key = self.string("key") if char in QUOTES else self.bare_key()
        self.skip()
        if self.peek() in ":=":
            self.at += 1 + (self.text.startswith("=>", self.at))
            self.skip()
        if self.peek() in {"", ",", "}", "]"}:
            members[key] = None
            return
        members[key] = self.value(":")

    def bare_key(self) -> str:
        found = BARE_KEY_END.search(self.text, self.at)
        end = found.start() if found else len(self.text)
        key = self.text[self.at : end].strip().rstrip("\"'`\u00b4\u201d")
        self.at = end
        return key

    def bare(self) -> Any:  # noqa: ANN401 a JSON scalar
        """Return an unquoted value: a number, a literal or words."""
        start = at = self.at
        while True:
            found = (_BARE_END_IN_GROUP if self.groups else _BARE_END).search(self.text, at)
            end = found.start() if found else len(self.text)
            if self.text[end : end + 2] == "//" and self.text[end - 1 : end] == ":":
                at = end + 2  # an address, not a comment
                continue
            if self.text[end : end + 1] != "\n" or self.ends_line(end):
                break
            at = end + 1
        word = self.text[start:end]
        self.at = end
        inner = _bare_quote(word)
        if inner is not None:
            word = word[:inner]
            self.at = start + inner + (self.text[start + inner + 1 :].lstrip()[:1] in {",", "}", "]"})
        return _word(word.strip())

    def ends_line(self, end: int) -> bool:
        """Whether the line break at `end` ends an unquoted value: a key or a bracket follows."""
        found = KEY_AHEAD.match(self.text, end + 1)
        self.pay(8)
        return found is not None or end + 1 >= len(self.text)


def _bare_quote(word: str) -> int | None:
    """Return where a stray closing quote or the opening quote of the next key stands in a bare value."""
    for at, char in enumerate(word[:200]):
        if char in '"\u201d' and at:
            return at
    return None


def _word(word: str) -> Any:  # noqa: ANN401 a JSON scalar
    literal = _WORDS.get(word.lower(), _REFUSED)
    if literal is not _REFUSED:
        return literal
    if _NUMBER.fullmatch(word) and _DIGIT.search(word):
        return _number(word.rstrip("eE+-."))
    if word == "-":
        return 0
    return word


def _number(word: str) -> int | float | None:
    try:
        whole = int(word)
    except ValueError:
        number = float(word)
        return number if abs(number) < float("inf") else None
    return whole if -(2**63) <= whole < 2**64 else float(word)
