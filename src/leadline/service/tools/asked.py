"""What tools' services take, checked where it enters: unknown fields are refused, everything is bounded."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Line = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Asked(BaseModel):
    """What all requests share."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SearchAsked(Asked):
    """`POST /search` and `POST /scholar`: words, how many results at most, and filters."""

    query: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
    num_results: Annotated[int, Field(ge=1, le=100)] = 10
    filter_year: Annotated[int, Field(ge=1000, le=9999)] | None = None
    language: Language = "en"
    sites: Annotated[list[Line], Field(max_length=100)] = Field(default_factory=list)
    exclude: Annotated[list[Line], Field(max_length=100)] = Field(default_factory=list)
    since: Annotated[str, StringConstraints(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")] | None = None


class VisitAsked(Asked):
    """`POST /visit`: one address, and what is wanted of it.

    `have` are hashes of raw bytes that need not travel. `content` may be switched off by who
    chooses passages itself.
    """

    url: Annotated[str, StringConstraints(min_length=1, max_length=8_000)]
    goal: Annotated[str, StringConstraints(max_length=2_000)] = ""
    language: Language = "en"
    have: Annotated[list[Sha256], Field(max_length=1_000)] = Field(default_factory=list)
    content: bool = True


class PythonAsked(Asked):
    """`POST /python`: a program, files by name (base64), seconds; programs of one `session` share names and files."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=1 << 20)]
    files: Annotated[dict[Line, str], Field(max_length=100)] = Field(default_factory=dict)
    timeout: Annotated[float, Field(gt=0, le=600)] = 30.0
    session: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = None


class SummarizeAsked(Asked):
    """`POST /summarize`: a text, and what is wanted of it."""

    content: Annotated[str, StringConstraints(min_length=1, max_length=4_000_000)]
    goal: Annotated[str, StringConstraints(max_length=2_000)] = ""
    language: Language = "en"
