"""Small requests to services of others: one pooled aiohttp session, a deadline, a byte cap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

import aiohttp

from leadline import codec
from leadline.errors import ProviderBroken, ProviderUnavailable
from leadline.version import __version__
from leadline.wire.reasons import why

MOST_BYTES: Final = 8 << 20
CONNECT_SECONDS: Final = 5.0
_PIECE: Final = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request. `params` are encoded into the address, `json` is sent as the body, `data` is such a body encoded."""

    url: str
    method: Literal["GET", "POST", "DELETE"] = "GET"
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, Any] | None = None
    data: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came back, whatever its status. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http(Protocol):
    """Sends a request to an address that the operator or this program chose, never a page or a model."""

    async def send(self, request: Request, *, deadline: float) -> Reply:
        """Return the reply, redirects included: none is followed, so that keys stay with their host.

        Raises `ProviderUnavailable` when nothing comes within `deadline` seconds or the connection
        fails, `ProviderBroken` for a body that is too large or cannot be unpacked.
        """
        ...


class AiohttpHttp:
    """`Http` over aiohttp. Use as `async with AiohttpHttp.open() as http`."""

    def __init__(self, session: aiohttp.ClientSession, *, proxy: str | None, most_bytes: int) -> None:
        self._session = session
        self._proxy = proxy
        self._most_bytes = most_bytes

    @classmethod
    @asynccontextmanager
    async def open(
        cls, *, proxy: str | None = None, contact: str | None = None, most_bytes: int = MOST_BYTES
    ) -> AsyncIterator[AiohttpHttp]:
        """Yield a client. `contact` (an address of mail or web) goes into User-Agent, as several services ask."""
        told = f" ({contact})" if contact else ""
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=32),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"leadline/{__version__}{told}"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            trust_env=False,
        ) as session:
            yield cls(session, proxy=proxy, most_bytes=most_bytes)

    async def send(self, request: Request, *, deadline: float) -> Reply:
        """See `Http.send`."""
        host = request.url.split("/")[2]
        try:
            async with asyncio.timeout(deadline):
                return await self._exchange(request)
        except TimeoutError as error:
            raise ProviderUnavailable(f"`{host}` did not answer within {deadline:.3g} s") from error
        except aiohttp.ClientPayloadError as error:
            raise ProviderBroken(f"the answer of `{host}` broke off or cannot be unpacked") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ProviderUnavailable(f"`{host}` cannot be reached: {why(error)}") from error

    async def _exchange(self, request: Request) -> Reply:
        headers = dict(request.headers)
        data = request.data if request.json is None else codec.encode(request.json)
        if data is not None:
            headers["Content-Type"] = "application/json"
        async with self._session.request(
            request.method,
            request.url,
            params=request.params or None,
            data=data,
            headers=headers,
            proxy=self._proxy,
            allow_redirects=False,
        ) as response:
            pieces: list[bytes] = []
            size = 0
            async for piece in response.content.iter_chunked(_PIECE):
                size += len(piece)
                if size > self._most_bytes:
                    raise ProviderBroken(f"the answer of `{response.url.host}` is larger than {self._most_bytes} bytes")
                pieces.append(piece)
            known = {name.lower(): value for name, value in response.headers.items()}
            return Reply(status=response.status, headers=known, body=b"".join(pieces))
