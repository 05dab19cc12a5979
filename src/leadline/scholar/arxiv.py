"""arXiv: preprints, as Atom (export.arxiv.org); one request in three seconds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from leadline.errors import BrokenDocument, ProviderBroken, ProviderFailed
from leadline.extract.safexml import xml_events
from leadline.scholar.types import Ask, abstract, plain, year_of
from leadline.wire.http import Reply, Request
from leadline.wire.papers import Paper, arxiv_of, doi_of
from leadline.wire.service import failure_of

_WORD: Final = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*")
_MOST_WORDS: Final = 20
_ERRORS: Final = "arxiv.org/api/errors"


class Arxiv:
    """GET /api/query; every word must occur somewhere in the record."""

    name: ClassVar[str] = "arxiv"
    rate: ClassVar[float] = 1 / 3
    ignores: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, base_url: str = "https://export.arxiv.org") -> None:
        self._base_url = base_url.rstrip("/")

    def request(self, ask: Ask) -> Request:
        """See `Source.request`."""
        words = _WORD.findall(ask.query.text)[:_MOST_WORDS] or [ask.query.text]
        search = " AND ".join(f'all:"{word}"' for word in words)
        if ask.first or ask.last:
            first, last = ((day or open_end).replace("-", "") for day, open_end in _ends(ask))
            search += f" AND submittedDate:[{first}0000 TO {last}2359]"
        params = {
            "search_query": search,
            "start": "0",
            "max_results": str(min(100, ask.query.limit)),
            "sortBy": "relevance",
        }
        return Request(url=f"{self._base_url}/api/query", params=params)

    def read(self, reply: Reply) -> Sequence[Paper]:
        """See `Source.read`; an error comes as an entry of its own."""
        try:
            entries = list(_entries(reply.body))
        except BrokenDocument as error:
            raise ProviderBroken(f"`{self.name}` answered no Atom feed") from error
        if any(_ERRORS in entry.get("id", [""])[0] for entry in entries):
            raise ProviderBroken(f"`{self.name}` does not take the query")
        return [paper for entry in entries if (paper := self._paper(entry)) is not None]

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """See `Source.failure`."""
        return failure_of(self.name, reply)

    def _paper(self, entry: dict[str, list[str]]) -> Paper | None:
        def first(name: str) -> str:
            return next(iter(entry.get(name, [])), "")

        id = arxiv_of(first("id"))
        if id is None:
            return None
        return Paper(
            title=plain(first("title")),
            uri=f"https://arxiv.org/abs/{id}",
            authors=tuple(filter(None, (plain(name) for name in entry.get("name", [])))),
            year=year_of(first("published")[:4]),
            published=first("published")[:10] or None,
            venue=plain(first("journal_ref")) or "arXiv",
            abstract=abstract(first("summary")),
            doi=doi_of(first("doi")),
            arxiv=id,
            pdf=f"https://arxiv.org/pdf/{id}",
            providers=(self.name,),
        )


def _ends(ask: Ask) -> tuple[tuple[str | None, str], tuple[str | None, str]]:
    return (ask.first, "1991-01-01"), (ask.last, "2999-12-31")


def _entries(body: bytes) -> Iterator[dict[str, list[str]]]:
    """Yield each entry's texts by the local names of their elements, in order."""
    entry: dict[str, list[str]] | None = None
    text: list[str] = []
    seen_feed = False
    for event in xml_events([body]):
        name = event.name.rpartition(":")[2]
        if event.kind == "text":
            text.append(event.name)
        elif event.kind == "start":
            seen_feed = seen_feed or name == "feed"
            text = []
            if name == "entry":
                entry = {}
        elif name == "entry" and entry is not None:
            yield entry
            entry = None
        elif entry is not None:
            entry.setdefault(name, []).append("".join(text).strip())
            text = []
    if not seen_feed:
        raise BrokenDocument("no feed")
