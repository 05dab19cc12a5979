"""`EventSink` as a topic of Kafka, by librdkafka's idempotent producer.

A run's messages have one key, hence one partition, hence an order. The broker takes a producer's
batches without a gap and each once; after a failure nothing that was queued is left to come later,
and a new producer delivers the whole again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from leadline.errors import MissingExtra, StoreError, StoreUnavailable
from leadline.ports import Message
from leadline.wire.kafka import Topic

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer

log = logging.getLogger("leadline.eventlog.kafka")

SECONDS: Final = 10.0
_SLICE: Final = 0.1
_QUEUE_MESSAGES: Final = 10_000
_QUEUE_KBYTES: Final = 65_536


class KafkaTopic:
    """Delivers to one topic; made by `open`."""

    def __init__(self, topic: Topic, *, seconds: float) -> None:
        """Take the topic; see `open`."""
        self._topic = topic
        self._seconds = seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="leadline-kafka")
        self._producer: Producer | None = None
        self._closing = False

    @classmethod
    @asynccontextmanager
    async def open(cls, topic: Topic, *, seconds: float = SECONDS) -> AsyncIterator[Self]:
        """Open the topic for the length of the context; nothing is connected before the first delivery.

        `seconds` bounds each delivery. Raises `MissingExtra`.
        """
        sink = cls(topic, seconds=seconds)
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(sink._thread, _import)
            yield sink
        finally:
            sink._closing = True
            await loop.run_in_executor(sink._thread, sink._drop)
            await loop.run_in_executor(None, sink._thread.shutdown)

    async def deliver(self, messages: Sequence[Message]) -> None:
        """See `EventSink`."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._deliver, messages)

    def _deliver(self, messages: Sequence[Message]) -> None:
        from confluent_kafka import KafkaException  # noqa: PLC0415 an extra

        end = time.monotonic() + self._seconds
        failures: list[KafkaError] = []

        def told(error: KafkaError | None, _message: object) -> None:
            if error is not None:
                failures.append(error)

        try:
            producer = self._producer or self._connect()
            for message in messages:
                self._produce(producer, message, told=told, end=end)
            while producer.flush(_SLICE) and not failures:
                self._check(end)
        except KafkaException as error:
            self._drop()
            raise self._translated(error.args[0]) from error
        except BaseException:
            self._drop()
            raise
        if failures:
            self._drop()
            raise self._translated(failures[0])

    def _produce(self, producer: Producer, message: Message, *, told: Any, end: float) -> None:  # noqa: ANN401 a callback
        """Queue a message; wait for room where the queue is full."""
        while True:
            try:
                producer.produce(self._topic.name, key=message.key, value=message.value, on_delivery=told)
            except BufferError:
                self._check(end)
                producer.poll(_SLICE)
            else:
                return

    def _check(self, end: float) -> None:
        if self._closing or time.monotonic() > end:
            raise StoreUnavailable(f"{self._said} did not take messages in {self._seconds:g} s")

    def _connect(self) -> Producer:
        from confluent_kafka import Producer  # noqa: PLC0415 an extra

        self._producer = Producer(_configuration(self._topic), logger=log)
        return self._producer

    def _drop(self) -> None:
        """Forget the producer and all that it has not delivered."""
        if self._producer is not None:
            self._producer.purge(in_queue=True, in_flight=True, blocking=True)
            self._producer.flush(_SLICE)
            self._producer = None

    @property
    def _said(self) -> str:
        return f"the event log's topic `{self._topic.name}` at {self._topic.brokers}"

    def _translated(self, error: KafkaError) -> StoreError:
        if error.retriable() or error.code() < 0:
            return StoreUnavailable(f"{self._said} cannot be reached: {error.str()}")
        return StoreError(f"{self._said} refuses messages: {error.str()} ({error.name()})")


def _import() -> None:
    try:
        import confluent_kafka  # noqa: F401, PLC0415 an extra, tried before it is needed
    except ImportError as error:
        raise MissingExtra("Kafka needs an extra: pip install 'leadline[kafka]'") from error


def _configuration(topic: Topic) -> dict[str, Any]:
    return topic.reached() | {
        "enable.idempotence": True,
        "compression.type": "lz4",
        "linger.ms": 5,
        # Our own deadline drops the producer; a message that ended by itself would leave a gap.
        "message.timeout.ms": 0,
        "queue.buffering.max.messages": _QUEUE_MESSAGES,
        "queue.buffering.max.kbytes": _QUEUE_KBYTES,
    }
