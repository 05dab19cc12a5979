"""What the service takes and gives of corpora and their documents."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints

from leadline.service.shapes import Given, Taken

CorpusName: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
StateName: TypeAlias = Literal["queued", "reading", "ready", "failed"]


class CorpusTaken(Taken):
    """A corpus to be made."""

    name: CorpusName


class CorpusShown(Given):
    """A set of documents. Times are UTC, ISO 8601."""

    id: str
    name: str
    version: int = Field(description="Raised by each change; a run searches the version that there was at its start.")
    created_at: str
    updated_at: str
    documents: int
    bytes: int
    queued: int = Field(description="Documents that nobody reads yet.")
    reading: int
    ready: int = Field(description="Documents that can be found.")
    failed: int = Field(description="Documents that give no text; each says why.")


class DocumentShown(Given):
    """A document of a corpus. Times are UTC, ISO 8601."""

    name: str
    sha256: str = Field(description="Hash of the bytes.")
    size: int = Field(description="In bytes.")
    type: str = Field(description="What the bytes are, by themselves; not what was said of them.")
    added_at: str
    state: StateName
    characters: int | None = Field(description="Unicode code points of the text that was read.")
    code: str | None = Field(description="Why it gives no text: a stable name.")
    reason: str | None = Field(description="The same for people.")
