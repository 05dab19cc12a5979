"""What a service tells, as values. Times are UTC, ISO 8601, as the service writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leadline.domain import Failure, Json, RunState, Source, Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class RunView:
    """A run. `asks` is what one that waits wants to know, where it was looked at alone."""

    id: str
    state: RunState
    question: str
    language: str
    strategy: str
    created_at: str
    updated_at: str
    usage: Usage
    web: bool = False
    corpora: tuple[str, ...] = ()
    continues: str | None = None
    last_event: int = 0
    flag: str | None = None
    waits_for: str | None = None
    asks: Mapping[str, Json] | None = None
    stop_reason: str | None = None
    failure: Failure | None = None
    has_report: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RunsPage:
    """Some runs, newest first; `next` is the cursor of what follows, `None` after the last."""

    items: tuple[RunView, ...]
    next: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A piece of a source's text that a claim rests on; offsets count Unicode code points."""

    claim_id: str
    claim: str
    verdict: str
    start: int
    end: int
    locator: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceText:
    """A source as it was stored, and what of it claims rest on."""

    source: Source
    text: str
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyView:
    """A key without its secret."""

    id: str
    name: str
    role: str
    created_at: str
    made_by: str = ""
    scopes: tuple[str, ...] | None = None
    expires_at: str | None = None
    last_used_at: str | None = None
    revoked_at: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeKey:
    """A key that was just made; `credential` is told this once."""

    key: KeyView
    credential: str

    def __repr__(self) -> str:
        return f"MadeKey(key={self.key!r}, credential='********')"


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusView:
    """A set of documents at a service, and how many of its newest version are how far."""

    id: str
    name: str
    version: int
    created_at: str
    updated_at: str
    documents: int = 0
    bytes: int = 0
    queued: int = 0
    reading: int = 0
    ready: int = 0
    failed: int = 0

    @property
    def unread(self) -> int:
        """How many documents have still to be read."""
        return self.queued + self.reading


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentView:
    """A document of a corpus. `state` is `queued`, `reading`, `ready` or `failed`, then with `code` and `reason`."""

    name: str
    sha256: str
    size: int
    type: str
    added_at: str
    state: str
    characters: int | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Synced:
    """What bringing a corpus up to date with files did: names that were sent, that were there, that were removed.

    `refused` are names that the service does not take, with its reason.
    """

    sent: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
