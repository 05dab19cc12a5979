"""Tools that run in services of their own: the ports behind `search`, `visit`, `scholar`, over HTTP.

The tool itself stays where the run is, and with it what is checked before a call, what a model
sees and what is recorded; only the way to the outside is elsewhere. So a run reports the same
wherever its tools are, and documents of this machine stand beside a web that is searched from
another.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from leadline.domain import Fetched
from leadline.errors import ProviderBroken
from leadline.ports import Found, Query
from leadline.resilience import Deadline
from leadline.tools.addresses import is_web
from leadline.wire.papers import Papers
from leadline.wire.tool_client import ToolClient
from leadline.wire.tool_shapes import WrongShape, found_from, papers_from, source_from

_MOST_KNOWN: Final = 2_000

OwnHeader = Callable[[float], Awaitable[str]]
"""Returns the header with a tenant's own keys within so many seconds, `""` for none. Raises `ProviderFailed`."""


class RemoteSearch:
    """`Search` behind a service; `name` is what stands beside the run's documents.

    `own_keys` returns the header with the tenant's own keys, within the seconds that it is given.
    """

    def __init__(self, client: ToolClient, *, name: str, tenant: str = "", own_keys: OwnHeader | None = None) -> None:
        self._client = client
        self._name = name
        self._tenant = tenant
        self._own_keys = own_keys or _none

    @property
    def name(self) -> str:
        """See `ports.Search`."""
        return self._name

    async def search(self, query: Query, *, deadline: float) -> Found:
        """See `ports.Search`."""
        left = Deadline(deadline)
        own_keys = await self._own_keys(deadline)
        body = await self._client.ask(_asked(query), deadline=left.left(), tenant=self._tenant, own_keys=own_keys)
        try:
            return found_from(body)
        except WrongShape as error:
            raise ProviderBroken(f"{self._client.name} answered in a wrong shape: {error}") from error


class RemoteScholar:
    """`Scholar` behind a service; see `RemoteSearch`."""

    def __init__(self, client: ToolClient, *, tenant: str = "", own_keys: OwnHeader | None = None) -> None:
        self._client = client
        self._tenant = tenant
        self._own_keys = own_keys or _none

    async def papers(self, query: Query, *, deadline: float) -> Papers:
        """See `wire.papers.Scholar`."""
        left = Deadline(deadline)
        own_keys = await self._own_keys(deadline)
        body = await self._client.ask(_asked(query), deadline=left.left(), tenant=self._tenant, own_keys=own_keys)
        try:
            return papers_from(body)
        except WrongShape as error:
            raise ProviderBroken(f"{self._client.name} answered in a wrong shape: {error}") from error


class Seen:
    """Which raw bytes an address had when it was last read; shared by the runs of a process, bounded."""

    def __init__(self) -> None:
        self._hashes: OrderedDict[str, str] = OrderedDict()

    def hash_of(self, uri: str) -> str | None:
        """Return the hash of the bytes, `None` where the address is not known."""
        return self._hashes.get(uri)

    def note(self, uri: str, raw_sha256: str) -> None:
        """Remember what an address had."""
        self._hashes[uri] = raw_sha256
        self._hashes.move_to_end(uri)
        if len(self._hashes) > _MOST_KNOWN:
            self._hashes.popitem(last=False)


Held = Callable[[str], Awaitable[bytes | None]]
"""Returns the bytes of a hash where the run's tenant has them."""


class RemoteReader:
    """`Reader` of pages of the web behind a service.

    `held` gives bytes that the run's tenant has: those of `seen` are named in the request, so that
    they need not travel again. For `own_keys` see `RemoteSearch`.
    """

    def __init__(
        self, client: ToolClient, *, seen: Seen, held: Held, tenant: str = "", own_keys: OwnHeader | None = None
    ) -> None:
        self._client = client
        self._seen = seen
        self._held = held
        self._tenant = tenant
        self._own_keys = own_keys or _none

    def reads(self, uri: str) -> bool:
        """See `ports.Reader`."""
        return is_web(uri)

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        """See `ports.Reader`."""
        left = Deadline(deadline)
        own_keys = await self._own_keys(deadline)
        known = self._seen.hash_of(uri)
        raw = await self._held(known) if known is not None else None
        have = [known] if raw is not None else []
        body = await self._client.ask(
            {"url": uri, "have": have, "content": False},
            deadline=left.left(),
            tenant=self._tenant,
            own_keys=own_keys,
        )
        fetched = await asyncio.to_thread(self._read, body)
        if fetched.raw is None and fetched.source.raw_sha256 == known:
            fetched = replace(fetched, raw=raw)
        self._seen.note(uri, fetched.source.raw_sha256)
        return fetched

    def _read(self, body: Mapping[str, Any]) -> Fetched:
        sources = body.get("sources")
        if not isinstance(sources, list) or len(sources) != 1 or not isinstance(sources[0], dict):
            raise ProviderBroken(f"{self._client.name} answered without a source")
        try:
            return source_from(sources[0])
        except WrongShape as error:
            raise ProviderBroken(f"{self._client.name} answered in a wrong shape: {error}") from error


def _asked(query: Query) -> dict[str, Any]:
    """Return a query as services take it: the words that everybody knows, and our filters beside them."""
    return {
        "query": query.text,
        "num_results": query.limit,
        "filter_year": query.year,
        "language": query.language,
        "sites": list(query.sites),
        "exclude": list(query.exclude),
        "since": query.since,
    }


async def _none(_seconds: float) -> str:
    """Return no keys."""
    return ""
