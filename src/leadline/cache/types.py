"""What is cached for how long, what an entry is, and what a store of entries must do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol


class Category(StrEnum):
    """Kinds of answers; each has its own times and can be invalidated by itself."""

    SEARCH = "search"
    PAGE = "page"  # a page as it was fetched, by canonical address
    PASSAGES = "passages"  # what was made of a page, by its content's hash, goal and model
    SCHOLAR = "scholar"
    OTHER = "other"  # anything else: robots.txt files


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Seconds from the load. Until `soft` an entry is fresh.

    Until `revalidate` it is still served at once while one caller loads it anew in the
    background; until `hard` it is served only where loading fails (RFC 5861). `negative` is for
    "there is nothing": it counts as fresh that long and is gone then.
    """

    soft: float
    revalidate: float
    hard: float
    negative: float = 45.0


POLICIES: Final[Mapping[Category, Policy]] = MappingProxyType(
    {
        Category.SEARCH: Policy(soft=900, revalidate=1_800, hard=86_400),
        Category.PAGE: Policy(soft=3_600, revalidate=7_200, hard=86_400),
        Category.PASSAGES: Policy(soft=3_600, revalidate=7_200, hard=86_400),
        Category.SCHOLAR: Policy(soft=86_400, revalidate=172_800, hard=604_800),
        Category.OTHER: Policy(soft=3_600, revalidate=7_200, hard=86_400),
    }
)


class Entry(NamedTuple):
    """A stored answer. Times are Unix seconds; `etag` is what its loader needs for a conditional request."""

    body: bytes
    stored_at: float
    soft: float
    revalidate: float
    hard: float
    negative: bool = False
    etag: str = ""


class Loaded(NamedTuple):
    """What a load brought. `negative` means that there is nothing, which is an answer as well.

    Without `keep` it is for those who wait for it now, and is stored nowhere.
    """

    body: bytes
    negative: bool = False
    etag: str = ""
    keep: bool = True


class Origin(StrEnum):
    """Where an answer came from."""

    MEMORY = "memory"
    STORE = "store"
    LOAD = "load"


class Cached(NamedTuple):
    """An answer. `stale` means that it is older than it should be: a new one is being loaded or could not be."""

    body: bytes
    origin: Origin
    stored_at: float
    negative: bool
    etag: str
    stale: bool


Told = Callable[[Category, Cached], None]
"""Hears of an answer, and where it came from: for counts, never for what a run does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """What another process changed: entries that went or were replaced, a namespace's version, or who knows."""

    keys: tuple[str, ...] = ()
    namespace: str | None = None
    version: int = 0
    everything: bool = False


Heard = Callable[[News], None]


class Entries(Protocol):
    """Entries by key, of which any may be gone at any time. Raises `StoreUnavailable`, `StoreFull`."""

    async def get(self, key: str) -> Entry | None:
        """Return the entry unless its hard time is over."""
        ...

    async def put(self, key: str, entry: Entry, *, label: str, tell: bool = False) -> None:
        """Store it. `label` is what a person calls it, for `find`; `tell` others to forget theirs."""
        ...

    async def drop(self, keys: Sequence[str]) -> int:
        """Forget entries, tell others, and return how many there were."""
        ...

    async def find(self, pattern: str) -> Sequence[str]:
        """Return the keys whose label fits `pattern`; slow, for a person's command.

        In a pattern `*` stands for any characters, everything else for itself.
        """
        ...

    async def usage(self) -> StoreUsage:
        """Return what is held."""
        ...


class Versions(Protocol):
    """A number for each namespace that is part of its keys, and news between processes."""

    @property
    def recheck(self) -> float:
        """Seconds after which a version that is known must be asked for again."""
        ...

    async def version(self, namespace: str) -> int:
        """Return the namespace's version; one that was lost never comes back as an older one."""
        ...

    async def bump(self, namespace: str) -> int:
        """Raise it, tell others, and return the new one."""
        ...

    async def look(self) -> None:
        """Hear of what others changed, where the store does not tell by itself."""
        ...

    def listen(self, heard: Heard) -> None:
        """Let `heard` be called with each piece of news of other processes."""
        ...


class Leases(Protocol):
    """One loader of a key over all processes."""

    async def lease(self, key: str, token: str, *, seconds: float) -> bool:
        """Return whether `token` may load `key`; for `seconds` from now on nobody else may.

        Whoever has the lease renews it by asking again.
        """
        ...

    async def release(self, key: str, token: str) -> None:
        """Let others load `key`, if the lease is still `token`'s."""
        ...


class Store(Entries, Versions, Leases, Protocol):
    """A second level that several processes may share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreUsage:
    """How much a store or a level holds."""

    entries: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Stats:
    """Counts since the start. `away` are questions that the store did not answer."""

    memory_hits: int = 0
    store_hits: int = 0
    loads: int = 0
    waited: int = 0
    stale_served: int = 0
    stale_on_error: int = 0
    refreshes: int = 0
    failures: int = 0
    away: int = 0
    memory: StoreUsage = StoreUsage(entries=0, bytes=0)
