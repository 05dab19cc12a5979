"""The protocol between the pool and its children: framed JSON, text apart as UTF-8.

A frame is two big-endian lengths (header 4 bytes, body 8 bytes), a JSON header, and a body: of a
request the document's bytes, of a reply its text. Nothing that a child sends is trusted: a parser
that a document has taken over may send anything, so every field is checked and bounded here.
"""

from __future__ import annotations

import struct
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, TypeVar

import orjson

from leadline.errors import (
    BrokenDocument,
    EncryptedDocument,
    ExtractError,
    ExtractTimeout,
    TooLarge,
    UnknownFormat,
)
from leadline.extract.types import Extracted, Limits, Link, Locator

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX: Final = struct.Struct(">IQ")
MAX_HEADER: Final = 32 << 20
_SLICE: Final = 1 << 18
_ERRORS: Final[dict[str, type[ExtractError]]] = {
    kind.code: kind
    for kind in (
        BrokenDocument,
        EncryptedDocument,
        ExtractError,
        ExtractTimeout,
        TooLarge,
        UnknownFormat,
    )
}


_Item = TypeVar("_Item", int, str)


class BadReply(Exception):
    """The child broke the protocol."""


def pack(header: object, body: bytes = b"") -> bytes:
    """Make the bytes of one frame up to the body; the body is sent after them."""
    encoded = orjson.dumps(header)
    return PREFIX.pack(len(encoded), len(body)) + encoded


def limits_from(value: dict[str, int | float]) -> Limits:
    """Rebuild limits that `dataclasses.asdict` took apart."""
    return Limits(
        seconds=float(value["seconds"]),
        bytes=int(value["bytes"]),
        chars=int(value["chars"]),
        memory=int(value["memory"]),
        unpacked=int(value["unpacked"]),
        ratio=int(value["ratio"]),
    )


def limits_to(limits: Limits) -> dict[str, int | float]:
    """Take limits apart for a header."""
    return asdict(limits)


def reply_header(result: Extracted) -> dict[str, object]:
    """Everything of a result but its text."""
    return {
        "ok": True,
        "title": result.title,
        "authors": result.authors,
        "published": result.published,
        "language": result.language,
        "locators": _columns(result.locators, 3),
        "links": _columns(result.links, 2),
        "content_type": result.content_type,
        "extractor": result.extractor,
        "truncated": result.truncated,
        "warnings": result.warnings,
        "raw_sha256": result.raw_sha256,
    }


def failure_header(error: Exception) -> dict[str, object]:
    """Describe a failure: the machine name of its class and the message."""
    code = getattr(error, "code", BrokenDocument.code)
    return {"ok": False, "code": code, "message": str(error)[:2_000]}


def read_reply(header: bytes, body: bytes) -> Extracted | ExtractError:
    """Check a reply and rebuild the result or the failure; raises `BadReply`."""
    try:
        value = orjson.loads(header)
    except orjson.JSONDecodeError as error:
        raise BadReply(str(error)) from error
    if not isinstance(value, dict):
        raise BadReply("the header is no object")
    if value.get("ok") is not True:
        kind = _ERRORS.get(_text(value.get("code")), BrokenDocument)
        return kind(_text(value.get("message")))
    return Extracted(
        text=_decode(body),
        title=_optional(value.get("title")),
        authors=_texts(value.get("authors")),
        published=_optional(value.get("published")),
        language=_optional(value.get("language")),
        locators=_locators(value.get("locators")),
        links=_links(value.get("links")),
        content_type=_text(value.get("content_type")),
        extractor=_text(value.get("extractor")),
        truncated=value.get("truncated") is True,
        warnings=_texts(value.get("warnings")),
        raw_sha256=_text(value.get("raw_sha256")),
    )


def _decode(body: bytes) -> str:
    """Decode in slices, so that a long text decoded in a thread lets the event loop run between."""
    if len(body) <= _SLICE:
        return _utf8(body)
    parts: list[str] = []
    start = 0
    while start < len(body):
        end = min(start + _SLICE, len(body))
        while end < len(body) and body[end] & 0xC0 == 0x80:
            end += 1
        parts.append(_utf8(body[start:end]))
        start = end
    return "".join(parts)


def _utf8(piece: bytes) -> str:
    try:
        return piece.decode()
    except UnicodeDecodeError as error:
        raise BadReply(str(error)) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise BadReply(f"a string is missing, not {type(value).__name__}")
    return value


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_column(value, str))


def _column(value: object, kind: type[_Item]) -> list[_Item]:
    """Check that a value is a list of nothing but `kind`; a boolean passes for no number."""
    if not isinstance(value, list) or not all(type(item) is kind for item in value):
        raise BadReply(f"a list of {kind.__name__} is missing")
    return value


def _locators(value: object) -> tuple[Locator, ...]:
    """Rebuild locators from their columns: there may be thousands."""
    if not isinstance(value, list) or len(value) != 3:
        raise BadReply("the locators are missing")
    starts, kinds, labels = _column(value[0], int), _texts(value[1]), _texts(value[2])
    if not len(starts) == len(kinds) == len(labels) or starts != sorted(starts):
        raise BadReply("the locators are malformed or out of order")
    return tuple(map(Locator, starts, kinds, labels))


def _links(value: object) -> tuple[Link, ...]:
    if not isinstance(value, list) or len(value) != 2:
        raise BadReply("the links are missing")
    urls, words = _texts(value[0]), _texts(value[1])
    if len(urls) != len(words):
        raise BadReply("the links are malformed")
    return tuple(map(Link, urls, words))


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[index] for row in rows] for index in range(width)]
