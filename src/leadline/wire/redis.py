"""One way to open Redis: bounded pool, short timeouts, no retries of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from leadline.errors import MissingExtra, SettingsError

if TYPE_CHECKING:
    from redis.asyncio import Redis

CONNECTIONS: Final = 32
SECONDS: Final = 0.5


@asynccontextmanager
async def open_redis(url: str, *, connections: int = CONNECTIONS, seconds: float = SECONDS) -> AsyncIterator[Redis]:
    """Yield a client of `redis://` or `rediss://`; nothing is connected before its first command.

    A command waits for one of `connections`, where redis-py's default pool raises instead, and
    takes `seconds` at most. Replies are bytes. Raises `MissingExtra`, and `SettingsError` for
    what is no such address.
    """
    try:
        from redis import DriverInfo  # noqa: PLC0415 as below
        from redis import __version__ as version  # noqa: PLC0415 as below
        from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415 an extra, 38 MB
        from redis.asyncio.retry import Retry  # noqa: PLC0415 as above
        from redis.backoff import NoBackoff  # noqa: PLC0415 as above
    except ImportError as error:
        raise MissingExtra("Redis needs an extra: pip install 'leadline[redis]'") from error
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=seconds,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            protocol=2,
            driver_info=DriverInfo(lib_version=version),  # else each connection looks it up on the disk
            retry=Retry(NoBackoff(), 1),  # once: a connection that the server closed while it was idle
        )
    except ValueError as error:
        raise SettingsError(f"not the address of a Redis server: {error}") from error
    client = Redis(connection_pool=pool)
    try:
        yield client
    finally:
        await client.aclose()
        await pool.disconnect()
