"""Fetching pages from the open web: guarded, bounded in bytes and time, polite.

One page is one `fetch`: its redirects are followed by hand, so that the guard and robots.txt
decide on every hop. Cookies are neither kept nor sent, the environment's proxies are not used.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from ssl import SSLContext
from types import TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

from leadline.errors import FetchFailed, FetchTimeout, Forbidden, SettingsError
from leadline.fetch.body import Sizes, read_body
from leadline.fetch.failures import of_status, retry_after, translated
from leadline.fetch.guard import Guard, GuardedConnector
from leadline.fetch.headers import RequestHeaders, Validators, kept
from leadline.fetch.hosts import Hosts
from leadline.fetch.robots import MOST_BYTES as MOST_ROBOTS
from leadline.fetch.robots import Kept, Robots, RobotsPolicy
from leadline.fetch.urls import Target, join, shortened
from leadline.ports import Clock
from leadline.resilience import Deadline, Monotonic
from leadline.version import __version__

PRODUCT: Final = "Leadline"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_NOT_MODIFIED: Final = 304
_OK: Final = frozenset({200, 203})
_LINE: Final = 32 * 1024  # bytes of one header; policies of real sites pass 8 KiB
_HEADERS: Final = 256
_MOST_HEADERS: Final = 128 * 1024
_BUFFER: Final = 1 << 16
_DEFAULT_HOLD: Final = 10.0
_NOT_SHARED: Final = frozenset({"no-store", "private"})  # RFC 9111, sections 5.2.2.5 and 5.2.2.7


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchLimits:
    """What one page may cost.

    `seconds` for all of it, redirects and robots.txt included; `connect` and `robots` for one
    connection and one robots.txt; `redirects` hops; `connections` at one time over all hosts.
    """

    seconds: float = 30.0
    connect: float = 10.0
    robots: float = 8.0
    redirects: int = 5
    connections: int = 64
    sizes: Sizes = field(default_factory=Sizes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page as it came.

    `headers` are a useful few, lower-case; `media_type` is what the bytes were taken for;
    `fetched_at` is Unix time; `truncated`: the page is longer than what was read; `personal`: the
    operator's own headers were sent on the way. A page that has not changed since `Validators`
    has status 304 and no body.
    """

    url: str
    final_url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    media_type: str
    fetched_at: float
    truncated: bool = False
    personal: bool = False

    @property
    def shared(self) -> bool:
        """Whether others may be given a copy: the host does not forbid to keep one, nothing personal is in it."""
        told = {part.strip().lower() for part in self.headers.get("cache-control", "").split(",")}
        return not self.personal and not told & _NOT_SHARED

    @property
    def not_modified(self) -> bool:
        """Whether what the caller holds is still good."""
        return self.status == _NOT_MODIFIED

    @property
    def validators(self) -> Validators:
        """For asking later whether the page has changed."""
        return Validators(etag=self.headers.get("etag"), last_modified=self.headers.get("last-modified"))


class Fetcher:
    """Fetches pages; an asynchronous context manager that holds the connections.

    `contact` is an address or URL for operators of sites, sent in User-Agent. `per_host` are the
    operator's own headers, see `RequestHeaders`. `proxy` is an outgoing proxy of the operator's:
    names are then resolved and refused here first, and resolved again by the proxy, which the
    guard cannot pin. `tls` replaces the system's certificates. `rules` keeps robots.txt files beyond
    this process.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        clock: Clock,
        contact: str = "",
        limits: FetchLimits | None = None,
        robots: RobotsPolicy = "obey",
        rules: Kept | None = None,
        hosts: Hosts | None = None,
        per_host: Mapping[str, Mapping[str, str]] | None = None,
        proxy: str | None = None,
        tls: SSLContext | None = None,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._guard = guard
        self._clock = clock
        self._limits = limits or FetchLimits()
        self._policy = robots
        self._hosts = hosts or Hosts(clock=clock)
        self._headers = RequestHeaders(agent=user_agent(contact), per_host=per_host)
        self._proxy = _checked_proxy(proxy)
        self._tls = tls
        self._robots = Robots(self._load_robots, agent=PRODUCT, kept=rules, monotonic=monotonic)
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._robots)
        connector: aiohttp.BaseConnector
        tls = self._tls or True
        if self._proxy is None:
            connector = GuardedConnector(self._guard, limit=self._limits.connections, ssl=tls)
        else:
            connector = aiohttp.TCPConnector(limit=self._limits.connections, ssl=tls)
        self._session = await self._stack.enter_async_context(
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect),
                trust_env=False,
                read_bufsize=_BUFFER,
                max_line_size=_LINE,
                max_field_size=_LINE,
                max_headers=_HEADERS,
            )
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session = None
        await self._stack.aclose()

    @property
    def guard(self) -> Guard:
        """The guard that decides for this client."""
        return self._guard

    def personal(self, url: str) -> bool:
        """Whether the operator's own headers are sent to `url` itself; redirects are not known before."""
        try:
            return self._headers.personal(self._guard.target(url))
        except Forbidden:
            return False

    async def admit(self, url: str) -> Target:
        """Decide on a page that someone else is about to load: the guard's rules, its name resolved, and robots.txt.

        Raises `Forbidden`, `NotFound`, `FetchFailed`.
        """
        target = await self._guard.admit(url)
        await self._ask_robots(target)
        return target

    async def fetch(self, url: str, *, deadline: float, validators: Validators | None = None) -> Page:
        """Return the page at `url`, within `deadline` seconds and the limits.

        Raises `Forbidden`, `NotFound` and `FetchFailed` subclasses; no page of an error status is
        ever returned.
        """
        limit = Deadline(min(deadline, self._limits.seconds))
        target = self._guard.target(url)
        try:
            async with asyncio.timeout(limit.left()):
                return await self._follow(url, target, validators=validators, deadline=limit)
        except TimeoutError as error:
            seconds = min(deadline, self._limits.seconds)
            raise FetchTimeout(f"{shortened(url)} took longer than {seconds:.3g} s") from error

    async def _follow(self, url: str, target: Target, *, validators: Validators | None, deadline: Deadline) -> Page:
        seen: set[str] = set()
        personal = False
        for hop in range(self._limits.redirects + 1):
            if target.url in seen:
                raise FetchFailed(f"{shortened(url)} redirects in a circle")
            seen.add(target.url)
            await self._ask_robots(target)
            personal = personal or self._headers.personal(target)
            outcome = await self._hop(url, target, validators=validators, deadline=deadline, paced=hop == 0)
            if isinstance(outcome, Page):
                return replace(outcome, personal=personal)
            target = self._guard.target(outcome.url)
        raise FetchFailed(f"{shortened(url)} redirects more than {self._limits.redirects} times")

    async def _hop(
        self, url: str, target: Target, *, validators: Validators | None, deadline: Deadline, paced: bool
    ) -> Page | Target:
        """Make one request: its page, or where it redirects."""
        headers = self._headers.of(target, validators=validators)
        async with (
            self._hosts.turn(target.host, patience=deadline.left(), paced=paced),
            self._response(target, headers) as response,
        ):
            location = response.headers.get("Location")
            if response.status in _REDIRECTS and location:
                return join(target, location)
            if response.status == _NOT_MODIFIED and validators is not None:
                return self._page(url, target, response=response)
            if response.status not in _OK:
                raise await self._refused(target, response)
            body = await read_body(response, sizes=self._limits.sizes, url=target.url)
            return self._page(
                url, target, response=response, body=body.data, media_type=body.media_type, truncated=body.truncated
            )

    def _page(
        self,
        url: str,
        target: Target,
        *,
        response: aiohttp.ClientResponse,
        body: bytes = b"",
        media_type: str = "",
        truncated: bool = False,
    ) -> Page:
        return Page(
            url=url,
            final_url=target.url,
            status=response.status,
            headers=kept(response.headers),
            body=body,
            media_type=media_type,
            fetched_at=self._clock.now(),
            truncated=truncated,
        )

    async def _refused(self, target: Target, response: aiohttp.ClientResponse) -> Exception:
        wait = retry_after(response.headers.get("Retry-After"), now=self._clock.now())
        error = of_status(target.url, response.status, retry_after=wait)
        if error.retryable and (wait is not None or response.status == 429):
            await self._hosts.hold(target.host, _DEFAULT_HOLD if wait is None else wait)
        return error

    @asynccontextmanager
    async def _response(self, target: Target, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one GET and lend its response; a connection that was not read to its end is closed."""
        if self._session is None:
            raise RuntimeError("the fetcher is not open")
        if self._proxy is not None:
            await self._guard.admit(target.url)
        with translated(target.url):
            async with self._session.get(
                URL(target.url, encoded=True), headers=headers, allow_redirects=False, proxy=self._proxy
            ) as response:
                _check_headers(response)
                yield response

    async def _ask_robots(self, target: Target) -> None:
        if self._policy == "ignore":
            return
        verdict = await self._robots.ask(target)
        if verdict.delay is not None:
            self._hosts.slow_down(target.host, verdict.delay)
        if not verdict.allowed:
            raise Forbidden(f"{shortened(target.url)} may not be read: {verdict.reason}")

    async def _load_robots(self, page: Target) -> bytes:
        """Return the robots.txt of the host of `page`; redirects are followed as for a page."""
        target = self._guard.target(f"{page.origin}/robots.txt")
        try:
            async with asyncio.timeout(self._limits.robots):
                return await self._robots_hops(target)
        except TimeoutError as error:
            raise FetchTimeout(f"{shortened(target.url)} took longer than {self._limits.robots:.3g} s") from error

    async def _robots_hops(self, target: Target) -> bytes:
        for _ in range(self._limits.redirects + 1):
            outcome = await self._robots_hop(target)
            if isinstance(outcome, bytes):
                return outcome
            target = self._guard.target(outcome.url)
        return b""

    async def _robots_hop(self, target: Target) -> bytes | Target:
        async with (
            self._hosts.turn(target.host, patience=self._limits.robots, paced=False),
            self._response(target, self._headers.of(target)) as response,
        ):
            location = response.headers.get("Location")
            if response.status in _REDIRECTS and location:
                return join(target, location)
            if response.status not in _OK:
                raise await self._refused(target, response)
            return await _up_to(response, MOST_ROBOTS)


def user_agent(contact: str) -> str:
    """Return the User-Agent: our name and version, and where to complain. Raises `SettingsError`."""
    if any(not " " <= c <= "~" or c in "()" for c in contact):
        raise SettingsError(f"not a contact that fits into a header: {contact}; use an address or a URL in ASCII")
    return f"{PRODUCT}/{__version__} (+{contact})" if contact else f"{PRODUCT}/{__version__}"


async def _up_to(response: aiohttp.ClientResponse, most: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_chunked(_BUFFER):
        pieces.append(piece)
        size += len(piece)
        if size >= most:
            break
    return b"".join(pieces)[:most]


def _check_headers(response: aiohttp.ClientResponse) -> None:
    size = sum(len(name) + len(value) for name, value in response.raw_headers)
    if size > _MOST_HEADERS:
        raise FetchFailed(f"{shortened(str(response.url))} sent {size} bytes of headers")


def _checked_proxy(proxy: str | None) -> URL | None:
    if proxy is None:
        return None
    try:
        url = URL(proxy)
    except ValueError as error:
        raise SettingsError(f"not the address of a proxy: {shortened(proxy)}") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise SettingsError("not the address of a proxy: use http://host:port")
    return url
