"""A canned web: queries to hits, addresses to texts, without any network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leadline.domain import Fetched, Hit, Source, sha256, source_id
from leadline.errors import NotFound, ToolError
from leadline.ports import Found, Query


class CannedSearch:
    """`Search` over a dictionary: the first key that occurs in the query, case aside, decides.

    A key `""` fits every query. A value is the hits, or an error to raise. `queries` are all that
    were asked.
    """

    def __init__(self, replies: Mapping[str, Sequence[Hit] | ToolError], *, name: str = "canned") -> None:
        self._replies = replies
        self._name = name
        self.queries: list[Query] = []

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._name

    async def search(self, query: Query, *, deadline: float) -> Found:
        """Return the hits that were put there, best first; none for an unknown query."""
        self.queries.append(query)
        asked = query.text.casefold()
        for key, reply in self._replies.items():
            if key.casefold() in asked:
                if isinstance(reply, ToolError):
                    raise reply
                return Found(hits=tuple(reply[: query.limit]))
        return Found(hits=())


class CannedReader:
    """`Reader` over a dictionary of texts, or errors to raise. `read_uris` are all that were asked."""

    def __init__(self, pages: Mapping[str, str | ToolError]) -> None:
        self._pages = pages
        self.read_uris: list[str] = []

    def reads(self, uri: str) -> bool:
        """Return whether the page was put there."""
        return uri in self._pages

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        """Return the page as a stored source. Raises `NotFound`."""
        self.read_uris.append(uri)
        page = self._pages.get(uri)
        if page is None:
            raise NotFound(f"no such page: {uri}")
        if isinstance(page, ToolError):
            raise page
        return fetched(uri, page)


def fetched(uri: str, text: str, *, title: str = "", provider: str = "canned") -> Fetched:
    """Return a plain text as a source would be stored."""
    raw = text.encode()
    digest = sha256(raw)
    source = Source(
        id=source_id(digest),
        uri=uri,
        sha256=digest,
        raw_sha256=digest,
        extractor="plain/1",
        content_type="text/plain",
        chars=len(text),
        title=title,
        provider=provider,
    )
    return Fetched(source=source, text=text, raw=raw)


def hit(uri: str, *, title: str = "", snippet: str = "", rank: int = 1) -> Hit:
    """Return a hit of the canned search."""
    return Hit(uri=uri, title=title or uri, snippet=snippet, provider="canned", rank=rank)
