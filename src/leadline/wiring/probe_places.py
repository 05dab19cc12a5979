"""The places where things are kept: written to and read from, each by itself; what was written is taken away again."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urlsplit

from leadline.domain import sha256
from leadline.errors import BlobMissing, StoreError, StoreUnavailable, ToolMissing
from leadline.ports import Depth, Lag, Program, Store
from leadline.ports.accounts import Key
from leadline.resilience import SystemClock
from leadline.settings import LogPlace, Settings
from leadline.settings.eventlog import KAFKA
from leadline.settings.redis import REDIS
from leadline.tasks.tickets.address import PREFIX, Address, parse
from leadline.wiring.accounts import open_accounts
from leadline.wiring.blobs import blob_store
from leadline.wiring.eventlog import event_log, open_sink
from leadline.wiring.loaded import loaded
from leadline.wiring.outgoing import Outgoing
from leadline.wiring.programs import sandbox_options
from leadline.wiring.store import run_store

if TYPE_CHECKING:
    from redis.asyncio import Redis

PROBE: Final = "leadline-doctor"
"""What whatever is written for a look is called."""

Now: TypeAlias = Callable[[], float]
NOW: Final[Now] = SystemClock().now
_LEASE: Final = 5.0
_CONNECTIONS: Final = 2
_REDIS: Final = ("redis.asyncio", "leadline.wire.redis", "leadline.wire.redis_failures")
"""All that a look at a Redis imports: what another thread imports at the time would stop the loop."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisSeen:
    """What a Redis says of itself, in bytes and seconds; `most` is 0 without a bound, `ahead` its clock before ours."""

    version: str
    used: int
    most: int
    policy: str
    evicted: int
    replicas: int
    role: str
    ahead: float


def store_of(settings: Settings, folder: Path) -> AbstractAsyncContextManager[Store]:
    """Open the run store with few connections: for a look, beside those who work with it. Raises as `run_store`."""
    return run_store(replace(settings, tasks=replace(settings.tasks, connections=_CONNECTIONS)), folder)


async def try_store(settings: Settings, folder: Path) -> Depth:
    """Write to the run store, read it back, and return how much waits there. Raises as `run_store`."""
    async with store_of(settings, folder) as store:
        # The cursor of a log that nobody ships to: durable rows, and no run or event of anybody's.
        turn = await store.ship(PROBE, f"{PROBE}:{os.getpid()}:{secrets.token_hex(4)}", lease=_LEASE)
        if turn is not None:  # None: another look is under way, so it can be written to
            await store.release(PROBE, turn)
        return await store.depth()


async def try_blobs(settings: Settings, folder: Path) -> None:
    """Store a body, read it back, and take it away. Raises `StoreError`, `MissingExtra`."""
    body = secrets.token_bytes(64)
    async with blob_store(settings, folder) as blobs:
        name = await blobs.put(PROBE, body)
        try:
            if name != sha256(body) or await blobs.get(PROBE, name) != body:
                raise BlobMissing("a body that was just stored came back as another one")
        finally:
            await blobs.sweep(PROBE, frozenset(), older_than=SystemClock().now() + 60.0)


async def try_cache(settings: Settings, folder: Path) -> int | None:
    """Store an answer, read it back, and drop it; return the bytes that are held, `None` where the cache is off.

    Raises `StoreError`, `MissingExtra`.
    """
    kind = (*_REDIS, "leadline.cache.redis") if settings.cache.scheme in REDIS else ("leadline.cache.sqlite",)
    await loaded("leadline.cache.types", *kind)
    from leadline.cache.types import Entry  # noqa: PLC0415 only where there is a cache

    key, body, now = f"{PROBE}:{secrets.token_hex(8)}", secrets.token_bytes(64), SystemClock().now()
    async with Outgoing(settings, clock=SystemClock(), folder=folder) as outgoing:
        store = await outgoing.store()
        if store is None:
            return None
        entry = Entry(body=body, stored_at=now, soft=now + 60, revalidate=now + 60, hard=now + 60)
        await store.put(key, entry, label=PROBE)
        try:
            found = await store.get(key)
            if found is None or found.body != body:
                raise StoreUnavailable("an answer that was just stored is not there: the cache drops what it is given")
        finally:
            await store.drop([key])
        return (await store.usage()).bytes


async def try_accounts(settings: Settings) -> tuple[Key, ...]:
    """Return every key of every tenant. Raises as `open_accounts`."""
    await loaded("leadline.accounts.upkeep", "leadline.accounts.bearer")
    async with open_accounts(settings) as accounts:
        return tuple([key for tenant in await accounts.tenants.list() for key in await accounts.keys.list(tenant.id)])


async def try_event_log(settings: Settings, folder: Path) -> Lag:
    """Reach the event log, write nothing to it, return how far it is behind. Raises `StoreError`, `MissingExtra`."""
    place = settings.event_log
    async with store_of(settings, folder) as store:
        shown = event_log(settings, store=store, clock=SystemClock(), folder=folder)
        lag = Lag() if shown is None else await shown.lag()
    if place.scheme in KAFKA:
        await _reach_all(place)
    elif place.scheme in REDIS:
        await look_at_redis(place.server)
    async with open_sink(place, events=settings.events, folder=folder) as sink:
        await sink.deliver(())
    return lag


async def _reach_all(place: LogPlace) -> None:
    """Connect to the brokers: one that takes connections is enough, a client learns of the others by it."""
    failed: list[str] = []
    for broker in place.brokers.split(","):
        parts = urlsplit(f"x://{broker}")
        try:
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 9092)
        except OSError as error:
            failed.append(f"{broker}: {error.strerror or error}")
            continue
        writer.close()
        return
    raise StoreUnavailable(f"no broker of the event log can be reached: {'; '.join(failed)}")


async def look_at_redis(url: str, *, now: Now = NOW) -> RedisSeen:
    """Ask a Redis how it is. `now` is our own clock. Raises `StoreError`, `MissingExtra`, `SettingsError`."""
    await loaded(*_REDIS)
    from leadline.wire.redis import open_redis  # noqa: PLC0415 an extra

    async with open_redis(url, connections=1, seconds=3.0) as client:
        return await _asked(client, urlsplit(url).netloc.rpartition("@")[2], now)


async def look_at_broker(engine: str) -> tuple[RedisSeen, int]:
    """Ask the broker of an engine how it is, and how many tickets lie there. Raises as `look_at_redis`."""
    await loaded(*_REDIS, "leadline.tasks.tickets.broker")
    from redis.asyncio import Redis, Sentinel  # noqa: PLC0415 an extra

    from leadline.tasks.tickets.broker import QUEUE  # noqa: PLC0415 as above
    from leadline.wire.redis import manner_of  # noqa: PLC0415 as above

    address = parse(engine)
    common: dict[str, Any] = {**manner_of(3.0), **await _tls(address)}
    async with AsyncExitStack() as stack:
        if address.master is None:
            host, port = address.nodes[0]
            client: Redis = Redis(host=host, port=port, **address.login, **common)
        else:
            sentinels: Any = Sentinel(  # type: ignore[no-untyped-call]  # redis-py's sentinels have no types
                list(address.nodes), sentinel_kwargs={**common, **address.sentinel_login}, **common
            )
            for sentinel in sentinels.sentinels:
                stack.push_async_callback(sentinel.aclose)
            await _ask_sentinels(sentinels.sentinels, address)
            client = sentinels.master_for(address.master, **address.login)
        stack.push_async_callback(client.aclose)
        seen = await _asked(client, _place(address), NOW)
        length = await _answer(client.llen(QUEUE), _place(address))
        return seen, int(length)


async def _ask_sentinels(sentinels: Sequence[Redis], address: Address) -> None:
    """See that one answers: of why none names a master the driver does not tell. Raises `StoreError`."""
    failed: StoreError | None = None
    for sentinel, (host, port) in zip(sentinels, address.nodes, strict=True):
        try:
            await _answer(sentinel.ping(), f"{host}:{port}, a sentinel,")
        except StoreError as error:
            failed = failed or error
        else:
            return
    if failed is not None:
        raise failed


def _place(address: Address) -> str:
    return ", ".join(f"{host}:{port}" for host, port in address.nodes)


async def _tls(address: Address) -> dict[str, Any]:
    if address.trust is None:
        return {}
    await asyncio.to_thread(address.trust.check)
    return {"ssl": True, **address.trust.arguments()}


def has_broker(settings: Settings) -> bool:
    """Return whether the engine stands on a broker."""
    return settings.engine.startswith(PREFIX)


async def _asked(client: Redis, name: str, now: Now) -> RedisSeen:
    info: Any = await _answer(client.info(), name)
    if isinstance(next(iter(info.values()), None), dict):  # a cluster answers for each of its nodes
        info = next(iter(info.values()))
    began = now()
    try:
        told: Any = await client.time()
        ahead = int(told[0]) + int(told[1]) / 1e6 - (began + now()) / 2
    except (TypeError, KeyError, IndexError):  # a cluster again: no one clock
        ahead = 0.0
    return RedisSeen(
        version=str(info.get("redis_version", "")),
        used=int(info.get("used_memory", 0)),
        most=int(info.get("maxmemory", 0)),
        policy=str(info.get("maxmemory_policy", "")),
        evicted=int(info.get("evicted_keys", 0)),
        replicas=int(info.get("connected_slaves", 0)),
        role=str(info.get("role", "")),
        ahead=ahead,
    )


async def _answer(asked: Awaitable[Any] | Any, name: str) -> Any:  # noqa: ANN401 redis-py's own answers
    from redis.exceptions import RedisClusterException, RedisError  # noqa: PLC0415 an extra

    from leadline.wire.redis_failures import failure  # noqa: PLC0415 as above

    try:
        return await asked
    except (RedisError, RedisClusterException, OSError, TimeoutError) as error:
        raise failure(error, of=f"the Redis at {name}") from error


async def try_sandbox(settings: Settings, folder: Path) -> str | None:
    """Prove the sandbox that the settings choose and run a program in it; return its name, `None` for no Python tool.

    Raises `SettingsError` where none holds, `ToolError`.
    """
    await loaded("leadline.sandbox.choose")
    from leadline.sandbox import choose  # noqa: PLC0415 only where programs may be run

    async with choose.open_sandbox(sandbox_options(settings, folder)) as opened:
        if opened is None:
            return None
        ran = await opened.run(Program(code="print(6 * 7)", timeout=10.0))
        if ran.stdout.strip() != "42":
            raise ToolMissing(
                f"a program ran in the sandbox and its output did not come back; it exited with {ran.exit}"
            )
        return opened.name
