"""Requests to what stands around the service, as its users and operators make them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
import orjson

from leadline.errors import ServiceError, ServiceUnavailable, SettingsError
from leadline.version import __version__

SECONDS: Final = 10.0
_MOST: Final = 32 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """An answer, whatever its status. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> dict[str, Any]:
        """Return the JSON object. Raises `ServiceError` for anything else."""
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise ServiceError(f"an answer of {self.status} is no JSON") from error
        if not isinstance(value, dict):
            raise ServiceError(f"an answer of {self.status} is no JSON object")
        return value


class Site:
    """A client whose certificates are checked, against `ca` where one is named."""

    def __init__(self, session: aiohttp.ClientSession, tls: ssl.SSLContext) -> None:
        self._session = session
        self._tls = tls

    @classmethod
    @asynccontextmanager
    async def open(cls, *, ca: Path | None = None) -> AsyncIterator[Self]:
        """Yield a client. Raises `SettingsError` for a file that holds no certificate."""
        try:
            tls = await asyncio.to_thread(ssl.create_default_context, cafile=ca)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"`preflight.ca` is {ca}, which holds no certificate: {error}") from error
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"leadline/{__version__} (preflight)"},
            timeout=aiohttp.ClientTimeout(total=SECONDS),
            trust_env=False,
        ) as session:
            yield cls(session, tls)

    async def ask(
        self, url: str, *, key: str = "", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Seen:
        """Send a GET, or a POST of JSON where there is a body. Raises `ServiceUnavailable`."""
        sent = {**(headers or {})} | ({"Authorization": f"Bearer {key}"} if key else {})
        if body is not None:
            sent["Content-Type"] = "application/json"
        method = "GET" if body is None else "POST"
        try:
            async with self._session.request(method, url, headers=sent, data=body, allow_redirects=False) as reply:
                data = await reply.content.read(_MOST)
                known = {name.lower(): value for name, value in reply.headers.items()}
                return Seen(status=reply.status, headers=known, body=data)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ServiceUnavailable(f"{url} cannot be reached: {_why(error)}") from error

    async def certificate_ends(self, url: str) -> datetime:
        """Return when the certificate at an address ends, having checked it. Raises `ServiceUnavailable`."""
        parts = urlsplit(url)
        try:
            async with asyncio.timeout(SECONDS):
                _, writer = await asyncio.open_connection(
                    parts.hostname, parts.port or 443, ssl=self._tls, server_hostname=parts.hostname
                )
        except (OSError, TimeoutError) as error:  # what TLS refuses is an OSError as well
            raise ServiceUnavailable(f"{url}: {_why(error)}") from error
        try:
            certificate: dict[str, Any] = writer.get_extra_info("peercert") or {}
            return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
        finally:
            writer.close()


def _why(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        error = error.certificate_error
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
