"""What was read of a document as bytes to be kept: as a reply of a parser's process, without links."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from leadline.errors import ExtractError
from leadline.extract import frames
from leadline.extract.types import Extracted

_MARK: Final = b"leadline.text/1\n"


def to_bytes(extracted: Extracted) -> bytes:
    """Return a document's text with its locators and metadata."""
    body = extracted.text.encode()
    return _MARK + frames.pack(frames.reply_header(replace(extracted, links=())), body) + body


def from_bytes(data: bytes) -> Extracted | None:
    """Return what `to_bytes` was given; `None` for what this version cannot read."""
    start = len(_MARK) + frames.PREFIX.size
    if not data.startswith(_MARK) or len(data) < start:
        return None
    header, body = frames.PREFIX.unpack(data[len(_MARK) : start])
    if len(data) != start + header + body:
        return None
    try:
        found = frames.read_reply(data[start : start + header], data[start + header :])
    except frames.BadReply:
        return None
    return None if isinstance(found, ExtractError) else found
