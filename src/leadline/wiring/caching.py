"""What a person asks of the cache: how much is in it, and to forget."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from leadline.errors import SettingsError
from leadline.resilience import SystemClock
from leadline.settings import Settings
from leadline.wiring.folders import data_folder
from leadline.wiring.outgoing import Outgoing

if TYPE_CHECKING:
    from leadline.cache.types import Store


class Space(NamedTuple):
    """What is forgotten together: a category's answers of one owner, `public` or a tenant as keys name it."""

    owner: str
    category: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheFigures:
    """What the store behind the cache holds: answers that can be had, whole and by space.

    `bytes` are those of the file or, where that is a Redis, of the whole server.
    """

    place: str
    entries: int
    bytes: int
    spaces: Mapping[Space, int]


async def cache_figures(settings: Settings) -> CacheFigures:
    """Return what the cache holds. Raises `SettingsError` where it is off, `StoreError`."""
    async with _opened(settings) as store:
        usage = await store.usage()
        spaces = await _reachable(store, await store.find("*"))
        return CacheFigures(place=str(settings.cache), entries=sum(spaces.values()), bytes=usage.bytes, spaces=spaces)


async def forget_answers(settings: Settings, *, category: str | None = None, tenant: str | None = None) -> int:
    """Make the answers of a category, an owner or both unreachable in every process; return how many spaces.

    Raises `SettingsError` where the cache is off, `StoreError`.
    """
    from leadline.cache.keys import namespace  # noqa: PLC0415 only where there is a cache
    from leadline.cache.types import Category  # noqa: PLC0415 as above

    async with _opened(settings) as store:
        known = {key.rsplit(":", 2)[0] for key in await store.find("*")}
        if tenant is None:
            # A process may hold in memory what the store has lost: public answers go whether any are stored or not.
            known |= {namespace(each, tenant=None) for each in Category}
            spaces = known
        else:
            spaces = {namespace(each, tenant=tenant) for each in Category}
        wanted = sorted(space for space in spaces if category is None or space.rsplit(":", 1)[1] == category)
        for space in wanted:
            await store.bump(space)
        return len(known & set(wanted))


async def forget_matching(settings: Settings, pattern: str) -> int:
    """Forget the answers whose query or address fits `pattern`, where `*` stands for anything; return how many.

    Raises `SettingsError` where the cache is off, `StoreError`.
    """
    async with _opened(settings) as store:
        keys = await store.find(pattern)
        count = sum((await _reachable(store, keys)).values())
        await store.drop(keys)
        return count


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Store]:
    folder = await asyncio.to_thread(data_folder, settings)
    async with Outgoing(settings, clock=SystemClock(), folder=folder) as outgoing:
        store = await outgoing.store()
        if store is None:
            raise SettingsError("the cache is off: there is nothing in it")
        yield store


async def _reachable(store: Store, keys: Sequence[str]) -> dict[Space, int]:
    """Count the keys by space, those of earlier versions left out: nobody asks for them any more."""
    spaces = {}
    for text, count in Counter(key.rsplit(":", 1)[0] for key in keys).items():
        namespace, version = text.rsplit(":", 1)
        if int(version) == await store.version(namespace):
            spaces[_space(namespace)] = count
    return spaces


def _space(namespace: str) -> Space:
    _app, _schema, owner, category = namespace.split(":", 3)
    return Space(owner.removeprefix("t-"), category)
