"""What is found: sources as they were stored, and spans of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """From `start` on, the stored text lies at `label` (`page 12`, `heading: Installation`)."""

    start: int
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A document or page as it was stored.

    `id` derives from `sha256`, the hash of the stored text (UTF-8); `raw_sha256` is that of the
    bytes it was extracted from by `extractor` (name/version). `also` are further addresses of the
    same text. `fetched_at` is UTC, ISO 8601. `marks` are locators, by start.
    """

    id: str
    uri: str
    sha256: str
    raw_sha256: str
    extractor: str
    content_type: str
    chars: int
    title: str = ""
    authors: tuple[str, ...] = ()
    published: str | None = None
    language: str | None = None
    fetched_at: str = ""
    final_uri: str | None = None
    provider: str = ""
    truncated: bool = False
    also: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Excerpt:
    """A span of a source's stored text; `id` derives from source and span."""

    id: str
    source_id: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """One search result. `uri` can be visited; `score` orders hits of one reply only."""

    uri: str
    title: str
    snippet: str
    provider: str
    rank: int
    score: float = 0.0
    published: str | None = None
