"""A web on loopback that is as nasty as the real one, for whatever fetches pages.

    async with HostileWeb({"/": WebPage(body=b"<p>hello</p>")}) as web:
        guard = Guard(allow_private=web.networks, resolve=web.resolve)
        page = await fetcher.fetch(web.url("/"), deadline=5)

Every name resolves to this server unless `names` says otherwise, so redirects between hosts and
answers that change can be played. `TRAPS` lists what is there besides one's own pages.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ssl import SSLContext
from typing import Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

import brotli

from leadline.resilience import Owned

TRAPS: Final[Mapping[str, str]] = {
    "/gzip-bomb": "a page of 1 GiB in one megabyte",
    "/gzip-twice": "the same, packed once more",
    "/brotli-bomb": "a page of 1 GiB in a few kilobytes",
    "/endless": "a body without an end",
    "/endless-pdf": "a PDF without an end",
    "/drip": "a body of one byte now and then",
    "/slow-headers": "headers of one byte now and then",
    "/silence": "nothing at all",
    "/huge-header": "a header of a megabyte",
    "/many-headers": "headers without an end",
    "/no-http": "an answer that is not HTTP",
    "/cut": "a body shorter than announced",
    "/loop": "a redirect to itself, by way of /loop2",
    "/redirect/N": "N redirects, then a page",
    "/to?location=URL": "a redirect to anywhere",
    "/status/CODE": "a page of that status, which must not become content",
    "/busy?after=VALUE": "429 with a Retry-After",
    "/image": "a picture that says it is a page",
    "/etag": "a page that answers 304 to its own ETag",
    "/charset/NAME": "a page in that encoding, said in its header; `quiet-NAME` does not say so",
}
ETAG: Final = '"v1"'
WORDS: Final = "The lead line — 测深绳 — zeigt die Tiefe; глубина моря."
_MIB: Final = 1 << 20
_GIB_IN_MIB: Final = 1024
_PNG: Final = b"\x89PNG\r\n\x1a\n" + bytes(64)
_REASON: Final = "Whatever"
_GAP: Final = 0.05  # seconds between single bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class WebPage:
    """A page of one's own. `delay` is waited before the answer, in seconds."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = "text/html; charset=utf-8"
    delay: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class WebRequest:
    """A request as it came; header names are lower-case."""

    method: str
    target: str
    headers: Mapping[str, str]
    at: float

    @property
    def host(self) -> str:
        """The Host header without its port."""
        return self.headers.get("host", "").partition(":")[0]

    @property
    def path(self) -> str:
        """The path alone."""
        return urlsplit(self.target).path


Answer = Callable[[WebRequest], WebPage]


class HostileWeb:
    """The server as an asynchronous context manager; see the module.

    `pages` are by path, or by host and path (`b.example/x`); a function makes its page anew for
    each request. `names` are the answers of `resolve`:
    addresses, or a function that gives other ones each time. `tls` makes it https. `requests` are
    all requests so far, `resolved` all names that were asked for.
    """

    def __init__(
        self,
        pages: Mapping[str, WebPage | Answer] | None = None,
        *,
        names: Mapping[str, Sequence[str] | Callable[[], Sequence[str]]] | None = None,
        tls: SSLContext | None = None,
    ) -> None:
        self.pages: dict[str, WebPage | Answer] = dict(pages or {})
        self.names = dict(names or {})
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._work = Owned("hostile-web")
        self.requests: list[WebRequest] = []
        self.resolved: list[str] = []
        self.networks: tuple[str, ...] = ("127.0.0.1/32",)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_failure: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._work.close()
            await self._server.wait_closed()
            self._server = None

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        if self._server is None:
            raise RuntimeError("the server is not running")
        return int(self._server.sockets[0].getsockname()[1])

    def url(self, path: str = "/", *, host: str = "site.example") -> str:
        """Return the address of a path at a host that `resolve` knows."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    async def resolve(self, host: str) -> Sequence[str]:
        """Answer for any name."""
        self.resolved.append(host)
        answer = self.names.get(host, ("127.0.0.1",))
        return answer() if callable(answer) else answer

    def asked(self, path: str) -> list[WebRequest]:
        """Return the requests of a path."""
        return [request for request in self.requests if request.path == path]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._work.start(self._serve(reader, writer), name="connection")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away, as it should
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = _read(await reader.readuntil(b"\r\n\r\n"))
        await reader.readexactly(int(request.headers.get("content-length", "0")))
        self.requests.append(request)
        async for piece in self._answer(request):
            writer.write(piece)
            await writer.drain()
        return request.headers.get("connection", "").lower() != "close" and not _is_trap(request.path)

    def _answer(self, request: WebRequest) -> AsyncIterator[bytes]:
        path = unquote(request.path)
        page = self.pages.get(f"{request.host}{path}") or self.pages.get(path)
        if page is not None:
            return _page(page(request) if callable(page) else page)
        name, _, rest = path.lstrip("/").partition("/")
        trap = _TRAPS.get(name)
        return trap(request, rest) if trap is not None else _page(WebPage(status=404, body=b"<p>There is no page.</p>"))


def _read(head: bytes) -> WebRequest:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = dict(line.split(":", 1) for line in lines)
    return WebRequest(
        method=method,
        target=target,
        headers={name.lower(): value.strip() for name, value in headers.items()},
        at=asyncio.get_running_loop().time(),
    )


def _is_trap(path: str) -> bool:
    return path.lstrip("/").partition("/")[0] in _TRAPS


def _head(status: int = 200, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASON}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _page(page: WebPage) -> AsyncIterator[bytes]:
    await asyncio.sleep(page.delay)
    given = {"Content-Type": page.content_type} if page.content_type is not None else {}
    yield _head(page.status, **{**given, "Content-Length": str(len(page.body)), **page.headers}) + page.body


async def _bomb(encoding: str, first: bytes, piece: bytes) -> AsyncIterator[bytes]:
    yield _head(Content_Type="text/html; charset=utf-8", Content_Encoding=encoding, Connection="close") + first
    for _ in range(_GIB_IN_MIB):
        yield piece


def _gzip_bomb(_request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    return _bomb("gzip", *gzip_bomb())


async def _gzip_twice(_request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    first, piece = gzip_bomb()
    packer = zlib.compressobj(9, wbits=31)
    yield _head(Content_Type="text/html", Content_Encoding="gzip, gzip", Connection="close")
    yield packer.compress(first + piece * _GIB_IN_MIB) + packer.flush()


def _brotli_bomb(_request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    return _bomb("br", *brotli_bomb())


@lru_cache(maxsize=1)
def gzip_bomb() -> tuple[bytes, bytes]:
    """Return the beginning of a gzip stream, and a piece of about 1 KB that unfolds to 1 MiB as often as wanted."""
    packer = zlib.compressobj(9, wbits=31)
    first = packer.compress(b"<p>boom ") + packer.flush(zlib.Z_FULL_FLUSH)
    return first, packer.compress(b"a" * _MIB) + packer.flush(zlib.Z_FULL_FLUSH)


@lru_cache(maxsize=1)
def brotli_bomb() -> tuple[bytes, bytes]:
    """Return the same for brotli: a piece of a few bytes that unfolds to 1 MiB."""
    packer = brotli.Compressor(quality=5)
    first = packer.process(b"<p>boom " + b"a" * _MIB) + packer.flush()
    first += packer.process(b"a" * _MIB) + packer.flush()
    return first, packer.process(b"a" * _MIB) + packer.flush()


async def _endless(_request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    yield _head(Content_Type="text/html; charset=utf-8", Connection="close") + b"<title>Endless</title>"
    while True:
        yield b"<p>and on and on it goes, sentence after sentence.</p>\n" * 1000


async def _endless_pdf(_request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    yield _head(Content_Type="application/pdf", Connection="close") + b"%PDF-1.7\n"
    while True:
        yield b"% filling\n" * 6000


async def _drip(_request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    yield _head(Content_Type="text/html", Content_Length="1000000")
    while True:
        yield b"a"
        await asyncio.sleep(_GAP)


async def _slow_headers(_request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX-Slow: "
    while True:
        yield b"a"
        await asyncio.sleep(_GAP)


async def _silence(_request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    yield b""
    await asyncio.Event().wait()


async def _huge_header(_request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX-Huge: " + b"a" * _MIB + b"\r\n\r\nbody"


async def _many_headers(_request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        yield b"".join(b"X-%d: %s\r\n" % (number, b"b" * 100) for number in range(500))


async def _no_http(_request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    yield b"220 mail.example ESMTP\r\n\r\n"


async def _cut(_request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    yield _head(Content_Type="text/html", Content_Length="1000") + b"<p>half a page"


async def _loop(request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    yield _head(302, Location="/loop" if request.path == "/loop2" else "/loop2", Content_Length="0")


async def _redirect(_request: WebRequest, rest: str) -> AsyncIterator[bytes]:
    left = int(rest)
    if left:
        yield _head(301, Location=f"/redirect/{left - 1}", Content_Length="0")
    else:
        yield _head(Content_Type="text/html", Content_Length="21") + b"<p>here at last.</p>\n"


async def _to(request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    location = parse_qs(urlsplit(request.target).query)["location"][0]
    yield _head(302, Location=location.encode().decode("latin-1"), Content_Length="0")


async def _status(_request: WebRequest, rest: str) -> AsyncIterator[bytes]:
    body = b"<p>An error page with many words that look like content to whoever does not mind.</p>"
    yield _head(int(rest), Content_Type="text/html", Content_Length=str(len(body))) + body


async def _busy(request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    after = parse_qs(urlsplit(request.target).query).get("after")
    yield _head(429, Content_Length="0", **({"Retry_After": after[0]} if after else {}))


async def _image(_request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    yield _head(Content_Type="text/html", Content_Length=str(len(_PNG))) + _PNG


async def _etag(request: WebRequest, _rest: str) -> AsyncIterator[bytes]:
    if request.headers.get("if-none-match") == ETAG:
        yield _head(304, ETag=ETAG)
    else:
        yield _head(Content_Type="text/html", ETag=ETAG, Content_Length="14") + b"<p>version one"


async def _charset(_request: WebRequest, rest: str) -> AsyncIterator[bytes]:
    name = rest.removeprefix("quiet-")
    body = f"<title>T</title><p>{WORDS * 5}</p>".encode(name, "xmlcharrefreplace")
    said = "text/html" if rest.startswith("quiet-") else f"text/html; charset={name}"
    yield _head(Content_Type=said, Content_Length=str(len(body))) + body


_TRAPS: Final[Mapping[str, Callable[[WebRequest, str], AsyncIterator[bytes]]]] = {
    "gzip-bomb": _gzip_bomb,
    "gzip-twice": _gzip_twice,
    "brotli-bomb": _brotli_bomb,
    "endless": _endless,
    "endless-pdf": _endless_pdf,
    "drip": _drip,
    "slow-headers": _slow_headers,
    "silence": _silence,
    "huge-header": _huge_header,
    "many-headers": _many_headers,
    "no-http": _no_http,
    "cut": _cut,
    "loop": _loop,
    "loop2": _loop,
    "redirect": _redirect,
    "to": _to,
    "status": _status,
    "busy": _busy,
    "image": _image,
    "etag": _etag,
    "charset": _charset,
}
