"""`EventSink` as a stream of a Redis: entries with the fields `key` and `event`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from leadline.ports import Message
from leadline.wire.redis import open_redis
from leadline.wire.redis_failures import failure

if TYPE_CHECKING:
    from redis.asyncio import Redis

LENGTH: Final = 1_000_000
SECONDS: Final = 10.0


class RedisStream:
    """Adds entries to one stream, which keeps about the newest `length`; made by `open`.

    What the server has acknowledged it may still lose with its memory: whether it writes entries to
    its disk first is set there (`appendfsync`).
    """

    def __init__(self, client: Redis, *, stream: str, length: int) -> None:
        """Take the client of the Redis; see `open`."""
        self._client = client
        self._stream = stream
        self._length = length

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, *, stream: str, length: int = LENGTH, seconds: float = SECONDS
    ) -> AsyncIterator[Self]:
        """Open the stream for the length of the context; `seconds` bounds each delivery.

        `url` is as for the cache. Raises `MissingExtra`, `SettingsError`.
        """
        async with open_redis(url, connections=1, seconds=seconds) as client:
            yield cls(client, stream=stream, length=length)

    async def deliver(self, messages: Sequence[Message]) -> None:
        """See `EventSink`. All of `messages` or none are added."""
        from redis.exceptions import RedisError  # noqa: PLC0415 an extra

        try:
            async with self._client.pipeline(transaction=True) as pipe:
                for message in messages:
                    fields: dict[Any, Any] = {"key": message.key, "event": message.value}
                    _ = pipe.xadd(self._stream, fields, maxlen=self._length, approximate=True)
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise failure(error, of=f"the Redis of the event log's stream `{self._stream}`") from error
