"""Tools and their providers, one by one: without the cache, so that an answer is one of now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leadline.errors import InvalidArguments, ProviderUnavailable
from leadline.extract.children import ExtractPool
from leadline.extract.types import Limits
from leadline.ports import Query
from leadline.resilience import SystemClock
from leadline.settings import LOCAL, Settings
from leadline.settings.cache import OFF, Store
from leadline.settings.web import KEYLESS
from leadline.wiring.outgoing import Outgoing
from leadline.wiring.remote import tools_key
from leadline.wiring.scholarly import Scholarly
from leadline.wiring.web import Web

if TYPE_CHECKING:
    from leadline.search.web.quota import Quota

__all__ = ["free_search", "try_key", "try_mcp", "try_page", "try_scholar", "try_search", "try_service"]

_QUERY: Final = Query(text="lighthouse", limit=3)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outside:
    web: Web
    scholarly: Scholarly
    outgoing: Outgoing


@asynccontextmanager
async def _outside(settings: Settings, folder: Path) -> AsyncIterator[_Outside]:
    """Open what reaches the outside, for one probe: no cache, and limits of its own."""
    settings = replace(settings, cache=Store(OFF), limits=Store("memory://"))
    clock, section = SystemClock(), settings.extract
    limits = Limits(seconds=section.seconds, memory=section.memory, bytes=section.max_bytes)
    async with (
        ExtractPool(workers=1, limits=limits) as parser,
        Outgoing(settings, clock=clock, folder=folder) as outgoing,
    ):
        web = Web(settings, clock=clock, parser=parser, outgoing=outgoing)
        yield _Outside(web=web, scholarly=Scholarly(settings, outgoing=outgoing), outgoing=outgoing)


def free_search(name: str) -> bool:
    """Return whether a search by this provider costs nothing."""
    return name in KEYLESS


async def try_search(settings: Settings, folder: Path, name: str, *, seconds: float) -> int:
    """Return how many hits one provider gives to one word. Raises `ToolFailed`, `SettingsError`."""
    alone = replace(settings, search=replace(settings.search, providers=(name,)))
    async with _outside(alone, folder) as outside:
        search = await outside.web.search(LOCAL)
        return len((await search.search(_QUERY, deadline=seconds)).hits)


async def try_key(settings: Settings, folder: Path, name: str, *, seconds: float) -> Quota | None:
    """Return what is left of a provider's keys together, `None` where it does not tell that for nothing.

    Raises `ProviderFailed` where it refuses one of them.
    """
    from leadline.search.web.quota import Quota, account_request, quota_of  # noqa: PLC0415 only where it is asked
    from leadline.wire.service import failure_of  # noqa: PLC0415 as above

    section, quotas = settings.search.of(name), []
    async with _outside(settings, folder) as outside:
        for key in section.api_keys:
            request = account_request(name, key.reveal(), base_url=section.base_url)
            if request is None:
                return None
            reply = await (await outside.outgoing.http()).send(request, deadline=seconds)
            if reply.status == 404:  # an address of the operator's own that has searches alone
                return None
            failure = failure_of(name, reply)
            if failure is not None:
                raise failure
            quotas.append(quota_of(name, reply))
    left = [quota.left for quota in quotas if quota.left is not None]
    most = [quota.of for quota in quotas if quota.of is not None]
    return Quota(left=sum(left) if left else None, of=sum(most) if most else None)


async def try_scholar(settings: Settings, folder: Path, name: str, *, seconds: float) -> int:
    """Return how many works one service gives to one word. Raises `ToolFailed`, `SettingsError`."""
    alone = replace(settings, scholar=replace(settings.scholar, providers=(name,)))
    async with _outside(alone, folder) as outside:
        library = await outside.scholarly.library(LOCAL)
        return len((await library.papers(_QUERY, deadline=seconds)).papers)


async def try_page(settings: Settings, folder: Path, page: str, *, seconds: float) -> int:
    """Return how many characters of text a page has, read as a run reads it. Raises `ToolFailed`, `SettingsError`."""
    async with _outside(settings, folder) as outside:
        reader = await outside.web.reader(LOCAL)
        return len((await reader.read(page, deadline=seconds)).text)


async def try_service(settings: Settings, tool: str, address: str, *, seconds: float) -> None:
    """Ask a tool's own service whether it takes requests and accepts our key; no work is done.

    Raises `ToolFailed`: `ProviderUnavailable` where it is not ready, `ProviderDenied` for the key.
    """
    from leadline.wire.http import AiohttpHttp, Request  # noqa: PLC0415 aiohttp only where a service is named
    from leadline.wire.tool_client import ToolClient  # noqa: PLC0415 as above

    async with AiohttpHttp.open() as http:
        ready = await http.send(Request(url=f"{address.rstrip('/')}/readyz"), deadline=seconds)
        if ready.status != 200:
            raise ProviderUnavailable(f"the {tool} service at {address} is not ready: /readyz answered {ready.status}")
        client = ToolClient(http, address, tool=tool, key=tools_key(settings))
        try:
            await client.ask({}, deadline=seconds)
        except InvalidArguments:  # the key was accepted, the empty request of course not
            return


async def try_mcp(settings: Settings, folder: Path, name: str) -> tuple[int, int]:
    """Return how many tools an external server has, and how many of them runs get.

    Raises `ToolFailed`, `MissingExtra`.
    """
    from leadline.wiring.external import External  # noqa: PLC0415 only where a server is set

    async with Outgoing(settings, clock=SystemClock(), folder=folder) as outgoing:
        external = External(settings, outgoing=outgoing, clock=SystemClock(), folder=folder)
        standing = await (await external.servers()).named(name).standing()
        return len(standing), sum(1 for one in standing if one.spec is not None)
