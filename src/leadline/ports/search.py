"""Queries to hits, addresses to stored texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from leadline.domain import (
    Fetched,
    Hit,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A search: words, how many hits at most, and filters that a provider may or may not honour."""

    text: str
    limit: int = 10
    language: str = "en"
    sites: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    since: str | None = None
    year: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unanswered:
    """A service that gave no answer beside others that did: its error's code and message."""

    provider: str
    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The reply to a query; no hits means that there is nothing, never that something failed.

    `ignored` names filters that the provider could not honour, and `vectors` where only words could be asked.
    `failures` are services of several that were asked and gave nothing, with nobody in their place. `usd` is what
    the reply cost in US dollars, nothing where it came from a cache.
    """

    hits: tuple[Hit, ...]
    ignored: tuple[str, ...] = ()
    failures: tuple[Unanswered, ...] = ()
    usd: float = 0.0


class Search(Protocol):
    """Queries to hits: a web provider or a local corpus."""

    @property
    def name(self) -> str:
        """The provider's name, as hits carry it."""
        ...

    async def search(self, query: Query, *, deadline: float) -> Found:
        """Return hits, best first. Raises `ToolFailed`."""
        ...


class Reader(Protocol):
    """An address to its stored text."""

    def reads(self, uri: str) -> bool:
        """Return whether this reader is the one for `uri`."""
        ...

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        """Return the source. Raises `NotFound`, `ToolFailed`."""
        ...


class Documents(Protocol):
    """Documents by name, as people call them."""

    async def named(self, name: str, *, limit: int, deadline: float) -> Sequence[str]:
        """Return the addresses of the documents that have this name, path's end or address, readable or not.

        Those that are written so come before those that differ in case. Raises `ToolFailed`.
        """
        ...

    async def names(self, *, limit: int, deadline: float) -> Sequence[str]:
        """Return the names of the first documents, without folders. Raises `ToolFailed`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class PageRead:
    """A page of the web as it was read, with what a cache must know.

    `mark` is opaque to all but its reader: with it the reader asks whether the page is still the
    same; empty where that cannot be asked. `shared` is false for a page that depends on the
    operator's own headers, or whose host wants it kept nowhere: nobody else may be given it.
    """

    fetched: Fetched
    mark: str = ""
    shared: bool = True


class Pages(Reader, Protocol):
    """A reader of pages that can ask whether a page has changed."""

    async def page(self, uri: str, *, deadline: float, mark: str = "") -> PageRead | None:
        """Return the page; `None` where it is still what it was when `mark` was given. Raises as `read` does."""
        ...
