"""What a query's filters mean, for whoever sends them."""

from __future__ import annotations

from leadline.ports import Query


def days_of(query: Query) -> tuple[str | None, str | None]:
    """Return the first and the last day that a query allows, as ISO dates."""
    if query.year is None:
        return query.since, None
    first = f"{query.year:04}-01-01"
    return max(first, query.since or first), f"{query.year:04}-12-31"


def asked_filters(query: Query) -> frozenset[str]:
    """Return the names of the filters that a query makes use of."""
    asked = {"sites": query.sites, "exclude": query.exclude, "since": query.since, "year": query.year}
    return frozenset(name for name, value in asked.items() if value)
