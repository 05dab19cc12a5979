"""What a tool's call and its answer say of the research: queries asked, pages read. Pure.

The shapes are those of the tools `search` and `visit` (of `parse_file` too); anything else counts as nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from leadline.domain import Json
from leadline.events import ToolAnswered, ToolAsked

SEARCH: Final = "search"
READING: Final = frozenset({"visit", "parse_file"})


def queries_of(asked: ToolAsked) -> Iterator[str]:
    """Yield what a call searches for, white space and letter case folded."""
    if asked.tool != SEARCH:
        return
    query = asked.arguments.get("query")
    for text in query if isinstance(query, list) else [query]:
        if isinstance(text, str):
            yield " ".join(text.casefold().split())


def searches_of(answered: ToolAnswered) -> Iterator[str]:
    """Yield `found`, `empty` or `failed` for each query that was answered."""
    if answered.tool != SEARCH:
        return
    if answered.failure is not None:
        yield "failed"
    for result in _objects(answered.value, "results"):
        if result.get("hits"):
            yield "found"
        else:
            yield "failed" if result.get("failures") else "empty"


def fetches_of(answered: ToolAnswered) -> Iterator[str]:
    """Yield `read`, or the code of what went wrong, for each page that was asked for."""
    if answered.tool not in READING:
        return
    if answered.failure is not None:
        yield answered.failure.code
    for page in _objects(answered.value, "pages"):
        failure = page.get("failure")
        yield str(failure.get("code")) if isinstance(failure, dict) else "read"


def _objects(value: Json, name: str) -> Iterator[dict[str, Json]]:
    items = value.get(name) if isinstance(value, dict) else None
    yield from (item for item in (items if isinstance(items, list) else []) if isinstance(item, dict))
