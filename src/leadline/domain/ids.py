"""Ids that derive from what they name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from leadline.domain.told import Citation


def sha256(data: bytes) -> str:
    """Return the lower-case hex SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def source_id(text_sha256: str) -> str:
    """Return the id of the source whose stored text has this hash."""
    return "s" + text_sha256[:16]


def excerpt_id(source: str, start: int, end: int) -> str:
    """Return the id of the excerpt `text[start:end]` of a source."""
    return "e" + hashlib.blake2b(f"{source}:{start}:{end}".encode(), digest_size=8).hexdigest()


def claim_id(index: int, text: str, citations: Sequence[Citation]) -> str:
    """Return the id of the `index`-th claim of a report, bound to its text and evidence."""
    spans = "|".join(f"{c.source_id}:{c.start}:{c.end}" for c in citations)
    return "c" + hashlib.blake2b(f"{index}:{text}:{spans}".encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
