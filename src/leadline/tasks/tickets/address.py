"""The broker's address: `celery+redis://`, `celery+rediss://` or `celery+sentinel://`; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from leadline.wire.redis_address import OPTIONS, Trust

PREFIX: Final = "celery+"
REDIS_PORT: Final = 6379
SENTINEL_PORT: Final = 26379
_OF_SENTINELS: Final = frozenset({"db", "tls", "sentinel_user", "sentinel_password"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """A Redis, or the sentinels that know where `master` is.

    `database` is a Redis's number. `trust` is there over TLS, and holds for the Redis and for the sentinels.
    """

    nodes: tuple[tuple[str, int], ...]
    master: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_user: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    database: int = 0
    trust: Trust | None = None

    @property
    def login(self) -> dict[str, Any]:
        """Whom a client is to the Redis, and which of its databases it takes, as redis-py's arguments."""
        return {"username": self.user, "password": self.password, "db": self.database}

    @property
    def sentinel_login(self) -> dict[str, Any]:
        """Whom a client is to the sentinels, as redis-py's arguments."""
        return {"username": self.sentinel_user, "password": self.sentinel_password}


def parse(url: str) -> Address:
    """Return the broker that an engine's address names. Raises `ValueError` for what is none.

    `celery+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/MASTER?db=0&tls=1` names the master.
    """
    scheme, _, rest = url.removeprefix(PREFIX).partition("://")
    if scheme not in {"redis", "rediss", "sentinel"} or not url.startswith(PREFIX):
        raise ValueError(scheme)
    netloc, _, tail = rest.partition("/")
    signed, _, hosts = netloc.rpartition("@")
    user, _, password = signed.partition(":")
    parts = urlsplit(f"x://y/{tail}")
    asked = parse_qs(parts.query, strict_parsing=bool(parts.query))
    sentinel = scheme == "sentinel"
    if parts.fragment or asked.keys() - (OPTIONS | (_OF_SENTINELS if sentinel else frozenset())):
        raise ValueError(sorted(asked))
    given = {name: values[-1] for name, values in asked.items()}
    secure = scheme == "rediss" or given.get("tls") in {"1", "true"}
    if not secure and given.keys() & OPTIONS:
        raise ValueError(sorted(given))
    nodes = tuple(_node(host, SENTINEL_PORT if sentinel else REDIS_PORT) for host in hosts.split(","))
    name = parts.path.strip("/")
    if (sentinel and not name) or (not sentinel and len(nodes) != 1):
        raise ValueError(name)
    return Address(
        nodes=nodes,
        master=unquote(name) if sentinel else None,
        user=unquote(user) or None,
        password=unquote(password) or None,
        sentinel_user=given.get("sentinel_user"),
        sentinel_password=given.get("sentinel_password"),
        database=int(given.get("db", "0") if sentinel else name or "0"),
        trust=Trust.of(given) if secure else None,
    )


def _node(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"x://{text}")
    if not parts.hostname or parts.path or parts.query or parts.fragment:
        raise ValueError(text)
    return parts.hostname, parts.port or port
