"""Pages through a third party that reads them (`GET {reader}/{page}`, as Jina's does), and falling back.

The reader's own address is the operator's and trusted; the page's is not: the guard decides on it
before anyone else is asked. What the third party returns is as hostile as the page itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from leadline.domain import Fetched
from leadline.errors import (
    FetchFailed,
    FetchRateLimited,
    FetchTimeout,
    FetchUnreadable,
    Forbidden,
    NotFound,
    SettingsError,
)
from leadline.fetch.body import Sizes, read_body
from leadline.fetch.failures import of_status, retry_after, translated
from leadline.fetch.guard import Guard
from leadline.fetch.reader import PageParser, addresses, extract, is_web, source_of
from leadline.fetch.urls import Target, parse, shortened
from leadline.ports import Clock, PageRead, Pages
from leadline.resilience import Deadline

T = TypeVar("T")

_MARKDOWN: Final = "text/markdown; charset=utf-8"
_NAME: Final = "page.md"
_CONTENT: Final = re.compile(r"^Markdown Content:[ \t]*\n", re.MULTILINE)
_FIELD: Final = re.compile(r"^(Title|URL Source|Published Time|Warning):[ \t]*(.*)$", re.MULTILINE)
_HEAD: Final = 4_096
_WARNED: Final = re.compile(r"returned error (\d{3})")
_MOST_TITLE: Final = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """What a reader said of a page: its text as Markdown, and the HTTP status the page itself had."""

    text: str
    title: str = ""
    url: str = ""
    published: str | None = None
    status: int = 200


class ReaderApi:
    """`Reader` of web pages through a service; an asynchronous context manager.

    `url` is the service's base, `api_key` is sent as a bearer token. `seconds` bounds one page.
    Raises `SettingsError` for what is no address.
    """

    def __init__(
        self,
        url: str,
        *,
        guard: Guard,
        parser: PageParser,
        clock: Clock,
        api_key: str | None = None,
        seconds: float = 30.0,
        sizes: Sizes | None = None,
    ) -> None:
        self._base = _checked_base(url)
        self._guard = guard
        self._parser = parser
        self._clock = clock
        self._headers = {"Accept": "application/json, text/plain;q=0.9", "Accept-Encoding": "gzip, deflate, br"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._seconds = seconds
        self._sizes = sizes or Sizes()
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = await self._stack.enter_async_context(
            aiohttp.ClientSession(
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10.0),
                trust_env=False,
            )
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session = None
        await self._stack.aclose()

    def reads(self, uri: str) -> bool:
        """See `ports.Reader`."""
        return is_web(uri)

    async def page(self, uri: str, *, deadline: float, mark: str = "") -> PageRead | None:
        """See `ports.Pages`; a service cannot be asked whether a page has changed."""
        return PageRead(fetched=await self.read(uri, deadline=deadline))

    def with_key(self, api_key: str) -> Pages:
        """Return the same reader with another key, over the same connections."""
        return _Keyed(self, api_key)

    async def read(self, uri: str, *, deadline: float, api_key: str | None = None) -> Fetched:
        """See `ports.Reader`; `api_key` is sent in place of the reader's own.

        Raises `Forbidden`, `NotFound` and `FetchFailed` subclasses.
        """
        if not is_web(uri):
            raise NotFound(f"not an address on the web: {shortened(uri)}")
        limit = Deadline(min(deadline, self._seconds))
        try:
            async with asyncio.timeout(limit.left()):
                target = await self._guard.admit(uri)
                reply, truncated = await self._ask(target, api_key)
        except TimeoutError as error:
            raise FetchTimeout(f"the reader took longer than {min(deadline, self._seconds):.3g} s") from error
        if reply.status >= 400:
            raise of_status(target.url, reply.status)
        raw = reply.text.encode("utf-8", "replace")
        extracted = await extract(self._parser, raw, name=_NAME, declared=_MARKDOWN, deadline=limit)
        if not extracted.text.strip():
            raise FetchUnreadable(f"the reader found no text at {shortened(uri)}")
        source = source_of(
            extracted,
            uri=uri,
            final_uri=_final(reply.url, target),
            provider="reader",
            fetched_at=self._clock.now(),
            truncated=truncated,
            title=reply.title[:_MOST_TITLE],
            published=reply.published,
        )
        return Fetched(source=source, text=extracted.text, raw=raw, links=addresses(extracted.links))

    async def _ask(self, target: Target, api_key: str | None) -> tuple[Read, bool]:
        if self._session is None:
            raise RuntimeError("the reader is not open")
        address = URL(f"{self._base}/{quote(target.url, safe='')}", encoded=True)
        own = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        with translated(self._base):
            async with self._session.get(address, headers=own, allow_redirects=False) as response:
                if response.status != 200:
                    wait = retry_after(response.headers.get("Retry-After"), now=self._clock.now())
                    raise _of_reader(response.status, wait)
                body = await read_body(response, sizes=self._sizes, url=_NAME)
        is_json = "json" in (response.content_type or "")
        return (_from_json(body.data) if is_json else read_text(body.data.decode("utf-8", "replace"))), body.truncated


@dataclass(frozen=True, slots=True)
class _Keyed:
    """A reader's service with another key."""

    service: ReaderApi
    api_key: str = field(repr=False)

    def reads(self, uri: str) -> bool:
        return self.service.reads(uri)

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        try:
            return await self.service.read(uri, deadline=deadline, api_key=self.api_key)
        except FetchRateLimited as error:  # of this key: no verdict on a reader that others ask with theirs
            raise FetchFailed("the reader asks the key that was given to wait", status=error.status) from error

    async def page(self, uri: str, *, deadline: float, mark: str = "") -> PageRead | None:
        del mark
        return PageRead(fetched=await self.read(uri, deadline=deadline))


class FallbackReader:
    """Asks a first reader, and a second one where the first got no page.

    The first has at most `share` of the time, so that the second always has the rest. What the
    guard or robots.txt refuses, and what does not exist, is not asked for again: a third party is
    no way round.
    """

    def __init__(self, first: Pages, second: Pages, *, share: float = 0.6) -> None:
        if not 0.0 < share < 1.0:
            raise ValueError(f"`share` must lie between 0 and 1: {share}")
        self._first = first
        self._second = second
        self._share = share

    def reads(self, uri: str) -> bool:
        """See `ports.Reader`."""
        return self._first.reads(uri) or self._second.reads(uri)

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        """See `ports.Reader`; where both fail, the first one's error is raised."""
        return await self._asked(lambda _, reader, seconds: reader.read(uri, deadline=seconds), uri, deadline=deadline)

    async def page(self, uri: str, *, deadline: float, mark: str = "") -> PageRead | None:
        """See `ports.Pages`; raises as `read` does. A mark tells which of the two gave it."""
        whose, _, own = mark.partition(":")

        async def ask(place: str, reader: Pages, seconds: float) -> PageRead | None:
            read = await reader.page(uri, deadline=seconds, mark=own if whose == place else "")
            return replace(read, mark=f"{place}:{read.mark}") if read is not None and read.mark else read

        return await self._asked(ask, uri, deadline=deadline)

    async def _asked(self, ask: Callable[[str, Pages, float], Awaitable[T]], uri: str, *, deadline: float) -> T:
        limit = Deadline(deadline)
        share = deadline * self._share
        try:
            async with asyncio.timeout(share):
                return await ask("1", self._first, share)
        except TimeoutError:
            failure = FetchFailed(f"{shortened(uri)} took longer than {share:.3g} s")
        except FetchFailed as error:
            failure = error
        try:
            return await ask("2", self._second, limit.left())
        except FetchFailed as second:
            raise failure from second


def read_text(text: str) -> Read:
    """Read the plain form of a reader's answer: fields, then `Markdown Content:` and the page."""
    start = _CONTENT.search(text, 0, _HEAD)
    if start is None:
        return Read(text=text)
    fields: dict[str, str] = {}
    status = 200
    for name, value in _FIELD.findall(text[: start.start()]):
        fields.setdefault(name, value.strip())
        warned = _WARNED.search(value) if name == "Warning" else None
        status = int(warned[1]) if warned else status
    return Read(
        text=text[start.end() :],
        title=fields.get("Title", ""),
        url=fields.get("URL Source", ""),
        published=_date(fields.get("Published Time")),
        status=status,
    )


def _from_json(data: bytes) -> Read:
    """Read the JSON form: `{"code": 200, "data": {"title", "url", "content", "publishedTime", "warning"}}`."""
    try:
        value: Any = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise FetchUnreadable("the reader answered with damaged JSON") from error
    inner = value.get("data") if isinstance(value, dict) else None
    fields: dict[str, Any] = inner if isinstance(inner, dict) else {}
    content = fields.get("content")
    if not isinstance(content, str):
        raise FetchUnreadable("the reader answered with JSON that holds no `data.content`")
    warned = _WARNED.search(_text(fields, "warning"))
    return Read(
        text=content,
        title=_text(fields, "title"),
        url=_text(fields, "url"),
        published=_date(_text(fields, "publishedTime")),
        status=int(warned[1]) if warned else 200,
    )


def _text(value: dict[str, Any], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _date(value: str | None) -> str | None:
    """Return the day of an ISO 8601 time, `None` for anything else."""
    match = re.match(r"\d{4}-\d{2}-\d{2}(?=$|[T ])", value or "")
    return match[0] if match else None


def _final(stated: str, target: Target) -> str:
    """Return where the reader says the page was, if that is an address at all."""
    try:
        return parse(stated).url if stated else target.url
    except Forbidden:
        return target.url


def _of_reader(status: int, wait: float | None) -> Exception:
    error = of_status("the reader", status, retry_after=wait)
    # A reader that knows no such address says nothing about the page itself.
    return (
        FetchFailed(f"the reader could not read the page (HTTP {status})", status=status)
        if isinstance(error, NotFound)
        else error
    )


def _checked_base(url: str) -> str:
    try:
        parsed = URL(url.strip())
    except ValueError as error:
        raise SettingsError(f"not the address of a reader: {shortened(url)}") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.query_string or parsed.fragment:
        raise SettingsError(f"not the address of a reader: {shortened(url)}; use https://host")
    return str(parsed).rstrip("/")
