"""Connections to model servers."""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp

from leadline.errors import SettingsError


def open_session(*, connect: float) -> aiohttp.ClientSession:
    """Return a pooled session fit for model servers: no cookies, no proxy from the environment.

    `connect` is how long a connection may take, in seconds.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect),
        trust_env=False,
    )


def base_url(url: str) -> str:
    """Return where `/chat/completions` or `/messages` begins. Raises `SettingsError` for what is no address."""
    url = url.strip().rstrip("/").removesuffix("/chat/completions").removesuffix("/messages")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(f"not the address of a model server: {url}; use http://host:port/v1")
    return url if parts.path else f"{url}/v1"


async def read_up_to(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Return a body; of one with more than `most` bytes a beginning that is longer than that, too."""
    data = await response.content.readany()
    if response.content.at_eof():
        return data
    parts = [data]
    size = len(data)
    while size <= most and (data := await response.content.readany()):
        parts.append(data)
        size += len(data)
    return b"".join(parts)


def shown_url(url: str) -> str:
    """Return a server's URL without a user and password in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
