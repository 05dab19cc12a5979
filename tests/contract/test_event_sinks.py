"""What every log promises that events are shipped to; runs over a file, Kafka and a stream of a Redis.

No real Kafka broker: librdkafka's mock cluster stands for one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import cast

import orjson
import pytest
from tests.support.kafka import MockCluster, running_mock_cluster
from tests.support.redis import Redis, running_redis

from leadline.errors import StoreUnavailable
from leadline.eventlog.jsonl import JsonLines
from leadline.eventlog.kafka import KafkaTopic
from leadline.eventlog.redis_stream import RedisStream
from leadline.ports import EventSink, Message

NUMBERS = count()


@pytest.fixture(scope="module")
def cluster() -> Iterator[MockCluster]:
    with running_mock_cluster() as running:
        yield running


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@dataclass(frozen=True, kw_only=True)
class Log:
    """A log: how it is opened, how it is read by others, how it is cut off and brought back."""

    open: Callable[[], AbstractAsyncContextManager[EventSink]]
    read: Callable[[int], Sequence[bytes]]
    cut: Callable[[], None]
    mend: Callable[[], None]
    keeps: bool = True


def file_log(request: pytest.FixtureRequest, folder: Path) -> Log:
    path = folder / "logs" / "events.jsonl"
    aside = folder / "aside"

    def cut() -> None:
        path.parent.mkdir(exist_ok=True)
        path.parent.rename(aside)
        path.parent.write_bytes(b"")

    def mend() -> None:
        path.parent.unlink()
        aside.rename(path.parent)

    return Log(
        open=lambda: cast("AbstractAsyncContextManager[EventSink]", JsonLines.open(path, seconds=1.0)),
        read=lambda _: path.read_bytes().splitlines() if path.exists() else [],
        cut=cut,
        mend=mend,
    )


def kafka_log(request: pytest.FixtureRequest, folder: Path) -> Log:
    cluster: MockCluster = request.getfixturevalue("cluster")
    topic = cluster.topic(f"topic{next(NUMBERS)}")
    return Log(
        open=lambda: cast("AbstractAsyncContextManager[EventSink]", KafkaTopic.open(topic, seconds=2.0)),
        read=lambda least: [value for _, value in cluster.read(topic.name, least=least)],
        cut=cluster.freeze,
        mend=cluster.thaw,
    )


def redis_log(request: pytest.FixtureRequest, folder: Path) -> Log:
    server: Redis = request.getfixturevalue("redis")
    stream = f"stream{next(NUMBERS)}"

    def read(_: int) -> Sequence[bytes]:
        import redis  # noqa: PLC0415 as the product

        with redis.Redis.from_url(server.url, protocol=2) as client:
            entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(stream))
        return [fields[b"event"] for _, fields in entries]

    return Log(
        open=lambda: cast("AbstractAsyncContextManager[EventSink]", RedisStream.open(server.url, stream=stream)),
        read=read,
        cut=server.stop,
        mend=server.start,
        keeps=False,
    )


@pytest.fixture(
    params=[
        pytest.param(file_log, id="jsonl"),
        pytest.param(kafka_log, id="kafka", marks=pytest.mark.xdist_group("kafka")),
        pytest.param(redis_log, id="redis", marks=[pytest.mark.server("redis"), pytest.mark.xdist_group("redis")]),
    ]
)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Log:
    made: Log = request.param(request, tmp_path)
    return made


@pytest.fixture
async def sink(log: Log) -> AsyncIterator[EventSink]:
    async with log.open() as opened:
        yield opened


def messages(run: str, seqs: Sequence[int], *, size: int = 0) -> list[Message]:
    return [Message(run.encode(), orjson.dumps({"run": run, "seq": seq, "pad": "x" * size})) for seq in seqs]


def read(log: Log, least: int) -> dict[str, list[int]]:
    """Return the numbers of each run, in the order of the log."""
    found: dict[str, list[int]] = {}
    for value in log.read(least):
        event = orjson.loads(value)
        found.setdefault(event["run"], []).append(event["seq"])
    return found


async def test_what_is_delivered_is_there_in_order(log: Log, sink: EventSink) -> None:
    runs = ["a", "b", "c", "深"]
    for start in (1, 51):
        batch = [m for seq in range(start, start + 50) for run in runs for m in messages(run, [seq])]
        await sink.deliver(batch)
    found = await asyncio.to_thread(read, log, 400)
    assert found == {run: list(range(1, 101)) for run in runs}


async def test_nothing_is_delivered_of_nothing(log: Log, sink: EventSink) -> None:
    await sink.deliver([])
    await sink.deliver(messages("a", [1]))
    assert await asyncio.to_thread(read, log, 1) == {"a": [1]}


async def test_a_large_delivery_is_whole(log: Log, sink: EventSink) -> None:
    await sink.deliver(messages("a", range(12_000), size=200))
    assert await asyncio.to_thread(read, log, 12_000) == {"a": list(range(12_000))}


async def test_another_process_goes_on_behind(log: Log) -> None:
    for seq in (1, 2):
        async with log.open() as sink:
            await sink.deliver(messages("a", [seq]))
    assert await asyncio.to_thread(read, log, 2) == {"a": [1, 2]}


async def test_a_log_that_is_away_says_so_and_takes_the_same_again(log: Log, sink: EventSink) -> None:
    await sink.deliver(messages("a", [1, 2, 3]))
    await asyncio.to_thread(log.cut)
    try:
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await sink.deliver(messages("a", [4, 5, 6]))
    finally:
        await asyncio.to_thread(log.mend)
    await sink.deliver(messages("a", [4, 5, 6]))
    await sink.deliver(messages("a", [7]))
    found = (await asyncio.to_thread(read, log, 7 if log.keeps else 4))["a"]
    # What was on its way may be there more than once; the first of each are in order, and none is missing.
    assert list(dict.fromkeys(found)) == ([1, 2, 3] if log.keeps else []) + [4, 5, 6, 7]


async def test_an_error_names_the_log(log: Log, sink: EventSink) -> None:
    await asyncio.to_thread(log.cut)
    try:
        with pytest.raises(StoreUnavailable) as told:
            await sink.deliver(messages("a", [1]))
    finally:
        await asyncio.to_thread(log.mend)
    assert re.search(r"the event log('s (topic|stream))? `", str(told.value))
