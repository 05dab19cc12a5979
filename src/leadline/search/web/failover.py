"""The first provider that answers; the others' reasons are kept apart by their types."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from leadline.errors import (
    LimitReached,
    ProviderDenied,
    ProviderFailed,
    ProviderLimited,
    ProviderUnavailable,
    ToolFailed,
)
from leadline.ports import Found, Query, Search
from leadline.resilience import Deadline


class Failover:
    """`Search` over providers in order: a failure leads to the next, an empty answer does not.

    Each gets an equal share of the time that is left. `told` hears of every failure at once, so
    that a key which expired is seen though the search went on.
    """

    def __init__(
        self, providers: Sequence[Search], *, name: str = "web", told: Callable[[str, ToolFailed], None] | None = None
    ) -> None:
        self._providers = tuple(providers)
        self._name = name
        self._told = told

    @property
    def name(self) -> str:
        """The chain's name; hits carry the provider's."""
        return self._name

    async def search(self, query: Query, *, deadline: float) -> Found:
        """See `ports.Search`.

        Raises, when none answered, `ProviderLimited` where waiting helps, `ProviderUnavailable`
        where trying again may, `ProviderDenied` where all refused us, else `ProviderFailed`.
        """
        left = Deadline(deadline)
        failures: list[tuple[str, ToolFailed]] = []
        for place, provider in enumerate(self._providers):
            share = left.left() / (len(self._providers) - place)
            try:
                return await provider.search(query, deadline=share)
            except ToolFailed as error:
                failures.append((provider.name, error))
                if self._told is not None:
                    self._told(provider.name, error)
        raise none_answered(failures)


def none_answered(failures: Sequence[tuple[str, ToolFailed]]) -> ProviderFailed:
    """Return the error of all together, by what helps: waiting, trying again, another key, nothing."""
    message = "no provider answered; " + "; ".join(f"{name}: {error}" for name, error in failures)
    errors = [error for _, error in failures]
    waits = [error.retry_after for error in errors if isinstance(error, ProviderLimited | LimitReached)]
    if waits:
        known = [wait for wait in waits if wait is not None]
        return ProviderLimited(message, retry_after=min(known, default=None))
    if any(error.retryable for error in errors):
        return ProviderUnavailable(message)
    if errors and all(isinstance(error, ProviderDenied) for error in errors):
        return ProviderDenied(message)
    return ProviderFailed(message)
