"""Corpora that tenants keep: documents by version, and how far each one's text is read.

A document's bytes and the text that was read of it are blobs of the tenant. All times are Unix
seconds. Whatever belongs to another tenant is as unknown as what never was: `UnknownObject`. All
methods raise `StoreUnavailable` or `StoreFull` when the store fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class DocumentState(StrEnum):
    """How far a document's text is read."""

    QUEUED = "queued"  # nobody reads it yet
    READING = "reading"  # a process reads it, or died over it a moment ago
    READY = "ready"  # it can be found
    FAILED = "failed"  # it gives no text; `code` and `reason` say why


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantCorpus:
    """A tenant's set of documents; each change makes a new `version`, and a run keeps to one."""

    id: str
    tenant: str
    name: str
    version: int
    created_at: float
    updated_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusDocument:
    """A document in a corpus. `blob` is the hash of its bytes, `size` counts them.

    `text` is the hash of what was read of it (a packed `Extracted`), `characters` counts its text in
    code points. `type` is what the bytes were taken for.
    """

    name: str
    blob: str
    size: int
    type: str
    added_at: float
    state: DocumentState = DocumentState.QUEUED
    text: str | None = None
    characters: int | None = None
    code: str | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """The documents of a corpus's newest version by state, and their bytes."""

    queued: int = 0
    reading: int = 0
    ready: int = 0
    failed: int = 0
    bytes: int = 0

    @property
    def documents(self) -> int:
        """How many there are."""
        return self.queued + self.reading + self.ready + self.failed

    @property
    def unread(self) -> int:
        """How many have still to be read."""
        return self.queued + self.reading


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What a tenant may keep in all its corpora, documents that wait to be forgotten included."""

    documents: int
    bytes: int


class TenantCorpora(Protocol):
    """Corpora of tenants, version by version."""

    async def create(self, tenant: str, *, name: str) -> TenantCorpus:
        """Make an empty corpus. Raises `AlreadyThere` for a name that the tenant has."""
        ...

    async def get(self, tenant: str, corpus_id: str) -> TenantCorpus:
        """Return a corpus. Raises `UnknownObject`."""
        ...

    async def list(self, tenant: str, *, after: str = "", limit: int = 1_000) -> Sequence[TenantCorpus]:
        """Return a tenant's corpora, by name, behind the name `after`."""
        ...

    async def check(self, tenant: str, corpus_id: str, document: CorpusDocument, *, room: Room) -> None:
        """Raise what `put` would, and change nothing: asked before the bytes are stored."""
        ...

    async def put(
        self, tenant: str, corpus_id: str, document: CorpusDocument, *, room: Room | None = None
    ) -> TenantCorpus:
        """Add a document, unread, or replace the one of its name.

        The same bytes again change nothing, unless they could not be read: then they are read
        again. Raises `InputError` for a name that is none, `WrongState` where `room` is used up.
        """
        ...

    async def document(self, tenant: str, corpus_id: str, name: str) -> CorpusDocument:
        """Return a document of the newest version. Raises `UnknownObject`."""
        ...

    async def remove(self, tenant: str, corpus_id: str, name: str) -> TenantCorpus:
        """Take a document out; older versions keep it until `forget`. Raises `UnknownObject`."""
        ...

    async def documents(
        self, tenant: str, corpus_id: str, *, version: int | None = None, after: str = "", limit: int = 1_000
    ) -> Sequence[CorpusDocument]:
        """Return the documents of a version (the newest without one), by name, behind `after`."""
        ...

    async def tally(self, tenant: str, corpora: Sequence[str]) -> Mapping[str, Tally]:
        """Return how far the newest version of each of these corpora is."""
        ...

    async def delete(self, tenant: str, corpus_id: str) -> None:
        """Forget a corpus and all its versions. Raises `UnknownObject`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """A document that a process holds to read it; `fence` is raised by each who takes it."""

    tenant: str
    corpus: str
    since: int
    document: CorpusDocument
    fence: int
    attempts: int


class Readings(Protocol):
    """The documents that are to be read, of all tenants; each is held by one process at a time."""

    async def claim(
        self, owner: str, *, lease: float, limit: int = 1, version: tuple[str, int] | None = None
    ) -> Sequence[Unread]:
        """Take documents that nobody reads, those first that wait longest, or only those of a corpus's `version`.

        One whose holder let the lease run out counts as an attempt and is given out again.
        """
        ...

    async def renew(self, unread: Unread, *, lease: float) -> None:
        """Hold it for `lease` seconds from now on. Raises `LeaseLost` where another holds it, or it is gone."""
        ...

    async def ready(self, unread: Unread, *, text: str, type: str, characters: int) -> None:
        """Record what was read. Raises `LeaseLost` where another holds it, or the document is gone."""
        ...

    async def failed(self, unread: Unread, *, code: str, reason: str) -> None:
        """Record that it gives no text. Raises `LeaseLost`."""
        ...

    async def hand_back(self, unread: Unread) -> None:
        """Let others read it at once; that is no attempt. Nothing happens where another holds it."""
        ...


class Leftovers(Protocol):
    """What was deleted and is still to be forgotten: rows of old versions, and bodies."""

    async def tenants(self) -> Sequence[str]:
        """Return the tenants that have any."""
        ...

    async def forget(self, tenant: str, oldest: Mapping[str, int]) -> int:
        """Forget the documents that only versions before `oldest` have; return how many rows that were.

        `oldest` names for each corpus the version below which nothing is needed any more.
        """
        ...

    async def blobs(self, tenant: str) -> frozenset[str]:
        """Return the hashes of all bodies that a tenant's corpora name."""
        ...

    async def swept(self, tenant: str, *, begun: float) -> None:
        """Record that no body is left of what was deleted before `begun` (Unix time)."""
        ...
