"""Other machines' clocks, as far as they tell the time: how many seconds they are before ours."""

from __future__ import annotations

from leadline.errors import MissingExtra, StoreUnavailable
from leadline.settings import Settings
from leadline.wiring.accounts import connecting
from leadline.wiring.loaded import loaded
from leadline.wiring.probe_places import NOW, Now, look_at_redis


async def redis_ahead(url: str, *, now: Now = NOW) -> float:
    """Return it for a Redis. Raises as `look_at_redis`."""
    return (await look_at_redis(url, now=now)).ahead


async def database_ahead(settings: Settings, *, now: Now = NOW) -> float | None:
    """Return how many seconds PostgreSQL's clock is before ours, `None` without one. Raises `StoreUnavailable`."""
    if not settings.store.startswith("postgresql"):
        return None
    await loaded("asyncpg", "leadline.tasks.postgres.address")
    arguments = await connecting(settings.store)
    if arguments is None:
        return None
    try:
        import asyncpg  # noqa: PLC0415 an extra
    except ImportError as error:
        raise MissingExtra("PostgreSQL needs an extra: pip install 'leadline[postgres]'") from error
    try:
        connection = await asyncpg.connect(**arguments)
    except (OSError, asyncpg.PostgresError) as error:
        raise StoreUnavailable(f"the database does not answer: {type(error).__name__}") from error
    try:
        began = now()
        told = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())")
        return float(told) - (began + now()) / 2
    finally:
        await connection.close()


async def served_ahead(settings: Settings, url: str, *, seconds: float, now: Now = NOW) -> float | None:
    """Return how many seconds the clock of an HTTP server is before ours, `None` where it does not tell.

    `Date` has whole seconds (RFC 9110, section 6.6.1), so less than one says nothing. Raises `ToolFailed`.
    """
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 only where a server is asked

    from leadline.wire.http import AiohttpHttp, Request  # noqa: PLC0415 as above

    async with AiohttpHttp.open(proxy=settings.proxy) as http:
        began = now()
        reply = await http.send(Request(url=url), deadline=seconds)
    try:
        told = parsedate_to_datetime(reply.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None
    return told + 0.5 - (began + now()) / 2
