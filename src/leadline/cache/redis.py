"""The second level of many machines, in Redis; each command touches one key, so a cluster serves too.

A namespace's version begins with the time at which it was made, so that one that Redis evicted
comes back higher, never lower: what was invalidated stays so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

import orjson

from leadline.cache.envelope import Unpacker, pack
from leadline.cache.keys import APP, SCHEMA
from leadline.cache.patterns import fits, short
from leadline.cache.types import Entry, Heard, News, StoreUsage
from leadline.resilience import Owned
from leadline.wire.redis_failures import Outage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis.asyncio import Redis

log = logging.getLogger("leadline.cache")

RECHECK: Final = 5.0
"""Seconds for which a version is believed; messages come sooner, unless one is lost."""

_CHANNEL: Final = f"{APP}:{SCHEMA}:news"
_INDEX: Final = f"{APP}:{SCHEMA}:index"
_AT_ONCE: Final = 500
_PACK_BESIDE: Final = 256 << 10
_NEWS_SECONDS: Final = 60.0
_RECONNECT_SECONDS: Final = 0.5
_BUMP: Final = """
local version = redis.call('INCR', KEYS[1])
if version < 1e12 then
  local clock = redis.call('TIME')
  version = clock[1] * 1000 + math.floor(clock[2] / 1000)
  redis.call('SET', KEYS[1], string.format('%d', version))
end
return string.format('%d', version)
"""
_LEASE: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RELEASE: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('UNLINK', KEYS[1]) end return 0"


class RedisCache:
    """`Store` over a Redis. Use as `async with RedisCache.open(client) as store`."""

    def __init__(self, client: Redis, *, now: Callable[[], float]) -> None:
        from redis.exceptions import RedisClusterException, RedisError  # noqa: PLC0415 an extra: a client has it

        self._client = client
        self._now = now
        self._away = (RedisError, RedisClusterException, OSError, TimeoutError)
        self._outage = Outage(log, of="the cache's Redis")
        self._unpack = Unpacker()
        self._listeners: list[Heard] = []
        self._bump = client.register_script(_BUMP)
        self._lease = client.register_script(_LEASE)
        self._release = client.register_script(_RELEASE)

    @classmethod
    @asynccontextmanager
    async def open(cls, client: Redis, *, now: Callable[[], float]) -> AsyncIterator[RedisCache]:
        """Listen to other processes while the context lasts; Redis may be away at the start and later."""
        store = cls(client, now=now)
        async with Owned("cache/redis") as tasks:
            listening = asyncio.Event()
            tasks.start(store._hear(listening), name="news")
            await listening.wait()
            yield store

    @property
    def recheck(self) -> float:
        """See `Versions.recheck`."""
        return RECHECK

    async def get(self, key: str) -> Entry | None:
        """See `Entries.get`."""
        with self._translated():
            data = await self._client.get(key)
        entry = self._unpack(data) if isinstance(data, bytes) else None
        return entry if entry is not None and entry.hard > self._now() else None

    async def put(self, key: str, entry: Entry, *, label: str, tell: bool = False) -> None:
        """See `Entries.put`."""
        milliseconds = int((entry.hard - self._now()) * 1000)
        if milliseconds <= 0:
            return
        beside = len(entry.body) > _PACK_BESIDE
        envelope = await asyncio.to_thread(pack, entry) if beside else pack(entry)
        with self._translated():
            pipeline = self._client.pipeline(transaction=False)
            _ = pipeline.set(key, envelope, px=milliseconds)
            _ = pipeline.zremrangebyscore(_INDEX, "-inf", self._now())
            _ = pipeline.zadd(_INDEX, {f"{key} {short(label)}": entry.hard})
            await pipeline.execute()
            if tell:
                await self._client.publish(_CHANNEL, orjson.dumps({"keys": [key]}))

    async def drop(self, keys: Sequence[str]) -> int:
        """See `Entries.drop`."""
        gone = 0
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            with self._translated():
                pipeline = self._client.pipeline(transaction=False)
                for key in some:
                    _ = pipeline.execute_command("UNLINK", key)  # `unlink` of a cluster takes no part in pipelines
                gone += sum(await pipeline.execute())
                await self._client.publish(_CHANNEL, orjson.dumps({"keys": list(some)}))
        return gone

    async def find(self, pattern: str) -> Sequence[str]:
        """See `Entries.find`. What Redis has evicted is dropped from the index on the way."""
        fit = fits(pattern)
        members: list[bytes] = []
        with self._translated():
            async for member, _score in self._client.zscan_iter(_INDEX, count=1_000):
                if fit(member.decode().partition(" ")[2]):
                    members.append(member)
        keys: list[str] = []
        for start in range(0, len(members), _AT_ONCE):
            keys += await self._there(members[start : start + _AT_ONCE])
        return keys

    async def _there(self, members: Sequence[bytes]) -> list[str]:
        keys = [member.decode().partition(" ")[0] for member in members]
        with self._translated():
            pipeline = self._client.pipeline(transaction=False)
            for key in keys:
                _ = pipeline.exists(key)
            held = await pipeline.execute()
            gone = [member for member, there in zip(members, held, strict=True) if not there]
            if gone:
                await self._client.zrem(_INDEX, *gone)
        return [key for key, there in zip(keys, held, strict=True) if there]

    async def usage(self) -> StoreUsage:
        """See `Entries.usage`; the bytes are those of the whole server."""
        with self._translated():
            await self._client.zremrangebyscore(_INDEX, "-inf", self._now())
            entries = await self._client.zcard(_INDEX)
            memory = await self._client.info("memory")
        return StoreUsage(entries=entries, bytes=int(memory.get("used_memory", 0)))

    async def version(self, namespace: str) -> int:
        """See `Versions.version`."""
        with self._translated():
            known = await self._client.get(_versioned(namespace))
            if known is not None:
                return int(known)
            begin = int(self._now() * 1000)
            await self._client.set(_versioned(namespace), begin, nx=True)
            return int(await self._client.get(_versioned(namespace)) or begin)

    async def bump(self, namespace: str) -> int:
        """See `Versions.bump`."""
        with self._translated():
            version = int(await self._bump(keys=[_versioned(namespace)]))
            await self._client.publish(_CHANNEL, orjson.dumps({"namespace": namespace, "version": version}))
        return version

    async def look(self) -> None:
        """See `Versions.look`: messages come by themselves."""

    def listen(self, heard: Heard) -> None:
        """See `Versions.listen`."""
        self._listeners.append(heard)

    async def lease(self, key: str, token: str, *, seconds: float) -> bool:
        """See `Leases.lease`."""
        with self._translated():
            return bool(await self._lease(keys=[f"{key}:lease"], args=[token, int(seconds * 1000)]))

    async def release(self, key: str, token: str) -> None:
        """See `Leases.release`."""
        with self._translated():
            await self._release(keys=[f"{key}:lease"], args=[token])

    # --- news

    async def _hear(self, listening: asyncio.Event) -> None:
        """Pass messages on, for ever; after a gap nobody knows what was missed."""
        missed = False
        while True:
            try:
                await self._listen(listening, missed=missed)
            except self._away as error:
                _still_wanted(error)
                listening.set()
                missed = True
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen(self, listening: asyncio.Event, *, missed: bool) -> None:
        async with self._client.pubsub(ignore_subscribe_messages=True) as messages:
            _ = await self._client.initialize()  # a cluster must know its nodes first
            await messages.subscribe(_CHANNEL)
            if missed:
                self._tell(News(everything=True))
            listening.set()
            while True:
                self._pass_on(await messages.get_message(timeout=_NEWS_SECONDS))

    def _pass_on(self, message: Any) -> None:  # noqa: ANN401 redis-py's messages are plain dicts
        if message is None:
            return
        try:
            told = orjson.loads(message["data"])
            keys, namespace = tuple(map(str, told.get("keys", ()))), told.get("namespace")
            news = News(keys=keys, namespace=namespace, version=int(told.get("version", 0)))
        except (ValueError, AttributeError, TypeError):
            news = News(everything=True)  # of a newer version, perhaps: forget all to be safe
        self._tell(news)

    def _tell(self, news: News) -> None:
        for heard in self._listeners:
            heard(news)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._away as error:
            raise self._outage.failed(error) from error
        self._outage.answered()


def _still_wanted(error: Exception) -> None:
    """End a task that was cancelled while a connection was being made, where the driver turned that into `error`."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from error


def _versioned(namespace: str) -> str:
    return f"{namespace}:version"
