"""How log lines are shaped and where they go.

All of Leadline logs by the standard library's `logging`, with a constant name and fields in
`extra`; here is the one handler behind it. Whoever logs only hands the record over: a thread of its
own shapes and writes lines, so that no slow terminal, disk or broker holds up the event loop.
"""

from __future__ import annotations

import logging
import queue
import sys
import time
from collections import Counter
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener, WatchedFileHandler
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeAlias

import orjson
import structlog

from leadline.errors import MissingExtra, SettingsError
from leadline.ports.correlation import current
from leadline.resilience import Monotonic
from leadline.telemetry.content import Failures
from leadline.telemetry.redaction import Redactor
from leadline.wire.kafka import Topic

Format: TypeAlias = Literal["auto", "json", "pretty"]

ROOT: Final = "leadline"
SAMPLED: Final = "log_sampled"
"""Name of the line that tells how many lines of which names were left out."""

MOST_WAITING: Final = 10_000
"""Lines that may wait to be written; of more the newest are lost, and counted."""

_QUEUE_MESSAGES: Final = 10_000
_QUEUE_KBYTES: Final = 16_384
_WINDOW: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What is logged and how: `per_second` lines of one name pass, 0 lets all; what failures say with `content`."""

    level: str = "info"
    format: Format = "auto"
    per_second: int = 200
    process: str = ""
    content: bool = False


class Producer(Protocol):
    """What sends lines to a broker: confluent-kafka's `Producer` is one."""

    def produce(self, topic: str, value: bytes) -> None:
        """Hand a message over; raises `BufferError` where too many wait."""
        ...

    def poll(self, timeout: float) -> int:
        """Serve what was delivered."""
        ...

    def flush(self, timeout: float) -> int:
        """Wait for what was handed over."""
        ...


class Flood(logging.Filter):
    """Lets `per_second` lines of a name pass in each second; errors always. What it left out it tells afterwards."""

    def __init__(self, per_second: int, *, monotonic: Monotonic = time.monotonic) -> None:
        super().__init__()
        self._per_second = per_second
        self._monotonic = monotonic
        self._began = monotonic()
        self._passed: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line passes."""
        if not self._per_second or record.levelno >= logging.ERROR or record.msg == SAMPLED:
            return True
        now = self._monotonic()
        if now - self._began >= _WINDOW:
            self._began = now
            self._passed.clear()
            left_out, self._left_out = self._left_out, Counter()
            if left_out:
                logging.getLogger(ROOT).warning(SAMPLED, extra={"left_out": dict(left_out)})
        name = str(record.msg)
        self._passed[name] += 1
        if self._passed[name] <= self._per_second:
            return True
        self._left_out[name] += 1
        return False


class _HandOver(QueueHandler):
    """Gives a record what the present work belongs to, and hands it to the writing thread."""

    def __init__(self, waiting: queue.Queue[logging.LogRecord], shape: Shape) -> None:
        super().__init__(waiting)
        self._process = shape.process
        self.lost = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Complete the record, in the thread that logs."""
        ids = current()
        known = vars(record)
        for name, value in (
            ("run", ids.run),
            ("tenant", ids.tenant),
            ("request", ids.request),
            ("call", ids.call),
            ("trace", ids.trace.trace if ids.trace is not None else ""),
            ("process_name", self._process),
        ):
            if value and not known.get(name):
                known[name] = value
        if known.get("run"):
            known.setdefault("task_id", known["run"])
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Hand it over, or count it as lost."""
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.lost += 1


class _Writing(QueueListener):
    """The writing thread."""

    def __init__(self, waiting: queue.Queue[Any], sink: logging.Handler) -> None:
        super().__init__(waiting, sink)
        self._waiting = waiting

    def enqueue_sentinel(self) -> None:
        """Ask it to end once all is written, however much waits."""
        self._waiting.put(None)


class KafkaHandler(logging.Handler):
    """Sends each line as a message to a topic; what a broker that is away cannot take is dropped."""

    def __init__(self, producer: Producer, topic: str) -> None:
        super().__init__()
        self._producer = producer
        self._topic = topic

    def emit(self, record: logging.LogRecord) -> None:
        """Send a line."""
        try:
            self._producer.produce(self._topic, self.format(record).encode())
        except BufferError:  # the broker is away and its queue is full: logs are not worth more
            return
        self._producer.poll(0)

    def close(self) -> None:
        """Wait a moment for what is on its way."""
        self._producer.flush(2.0)
        super().close()


@contextmanager
def logging_to(sink: logging.Handler, shape: Shape, *, secrets: Sequence[str] = ()) -> Iterator[None]:
    """Let the program's log go to `sink` while the context is open; then all is as it was."""
    pretty = _is_pretty(shape, sink)
    sink.setFormatter(formatter(pretty=pretty, redactor=Redactor(secrets), content=shape.content))
    waiting: queue.Queue[logging.LogRecord] = queue.Queue(MOST_WAITING)
    hand_over = _HandOver(waiting, shape)
    hand_over.addFilter(Flood(shape.per_second))
    listener = _Writing(waiting, sink)
    logger = logging.getLogger(ROOT)
    before = (logger.handlers[:], logger.level, logger.propagate)
    logger.handlers[:] = [hand_over]
    logger.setLevel(shape.level.upper())
    logger.propagate = False
    listener.start()
    try:
        yield
    finally:
        logger.handlers[:], logger.propagate = before[0], before[2]
        logger.setLevel(before[1])
        listener.stop()
        sink.close()


def formatter(*, pretty: bool, redactor: Redactor, content: bool = False) -> logging.Formatter:
    """Return what makes a line of a record: JSON with its text as it is, or colours for a person."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _stamped,
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, Failures(content=content), redactor]
    last.append(structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(serializer=_json))
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last)


def _stamped(_logger: object, _name: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add when the line was logged; it may be written a moment later."""
    fields["timestamp"] = datetime.fromtimestamp(fields["_record"].created, UTC).isoformat(timespec="milliseconds")
    return fields


def terminal() -> logging.Handler:
    """Return a handler to standard error."""
    return logging.StreamHandler(sys.stderr)


def file(path: Path) -> logging.Handler:
    """Return a handler that appends to a file, and to a new one where it was moved away. Raises `SettingsError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return WatchedFileHandler(path, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"`log.sink`: cannot write to {path}: {error.strerror}") from error


def kafka(topic: Topic) -> logging.Handler:
    """Return a handler to a topic. Raises `MissingExtra`."""
    try:
        from confluent_kafka import Producer as KafkaProducer  # noqa: PLC0415 an extra
    except ImportError as error:
        raise MissingExtra("`log.sink` is Kafka, which needs an extra: pip install 'leadline[kafka]'") from error
    config = topic.reached() | {
        "linger.ms": 50,
        "compression.type": "lz4",
        "message.timeout.ms": 30_000,
        "queue.buffering.max.messages": _QUEUE_MESSAGES,
        "queue.buffering.max.kbytes": _QUEUE_KBYTES,
        "log_level": 0,  # its own log would go where the lines go
    }
    return KafkaHandler(KafkaProducer(config), topic.name)


def _is_pretty(shape: Shape, sink: logging.Handler) -> bool:
    if shape.format != "auto":
        return shape.format == "pretty"
    stream = getattr(sink, "stream", None)
    return type(sink) is logging.StreamHandler and stream is not None and stream.isatty()


def _json(value: object, **_options: object) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
