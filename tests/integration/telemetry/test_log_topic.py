"""Log lines to a topic of Kafka: librdkafka's mock cluster stands for one."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import orjson
import pytest
from tests.support.kafka import MockCluster, running_mock_cluster

from leadline.settings import load
from leadline.telemetry.logs import Shape, kafka, logging_to
from leadline.wire.kafka import Topic
from leadline.wiring.kafka import topic_of

log = logging.getLogger("leadline.test")


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with running_mock_cluster() as running:
        yield running


def test_lines_arrive_as_they_were_written(cluster: MockCluster) -> None:
    sink = load(flags={"log.sink": f"kafka://{cluster.brokers}/lines"}, environ={}).log.sink
    with logging_to(kafka(topic_of(sink)), Shape(format="json")):
        for number in range(50):
            log.warning("odd", extra={"number": number, "text": "汉字"})
    lines = [orjson.loads(body) for _, body in cluster.read("lines", least=50)]
    assert sorted(line["number"] for line in lines) == list(range(50))
    assert {line["text"] for line in lines} == {"汉字"}


def test_a_cluster_that_is_silent_holds_nobody_up(cluster: MockCluster) -> None:
    handler = kafka(cluster.topic("lines"))
    cluster.freeze()
    with logging_to(handler, Shape(format="json", per_second=0)):
        before = time.thread_time()
        started = time.monotonic()
        for number in range(2_000):
            log.warning("odd", extra={"number": number})
        assert time.monotonic() - started < 60.0
        assert time.thread_time() - before < 10.0
        cluster.thaw()


def test_the_way_to_the_brokers_is_the_settings() -> None:
    address = "kafkas://us%40er:pa%3Ass@b1:9092,b2:9092/lines?mechanism=PLAIN&ca=/etc/ca.pem"
    way = topic_of(load(flags={"log.sink": address}, environ={}).log.sink).reached()
    assert way["bootstrap.servers"] == "b1:9092,b2:9092"
    assert (way["security.protocol"], way["ssl.ca.location"]) == ("sasl_ssl", "/etc/ca.pem")
    assert (way["sasl.mechanisms"], way["sasl.username"], way["sasl.password"]) == ("PLAIN", "us@er", "pa:ss")
    assert Topic(brokers="b:9092", name="t").reached()["security.protocol"] == "plaintext"
