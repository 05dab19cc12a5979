"""librdkafka's mock cluster in a process of its own: three brokers that speak Kafka's protocol over TCP.

No real broker: it keeps messages in memory, makes any topic it is asked for, and knows neither TLS
nor SASL nor retention.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from leadline.wire.kafka import Topic

_PROGRAM = """
import sys
from confluent_kafka import Producer
cluster = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 3, "log_level": 0})
brokers = cluster.list_topics(timeout=10).brokers.values()
print(",".join(f"{broker.host}:{broker.port}" for broker in brokers), flush=True)
sys.stdin.read()
"""


class MockCluster:
    """A running cluster. `freeze` makes it silent, as a network cut would; `thaw` brings it back with its data."""

    def __init__(self, process: subprocess.Popen[str], brokers: str) -> None:
        self._process = process
        self.brokers = brokers

    def topic(self, name: str) -> Topic:
        """Return a topic of it."""
        return Topic(brokers=self.brokers, name=name)

    def freeze(self) -> None:
        """Stop it where it stands."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self._process.pid, signal.SIGCONT)

    def read(self, topic: str, *, least: int = 0, seconds: float = 15.0) -> list[tuple[bytes, bytes]]:
        """Return key and value of everything in a topic, a partition after the other; wait for `least` messages."""
        from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition  # noqa: PLC0415 as the product

        consumer = Consumer(
            {"bootstrap.servers": self.brokers, "group.id": "readers", "enable.partition.eof": True, "log_level": 0}
        )
        try:
            partitions = sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
            found: dict[int, list[tuple[bytes, bytes]]] = {number: [] for number in partitions}
            consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
            ended: set[int] = set()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                message = consumer.poll(0.1)
                if message is None:
                    continue
                error, number = message.error(), message.partition() or 0
                if error is None:
                    found[number].append((message.key() or b"", message.value() or b""))
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add(number)
                if len(ended) == len(partitions) and sum(map(len, found.values())) >= least:
                    break
            return [pair for number in partitions for pair in found[number]]
        finally:
            consumer.close()


@contextmanager
def running_mock_cluster() -> Iterator[MockCluster]:
    """Yield a cluster that runs; it is gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        brokers = process.stdout.readline().strip()
        if not brokers:
            raise RuntimeError("the mock cluster did not start")
        yield MockCluster(process, brokers)
    finally:
        process.kill()
        process.communicate()
