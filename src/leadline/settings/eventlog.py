"""Settings of the event log: where journals are shipped to, and what of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from leadline.settings.kinds import OrNone, Size, Switch, Text, Whole, setting
from leadline.settings.masking import masked
from leadline.settings.redis import IN_WORDS, REDIS, is_secure, options_of

OFF: Final = "off"
JSONL: Final = "jsonl"
KAFKA: Final = ("kafka", "kafkas")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
STREAM: Final = "leadline"

_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_BROKER: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?")
_OPTIONS: Final = {"kafka": {"mechanism", "ca"}, "jsonl": set[str]()}
_OF_STREAM: Final = frozenset({"stream"})


@dataclass(frozen=True, slots=True)
class LogPlace:
    """The address of a log; it never prints a user or password."""

    url: str = OFF

    @property
    def scheme(self) -> str:
        """The scheme, `off` where there is none."""
        return self.url.partition("://")[0]

    @property
    def path(self) -> Path | None:
        """The path of a `jsonl://` address that has one."""
        path = unquote(self._parts.path)
        return Path(path) if path else None

    @property
    def brokers(self) -> str:
        """The brokers of a Kafka."""
        return self._parts.netloc.rpartition("@")[2]

    @property
    def topic(self) -> str:
        """The topic of a Kafka."""
        return self._parts.path.strip("/")

    @property
    def user(self) -> str | None:
        """The user, if the address has one."""
        name = self._parts.netloc.rpartition("@")[0].partition(":")[0]
        return unquote(name) or None

    @property
    def password(self) -> str | None:
        """The password, if the address has one."""
        word = self._parts.netloc.rpartition("@")[0].partition(":")[2]
        return unquote(word) or None

    @property
    def stream(self) -> str:
        """The stream of a Redis."""
        return self.option("stream") or STREAM

    @property
    def server(self) -> str:
        """The address of a Redis without what names the stream."""
        rest = [word for word in self._parts.query.split("&") if not word.startswith("stream=")]
        return self._parts._replace(query="&".join(rest)).geturl()

    @property
    def name(self) -> str:
        """What the store knows the log by: without servers, which may change while the log stays the same."""
        if self.scheme in KAFKA:
            return f"kafka:{self.topic}"
        if self.scheme in REDIS:
            return f"redis:{self.stream}"
        return f"{self.scheme}:{self.path or ''}"

    def option(self, name: str) -> str | None:
        """Return an option of the address's query."""
        return dict(parse_qsl(self._parts.query)).get(name)

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    def __str__(self) -> str:
        return masked(self.url)

    def __repr__(self) -> str:
        return f"LogPlace({str(self)!r})"


@dataclass(frozen=True, slots=True)
class LogUrl:
    """Off, a file, a topic of Kafka, or a stream of a Redis."""

    secret: bool = field(default=True, init=False)

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        return (
            "`off`, `jsonl://` for the data folder, `jsonl:///` and a path, `kafka://BROKER:PORT[,BROKER:PORT]/TOPIC` "
            "(`kafkas://USER:PASSWORD@...?mechanism=SCRAM-SHA-512&ca=FILE` over TLS), or "
            f"`redis://HOST:PORT/0?stream=NAME` (`rediss://` and `redis+cluster://` too; {IN_WORDS})"
        )

    def parse(self, raw: object, base: Path) -> LogPlace:
        """Return the address."""
        if not isinstance(raw, str):
            raise TypeError
        text = raw.strip()
        if text == OFF:
            return LogPlace()
        place = LogPlace(text)
        if "://" not in text or not text.isprintable() or " " in text:
            raise ValueError
        if not is_place(place) or urlsplit(text).fragment:
            raise ValueError
        return place


def is_place(place: LogPlace) -> bool:
    """Whether an address is one of a log; raises `ValueError` for some that are none."""
    parts = urlsplit(place.url)
    if place.scheme in REDIS:
        _ = options_of(parts.query, secure=is_secure(place.scheme), beside=_OF_STREAM)  # raises ValueError
        _ = parts.port  # as above
        return bool(parts.hostname)
    given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    kind = "kafka" if place.scheme in KAFKA else place.scheme
    if any(name not in _OPTIONS.get(kind, set()) or not value for name, value in given):
        return False
    if kind == "kafka":
        brokers = all(_BROKER.fullmatch(broker) for broker in place.brokers.split(","))
        known = (place.option("mechanism") or MECHANISMS[-1]) in MECHANISMS
        return brokers and known and bool(_TOPIC.fullmatch(place.topic))
    return kind == JSONL and not parts.netloc


@dataclass(frozen=True, kw_only=True, slots=True)
class EventsSettings:
    """What the event log gets, and how much is kept there."""

    bodies: bool = setting(
        False,
        Switch(),
        "Whether events are shipped whole, with questions, answers and what tools gave, not as envelopes alone.",
    )
    body_bytes: int = setting(256 << 10, Size(1), "Size of an event above which its body is left out all the same.")
    name: str | None = setting(
        None,
        OrNone(Text()),
        "The name under which the store remembers how far the log is. `none`: made of the address. A new name ships "
        "everything that is stored once more.",
    )
    rotate: int = setting(128 << 20, Size(4096), "Size at which a file of the log is closed and the next one begun.")
    keep: int = setting(16, Whole(1, 100_000), "Closed files of the log that are kept.")
    length: int = setting(1_000_000, Whole(1), "Entries that a stream of a Redis keeps, about.")
