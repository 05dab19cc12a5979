"""What the local corpus takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol

from leadline.extract.types import Extracted

# What of a query is looked at: a longer one costs time and finds nothing better.
MOST_QUERY: Final = 2_000


class FailedFile(NamedTuple):
    """A document that gives no text: what it is called, an error's `code`, and why."""

    name: str
    code: str
    reason: str

    @property
    def why(self) -> str:
        """The reason, without the document's name where it begins with that."""
        called, _, rest = self.reason.removeprefix("`").partition("` ")
        return rest if rest and self.reason.startswith("`") and self.name.endswith(called) else self.reason


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexProgress:
    """How far a refresh is: how many were found, how many are done with, the last of these.

    `what` is counted: documents as they are read, then passages as they are embedded, where an
    embedding endpoint is set; of these `name` is the model.
    """

    found: int
    done: int
    name: str
    what: Literal["documents", "passages"] = "documents"


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexReport:
    """What a refresh found, in documents.

    `skipped` counts, by reason, what the walk passes over on purpose. `failed` names every
    document that gives no text, also those known from before; they are in no other count.
    `documents` and `bytes` are what can be searched now. `seconds` is the time it took, waiting
    for another process included.

    Where an embedding endpoint is set, `embedded` counts the passages that got a vector now and
    `pending` those without one still: the next refresh goes on with them. `warnings` are lines
    for a person about what went wrong and did no harm to the index.
    """

    added: int
    changed: int
    removed: int
    unchanged: int
    skipped: Mapping[str, int] = field(default_factory=dict)
    failed: tuple[FailedFile, ...] = ()
    documents: int = 0
    bytes: int = 0
    seconds: float = 0.0
    embedded: int = 0
    pending: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbedLimits:
    """What one refresh may spend on vectors: texts a request, seconds, tokens (estimated)."""

    batch: int = 64
    seconds: float = 60.0
    tokens: int = 2_000_000


class Near(NamedTuple):
    """A passage whose vector lies near a question's, by its row in the index."""

    passage: int
    text_id: int
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A stretch of a document's stored text that matches: `text` is `stored[start:end]`.

    `score` is BM25, or reciprocal rank where vectors had a part; larger is better, comparable
    within one reply only. `source_id` is the id of the source that the document is read as.
    """

    uri: str
    source_id: str
    title: str
    start: int
    end: int
    score: float
    text: str


class Parser(Protocol):
    """Turns the bytes of a document into text; `leadline.extract.children.ExtractPool` does."""

    async def extract(self, source: bytes, /, *, name: str | None = None) -> Extracted:
        """Return the text. Raises `ExtractError`."""
        ...
