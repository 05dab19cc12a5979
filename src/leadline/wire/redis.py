"""One way to open Redis, one server or a cluster: bounded, short timeouts, no retries of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from leadline.errors import MissingExtra, SettingsError
from leadline.wire.redis_address import split

if TYPE_CHECKING:
    from redis.asyncio import Redis

CONNECTIONS: Final = 32
SECONDS: Final = 0.5


CLUSTER: Final = "+cluster"
"""The end of a scheme that names one node of a cluster: `redis+cluster://`, `rediss+cluster://`."""

_A_NODE: Final = 1_000  # connections to a node of a cluster: there more would raise, not wait


@asynccontextmanager
async def open_redis(url: str, *, connections: int = CONNECTIONS, seconds: float = SECONDS) -> AsyncIterator[Redis]:
    """Yield a client of a Redis or a cluster; nothing is connected before its first command.

    `rediss://` is over TLS, and `?ssl_ca_certs=FILE` names the authority; see `Trust`. A command to
    one server waits for one of `connections`, where redis-py's default pool raises instead, and
    takes `seconds` at most. Replies are bytes. Raises `MissingExtra`, and `SettingsError` for what
    is no such address and for files that cannot be used.
    """
    try:
        plain, trust = split(url)
        manner = manner_of(seconds)
        if trust is not None:
            await asyncio.to_thread(trust.check)
            manner |= trust.arguments()
        scheme, _, rest = plain.partition("://")
        if scheme.endswith(CLUSTER):
            client = _cluster(f"{scheme.removesuffix(CLUSTER)}://{rest}", manner)
        else:
            client = _server(plain, manner, connections=connections)
    except ImportError as error:
        raise MissingExtra("Redis needs an extra: pip install 'leadline[redis]'") from error
    except ValueError as error:
        raise SettingsError(f"not the address of a Redis server: {error}") from error
    try:
        yield client
    finally:
        await client.aclose()


def _server(url: str, manner: dict[str, Any], *, connections: int) -> Redis:
    from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415 an extra, 38 MB

    seconds = manner["socket_timeout"]
    pool = BlockingConnectionPool.from_url(url, max_connections=connections, timeout=seconds, **manner)
    return Redis.from_pool(pool)


def _cluster(url: str, manner: dict[str, Any]) -> Redis:
    """Return a cluster's client; it has the commands of `Redis`, though no class in common with it."""
    from leadline.wire.redis_cluster import ClusterClient  # noqa: PLC0415 an extra

    cluster: Any = ClusterClient.from_url(url, max_connections=_A_NODE, **manner)
    client: Redis = cluster
    return client


def manner_of(seconds: float) -> dict[str, Any]:
    """Return redis-py's arguments of every connection: times, and one retry. Raises `ImportError`."""
    from redis import DriverInfo, __version__  # noqa: PLC0415 an extra
    from redis.asyncio.retry import Retry  # noqa: PLC0415 as above
    from redis.backoff import NoBackoff  # noqa: PLC0415 as above

    return {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "protocol": 2,
        "driver_info": DriverInfo(lib_version=__version__),  # else each connection looks it up on the disk
        "retry": Retry(NoBackoff(), 1),  # once: a connection that the server closed while it was idle
    }
