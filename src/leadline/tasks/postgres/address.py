"""A database's address: what is shown of it, and its TLS made ready once, off the event loop."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from leadline.errors import SettingsError

CONNECT_SECONDS: Final = 5.0

_CHECKED: Final = frozenset({"require", "verify-ca", "verify-full"})
_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "sslpassword")


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where a database is. `name` is fit for messages: without user, password and options."""

    name: str
    url: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @classmethod
    async def read(cls, url: str) -> Self:
        """Return an address as libpq understands it, files of certificates read.

        `sslmode=verify-full` checks the server's name and authority, `verify-ca` the authority, which
        is `sslrootcert` or else one that the system trusts; `require` only encrypts, unless an
        authority is named. Raises `SettingsError` for files that cannot be used.
        """
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        name = name_of(url)
        if query.get("sslmode") not in _CHECKED:
            return cls(name=name, url=url)
        try:
            tls = await asyncio.to_thread(_context, query)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"the certificates of {name} cannot be used: {error}; check LEADLINE_STORE") from error
        rest = {key: value for key, value in query.items() if key not in {"sslmode", *_FILES}}
        return cls(name=name, url=parts._replace(query=urlencode(rest)).geturl(), tls=tls)

    def arguments(self) -> dict[str, Any]:
        """Return what asyncpg takes to connect."""
        return {"dsn": self.url, "timeout": CONNECT_SECONDS} | ({} if self.tls is None else {"ssl": self.tls})


def name_of(url: str) -> str:
    """Return a database's address without user, password and options."""
    parts = urlsplit(url)
    return f"`{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}`"


def _context(query: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=query.get("sslrootcert"))
    context.check_hostname = query["sslmode"] == "verify-full"
    if query["sslmode"] == "require" and "sslrootcert" not in query:
        context.verify_mode = ssl.CERT_NONE
    if "sslcrl" in query:
        context.load_verify_locations(cafile=query["sslcrl"])
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    if "sslcert" in query:
        context.load_cert_chain(query["sslcert"], query.get("sslkey"), query.get("sslpassword"))
    return context
