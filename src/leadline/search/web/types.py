"""What a provider of web search is: a request, how to read its reply, what it cannot filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Protocol

from leadline.errors import ProviderFailed
from leadline.ports import Query
from leadline.search.web.places import Place
from leadline.wire.http import Reply, Request


class Item(NamedTuple):
    """One result as a provider tells it; `published` is in its own words."""

    uri: str
    title: str
    snippet: str
    published: object = None


class Ask(NamedTuple):
    """What is asked of a provider: the query, where to look, with which key, and the first day allowed.

    `first` and `last` are ISO dates made of the query's year and since.
    """

    query: Query
    place: Place
    key: str | None
    first: str | None
    last: str | None


class Provider(Protocol):
    """One web search service, pure."""

    name: ClassVar[str]
    rate: ClassVar[float]
    """Requests a second that it allows by default."""
    ignores: ClassVar[frozenset[str]]
    """Filters that it cannot be sent: `sites`, `exclude`, `since`, `year`."""

    def request(self, ask: Ask) -> Request:
        """Return the request that asks for it, with all filters it knows."""
        ...

    def read(self, reply: Reply) -> Sequence[Item]:
        """Return its results, best first. Raises `ProviderBroken`."""
        ...

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """Return what a reply means as a failure, `None` for a good one."""
        ...


def with_sites(query: Query) -> str:
    """Return the query with the operators that most engines know for sites."""
    parts = [query.text.strip()]
    if len(query.sites) == 1:
        parts.append(f"site:{query.sites[0]}")
    elif query.sites:
        parts.append("(" + " OR ".join(f"site:{site}" for site in query.sites) + ")")
    parts += [f"-site:{site}" for site in query.exclude]
    return " ".join(parts)
