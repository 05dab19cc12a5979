"""One connection pool to a service: requests, tried again where that is safe, and streams of bytes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias
from urllib.parse import urlsplit

import aiohttp

from leadline import codec
from leadline.client.failures import failure_of
from leadline.errors import InputError, ServiceError, ServiceLimited, ServiceUnavailable
from leadline.resilience import Backoff, Deadline, Sleeps, SystemClock, retry
from leadline.version import __version__
from leadline.wire.reasons import why

CONNECT_SECONDS: Final = 10.0
BACKOFF: Final = Backoff(attempts=5, base=0.25, cap=5.0)
PATIENCE: Final = 120.0
"""Seconds that a request with all its tries may take."""

MOST_BYTES: Final = 256 << 20
"""Bytes of an answer that is held in memory; exports are written to a file piece by piece."""

_MOST_PROBLEM: Final = 1 << 16


class Reply(NamedTuple):
    """A good answer. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Pieces: TypeAlias = Callable[[], AsyncIterable[bytes]]
"""Makes a body piece by piece."""

Instead: TypeAlias = Callable[[], Awaitable[Reply | None]]
"""Looks whether a try whose answer was lost did what was asked; `None` where it did not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A request. `again` says whether it may be sent twice: it changes nothing, or is known by its key.

    `data` that is made piece by piece is sent once the service says that it takes it, and made anew
    for each try. `patience` goes before the client's own.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    data: bytes | Pieces | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    again: bool = True
    patience: float | None = None


class Unsent(ServiceUnavailable):
    """No connection came about: nothing was sent, so anything may be tried again."""


def trusting(ca: Path) -> ssl.SSLContext:
    """Return what takes certificates of these authorities alone. Raises `InputError` for a file that holds none."""
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise InputError(f"{ca} holds no certificate of an authority: {error}") from error


class ServiceHttp:
    """Requests to one service. `url` is its base; a key goes to no other host, for no redirect is followed.

    `ca` is a file of the authorities that its certificate may be of, instead of the system's.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None,
        patience: float = PATIENCE,
        ca: Path | None = None,
        backoff: Backoff = BACKOFF,
        clock: Sleeps | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise InputError(f"not the address of a service: {url[:200]!r}; it begins with http:// or https://")
        self.base = url.rstrip("/")
        self._key = key
        self._patience = patience
        self._ca = ca
        self._backoff = backoff
        self._clock = clock or SystemClock()
        self._random = Random()  # noqa: S311 spreads retries, no secret
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        tls = True if self._ca is None else await asyncio.to_thread(trusting, self._ca)
        authorization = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        self._session = aiohttp.ClientSession(
            headers={"User-Agent": f"leadline/{__version__}", **authorization},
            connector=aiohttp.TCPConnector(limit=0, ssl=tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, sent: Sent, *, instead: Instead | None = None) -> Reply:
        """Return the answer. Raises the error that it tells of, `ServiceUnavailable` where none comes.

        `instead` is asked before another try.
        """
        patience = sent.patience or self._patience
        deadline, tries = Deadline(patience), count()

        async def once() -> Reply:
            if next(tries) and instead is not None and (found := await instead()) is not None:
                return found
            try:
                async with asyncio.timeout(deadline.left()), self.open(sent) as response:
                    body = await _whole(response)
                    headers = {name.lower(): value for name, value in response.headers.items()}
                    return Reply(response.status, headers, body)
            except TimeoutError as error:
                raise ServiceError(f"{self.base} did not answer within {patience:g} s") from error
            except ServiceUnavailable as error:
                if sent.again or isinstance(error, Unsent | ServiceLimited):
                    raise
                raise ServiceError(f"{error}; whether it was done is not known") from error

        return await retry(once, backoff=self._backoff, deadline=deadline, clock=self._clock, random=self._random)

    @asynccontextmanager
    async def open(self, sent: Sent) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield a good answer whose body is not read yet. Raises as `ask` does, and tries nothing again."""
        if self._session is None:
            raise RuntimeError("use the client inside `async with`")
        headers = dict(sent.headers)
        large = callable(sent.data)
        data = sent.data() if callable(sent.data) else sent.data
        if sent.json is not None:
            headers["Content-Type"] = "application/json"
            data = codec.encode(sent.json)
        try:
            async with self._session.request(
                sent.method,
                f"{self.base}{sent.path}",
                params=sent.params or None,
                data=data,
                headers=headers,
                expect100=large,
                allow_redirects=False,
            ) as response:
                if not 200 <= response.status < 300:
                    told = await response.content.read(_MOST_PROBLEM)
                    raise failure_of(response.status, told, retry_after=response.headers.get("Retry-After"))
                yield response
        except aiohttp.ClientConnectorError as error:
            raise Unsent(f"{self.base} cannot be reached: {why(error)}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ServiceUnavailable(f"the connection to {self.base} broke off: {why(error)}") from error


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_chunked(1 << 16):
        size += len(piece)
        if size > MOST_BYTES:
            raise ServiceError(f"the answer is larger than {MOST_BYTES} bytes")
        pieces.append(piece)
    return b"".join(pieces)
