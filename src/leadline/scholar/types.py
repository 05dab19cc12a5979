"""What a service of scholarly metadata is: a request and how to read its reply, both pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from typing import Any, ClassVar, Final, NamedTuple, Protocol

from leadline.errors import ProviderFailed
from leadline.ports import Query
from leadline.wire.http import Reply, Request
from leadline.wire.papers import Paper

_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_MOST_ABSTRACT: Final = 6_000
_MOST_TEXT: Final = 1_000
_MOST_AUTHORS: Final = 100


class Ask(NamedTuple):
    """What is asked of a service; `first` and `last` are ISO dates made of the query's year and since."""

    query: Query
    key: str | None
    first: str | None
    last: str | None


class Source(Protocol):
    """One service, pure."""

    name: ClassVar[str]
    rate: ClassVar[float]
    """Requests a second that it allows by default."""
    ignores: ClassVar[frozenset[str]]
    """Filters that it cannot be sent: `since`, `year`."""

    def request(self, ask: Ask) -> Request:
        """Return the request that asks for it."""
        ...

    def read(self, reply: Reply) -> Sequence[Paper]:
        """Return its works, best first. Raises `ProviderBroken`."""
        ...

    def failure(self, reply: Reply) -> ProviderFailed | None:
        """Return what a reply means as a failure, `None` for a good one."""
        ...


def plain(value: object, *, limit: int = _MOST_TEXT) -> str:
    """Return a text on one line, without the tags and entities that publishers leave in titles and abstracts."""
    text = value if isinstance(value, str) else ""
    return " ".join(unescape(_TAG.sub(" ", text[: 2 * limit])).split())[:limit]


def abstract(value: object) -> str:
    """Return an abstract, plain."""
    return plain(value, limit=_MOST_ABSTRACT).removeprefix("Abstract ")


def names(values: object, key: str) -> tuple[str, ...]:
    """Return the texts under `key` of a list of objects; what is missing is passed over."""
    items = values if isinstance(values, list) else []
    found = (plain(item.get(key)) for item in items[:_MOST_AUTHORS] if isinstance(item, dict))
    return tuple(name for name in found if name)


def within(value: object, *path: str) -> Any:  # noqa: ANN401 a JSON tree has no narrower type
    """Return what lies at a path of objects, `None` where there is nothing."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def whole(value: object) -> int | None:
    """Return a whole number that is not negative, `None` for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:12])
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def year_of(value: object) -> int | None:
    """Return a year that can be one."""
    year = whole(value)
    return year if year is not None and 1000 <= year <= 2999 else None


def web(value: object) -> str | None:
    """Return an address of the web, `None` for anything else."""
    text = value.strip() if isinstance(value, str) else ""
    return text if text.lower().startswith(("http://", "https://")) else None
