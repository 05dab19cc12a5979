"""The little of HTTP/1.1 that the guarded proxy must read: strict, bounded, and nothing passed on unread."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Final

from leadline.fetch.urls import Target

MOST_HEAD: Final = 64 * 1024
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LINE: Final = re.compile(rb"([A-Z]{1,16}) ([\x21-\x7e]{1,8192}) HTTP/1\.[01]")
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_LENGTH: Final = re.compile(rb"[0-9]{1,12}")
# They hold for one connection only (RFC 9110 section 7.6.1), or name the host that we name anew.
_DROPPED: Final = frozenset(
    {b"connection", b"host", b"keep-alive", b"proxy-authorization", b"proxy-connection", b"te", b"upgrade"}
)

Headers = tuple[tuple[bytes, bytes], ...]


class BadRequest(Exception):
    """The client or the server does not speak HTTP as this proxy reads it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request to the proxy. `length` is that of its body; `tunnel` is true for CONNECT."""

    method: str
    url: str
    headers: Headers
    authorization: bytes
    length: int = 0
    tunnel: bool = False


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """Return everything up to the empty line. Raises `BadRequest`, `IncompleteReadError`."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise BadRequest(f"the headers are longer than {MOST_HEAD} bytes") from error


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Read the head of a request. Raises `BadRequest` for anything unusual."""
    first, *lines = (await read_head(reader))[:-4].split(b"\r\n")
    match = _LINE.fullmatch(first)
    if match is None:
        raise BadRequest("not a request line")
    headers = _headers(lines)
    method, target = match[1].decode(), match[2].decode()
    credentials = [value for name, value in headers if name.lower() == b"proxy-authorization"]
    authorization = credentials[0] if len(credentials) == 1 else b""
    if method == "CONNECT":
        if not re.fullmatch(r"(?:[^:/?#@\[\]]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}", target):
            raise BadRequest("not a host and port")
        return Request(
            method=method, url=f"https://{target}/", headers=headers, authorization=authorization, tunnel=True
        )
    if method not in _METHODS or not target.lower().startswith("http://"):
        raise BadRequest("only CONNECT, and requests for http:// addresses, are forwarded")
    return Request(method=method, url=target, headers=headers, authorization=authorization, length=_length(headers))


def forwarded(request: Request, target: Target) -> bytes:
    """Return the head to send on: in origin form, to the host that was checked, for one answer."""
    path = target.url[len(target.origin) :]
    host = target.origin.partition("://")[2]
    lines = [f"{request.method} {path} HTTP/1.1".encode(), f"Host: {host}".encode()]
    lines += [name + b": " + value for name, value in _passed(request.headers)]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


def response_head(head: bytes) -> bytes:
    """Return a server's response head for the client: its own connection headers replaced by ours."""
    first, *lines = head[:-4].split(b"\r\n")
    if not _STATUS.fullmatch(first):
        raise BadRequest("the server does not speak HTTP/1.1")
    kept = [name + b": " + value for name, value in _passed(_headers(lines))]
    return b"\r\n".join([first, *kept, b"Connection: close", b"", b""])


def _passed(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return the headers that go on: none that holds for one connection, or is named by such a one."""
    named = {
        word.strip().lower() for name, value in headers if name.lower() == b"connection" for word in value.split(b",")
    }
    return [(name, value) for name, value in headers if name.lower() not in _DROPPED | named]


def _headers(lines: list[bytes]) -> Headers:
    found = []
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise BadRequest("not a header line")
        found.append((match[1], match[2]))
    return tuple(found)


def _length(headers: Headers) -> int:
    """Return the length of a request's body; a body of unknown length is refused."""
    lengths = {value for name, value in headers if name.lower() == b"content-length"}
    if any(name.lower() == b"transfer-encoding" for name, _ in headers) or len(lengths) > 1:
        raise BadRequest("a request body needs one Content-Length")
    if not lengths:
        return 0
    value = lengths.pop()
    if not _LENGTH.fullmatch(value):
        raise BadRequest("not a Content-Length")
    return int(value)
