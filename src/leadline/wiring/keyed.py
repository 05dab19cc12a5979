"""Searching, reading and works with a tenant's own keys where it has some, else with the operator's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from leadline.domain import Fetched
from leadline.errors import LimitReached, ProviderDenied, ProviderLimited
from leadline.ports import Found, Query, Reader, Search
from leadline.resilience import Deadline
from leadline.wire.own_keys import OwnKeys, Owns
from leadline.wire.papers import Listed, Papers, Scholar, Works


@dataclass(frozen=True, kw_only=True, slots=True)
class Whose:
    """The tenant whose keys are looked up at each call, and by which names."""

    tenant: str
    owns: Owns
    names: Collection[str]

    async def keys(self, *, deadline: float) -> OwnKeys:
        """Return the tenant's keys of these names. Raises `ProviderUnavailable`."""
        return (await self.owns.of(self.tenant, deadline=deadline)).among(self.names)


class KeyedSearch:
    """`Search`: `usual`, or what `keyed` makes of the tenant's own keys."""

    def __init__(self, usual: Search, whose: Whose, keyed: Callable[[OwnKeys], Awaitable[Search]]) -> None:
        self._usual = usual
        self._whose = whose
        self._keyed = keyed

    @property
    def name(self) -> str:
        """See `ports.Search`."""
        return self._usual.name

    async def search(self, query: Query, *, deadline: float) -> Found:
        """See `ports.Search`."""
        left = Deadline(deadline)
        keys = await self._whose.keys(deadline=deadline)
        search = await self._keyed(keys) if keys else self._usual
        return await search.search(query, deadline=left.left())


class KeyedReader:
    """`Reader`: `usual`, or what `keyed` makes of the tenant's own keys."""

    def __init__(self, usual: Reader, whose: Whose, keyed: Callable[[OwnKeys], Reader]) -> None:
        self._usual = usual
        self._whose = whose
        self._keyed = keyed

    def reads(self, uri: str) -> bool:
        """See `ports.Reader`."""
        return self._usual.reads(uri)

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        """See `ports.Reader`."""
        left = Deadline(deadline)
        keys = await self._whose.keys(deadline=deadline)
        reader = self._keyed(keys) if keys else self._usual
        return await reader.read(uri, deadline=left.left())


class KeyedScholar:
    """`Scholar`: `usual`, or what `keyed` makes of the tenant's own keys."""

    def __init__(self, usual: Scholar, whose: Whose, keyed: Callable[[OwnKeys], Awaitable[Scholar]]) -> None:
        self._usual = usual
        self._whose = whose
        self._keyed = keyed

    async def papers(self, query: Query, *, deadline: float) -> Papers:
        """See `Scholar.papers`."""
        left = Deadline(deadline)
        keys = await self._whose.keys(deadline=deadline)
        scholar = await self._keyed(keys) if keys else self._usual
        return await scholar.papers(query, deadline=left.left())


class OwnSearch:
    """One provider with a tenant's own key. That this key must wait is no verdict on the tool, which is everybody's."""

    def __init__(self, search: Search) -> None:
        self._search = search

    @property
    def name(self) -> str:
        """See `ports.Search`."""
        return self._search.name

    async def search(self, query: Query, *, deadline: float) -> Found:
        """See `ports.Search`."""
        try:
            return await self._search.search(query, deadline=deadline)
        except (ProviderLimited, LimitReached) as error:
            raise _waits(self.name, error) from error


class OwnWorks:
    """One service of works with a tenant's own key; see `OwnSearch`."""

    def __init__(self, works: Works) -> None:
        self._works = works

    @property
    def name(self) -> str:
        """See `Works`."""
        return self._works.name

    def ignored(self, query: Query) -> frozenset[str]:
        """See `Works.ignored`."""
        return self._works.ignored(query)

    async def papers(self, query: Query, *, deadline: float) -> Listed:
        """See `Works.papers`."""
        try:
            return await self._works.papers(query, deadline=deadline)
        except (ProviderLimited, LimitReached) as error:
            raise _waits(self.name, error) from error


class RefusedSearch:
    """Stands for a provider whose key cannot be used."""

    def __init__(self, name: str, why: ProviderDenied) -> None:
        self._why = why
        self.name = name

    async def search(self, query: Query, *, deadline: float) -> Found:
        """Raise why."""
        del query, deadline
        raise ProviderDenied(str(self._why)) from self._why


class RefusedWorks:
    """Stands for a service of works whose key cannot be used."""

    def __init__(self, name: str, why: ProviderDenied) -> None:
        self._why = why
        self.name = name

    def ignored(self, query: Query) -> frozenset[str]:
        """See `Works.ignored`."""
        del query
        return frozenset()

    async def papers(self, query: Query, *, deadline: float) -> Listed:
        """Raise why."""
        del query, deadline
        raise ProviderDenied(str(self._why)) from self._why


def no_key(does: str) -> ProviderDenied:
    """Return why nothing serves a tenant: each service that is set needs a key, and it keeps none."""
    return ProviderDenied(f"no service {does} for this tenant: each needs a key, and it keeps none")


def _waits(name: str, error: ProviderLimited | LimitReached) -> ProviderDenied:
    wait = "" if error.retry_after is None else f" for {error.retry_after:.3g} s"
    return ProviderDenied(f"the tenant's own key at `{name}` must wait{wait}")
