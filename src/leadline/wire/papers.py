"""A scholarly work as services tell it, what makes two of them one, and the port that finds some."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from unicodedata import normalize
from urllib.parse import unquote

from leadline.errors import ToolFailed
from leadline.ports import Query

_DOI: Final = re.compile(r"10\.\d{4,9}/\S+")
_ARXIV: Final = re.compile(
    r"(?:arxiv[.:/]\s*|arxiv\.org/(?:abs|pdf|html)/)((?:\d{4}\.\d{4,5})|(?:[a-z-]+(?:\.[A-Z]{2})?/\d{7}))",
    re.IGNORECASE,
)
_BARE_ARXIV: Final = re.compile(r"(\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?")
_MOST_DOI: Final = 200
_NO_WORD: Final = re.compile(r"[\W_]+")
# Shorter titles ("Editorial", "Introduction") do not tell works apart.
_TELLING_TITLE: Final = 18


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """A scholarly work. `uri` is its page; `pdf` is full text that anybody may read, where one is known.

    `doi` is in lower case and bare, `arxiv` bare and without version; `citations` counts works
    that cite it; `published` is an ISO date as precise as it is known; `providers` told of it.
    """

    title: str
    uri: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    published: str | None = None
    venue: str = ""
    abstract: str = ""
    citations: int | None = None
    doi: str | None = None
    arxiv: str | None = None
    pdf: str | None = None
    providers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """The reply of one service; `usd` is what it cost in US dollars, nothing where it came from a cache."""

    papers: tuple[Paper, ...] = ()
    usd: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Papers:
    """The reply to a query; `failures` are the services that gave none, `ignored` the filters not honoured.

    `usd` is what all of it cost in US dollars.
    """

    papers: tuple[Paper, ...]
    ignored: tuple[str, ...] = ()
    failures: tuple[tuple[str, ToolFailed], ...] = ()
    usd: float = 0.0


class Works(Protocol):
    """One service of scholarly metadata."""

    @property
    def name(self) -> str:
        """The service's name, as papers carry it."""
        ...

    def ignored(self, query: Query) -> frozenset[str]:
        """Return the filters of a query that cannot be sent."""
        ...

    async def papers(self, query: Query, *, deadline: float) -> Listed:
        """Return works, best first. Raises `ToolFailed`."""
        ...


class Copies(Protocol):
    """Works to copies that anybody may read."""

    async def pdf(self, doi: str, *, deadline: float) -> str | None:
        """Return the address of a copy, `None` where there is none. Raises `ToolFailed`."""
        ...


class Scholar(Protocol):
    """Queries to scholarly works."""

    async def papers(self, query: Query, *, deadline: float) -> Papers:
        """Return works, best first. Raises `ToolFailed` when no service answered."""
        ...


def doi_of(text: object) -> str | None:
    """Return the bare DOI that a text, an address or a DOI names."""
    found = _DOI.search(unquote(text)[:_MOST_DOI]) if isinstance(text, str) else None
    return found[0].rstrip(".,;)]}>\"'").lower() if found else None


def arxiv_of(text: object) -> str | None:
    """Return the bare arXiv id, without version, that an address, an id or a DOI of arXiv names."""
    if not isinstance(text, str):
        return None
    bare = _BARE_ARXIV.fullmatch(text.strip())
    if bare:
        return bare[1]
    found = _ARXIV.search(unquote(text))
    return found[1] if found else None


def title_key(title: str) -> str | None:
    """Return what equal titles share however they are written; `None` for one that tells too little."""
    key = _NO_WORD.sub("", normalize("NFKC", title).casefold())
    return key if len(key.encode()) >= _TELLING_TITLE else None


def keys_of(paper: Paper) -> Sequence[str]:
    """Return by what a work is known: DOI, arXiv id, title with year."""
    keys = []
    if paper.doi:
        keys.append(f"doi:{paper.doi}")
    if paper.arxiv:
        keys.append(f"arxiv:{paper.arxiv}")
    title = title_key(paper.title)
    if title:
        keys.append(f"title:{title}")
    return keys
