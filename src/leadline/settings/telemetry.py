"""Settings of what a process tells of itself: log lines, metrics, traces."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from leadline.settings.eventlog import KAFKA, LogPlace, is_place
from leadline.settings.kinds import Choice, Key, Number, OrNone, Secret, Server, Switch, Text, Whole, setting

STDERR: Final = "stderr"
FILES: Final = ("file", "jsonl")


@dataclass(frozen=True, slots=True)
class SinkUrl:
    """Standard error, a file, or a topic of Kafka."""

    secret: bool = field(default=True, init=False)
    allowed: str = field(
        default="`stderr`, `file:///` and a path, or `kafka://BROKER:PORT[,BROKER:PORT]/TOPIC` "
        "(`kafkas://USER:PASSWORD@...?mechanism=SCRAM-SHA-512&ca=FILE` over TLS)",
        init=False,
    )

    def parse(self, raw: object, base: Path) -> LogPlace:
        """Return the address; `jsonl://` is another word for `file://`."""
        if not isinstance(raw, str):
            raise TypeError
        place = LogPlace(raw.strip())
        if place.url == STDERR:
            return place
        parts = urlsplit(place.url)
        if not place.url.isprintable() or " " in place.url or parts.fragment:
            raise ValueError
        if parts.scheme in KAFKA and is_place(place):
            return place
        if parts.scheme not in FILES or parts.netloc or not parts.path.strip("/"):
            raise ValueError
        return LogPlace(f"file://{parts.path}")


@dataclass(frozen=True, kw_only=True, slots=True)
class LogSettings:
    """Log lines of services and workers; commands of a person log only with `--debug`, or to a file or topic."""

    level: Literal["debug", "info", "warning", "error"] = setting(
        "info", Choice(("debug", "info", "warning", "error")), "The least important lines that are written."
    )
    format: Literal["auto", "json", "pretty"] = setting(
        "auto", Choice(("auto", "json", "pretty")), "JSON, or for a person. `auto`: for a person on a terminal."
    )
    content: bool = setting(
        False,
        Switch(),
        "Whether questions, arguments of tools and what exceptions say stand in log lines and traces; without, their "
        "length and a hash.",
    )
    sink: LogPlace = setting(LogPlace(STDERR), SinkUrl(), "Where lines go.")  # noqa: RUF009 makes a dataclass field
    per_second: int = setting(
        200, Whole(0), "Lines of one name in a second; what is beyond is counted instead. 0: all. Errors always pass."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricsSettings:
    """Where a worker answers `GET /metrics`, which services answer on their own port; and who may read it."""

    host: str = setting("127.0.0.1", Text(), "Address that a worker's metrics are served on.")
    port: int | None = setting(
        None, OrNone(Whole(0, 65_535)), "Port of a worker's metrics; 0 takes a free one. `none`: they are not served."
    )
    key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None,
        OrNone(Key()),
        "The bearer token that whoever reads metrics must show, at every process; never printed. `none`: only programs "
        "of this machine may read them.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceSettings:
    """OpenTelemetry traces."""

    url: str | None = setting(
        None,
        OrNone(Server()),
        "Base URL of a collector (OTLP over HTTP): `http://127.0.0.1:4318`. `none`: nothing is recorded.",
    )
    key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None, OrNone(Key()), "The bearer token that is sent to the collector; never printed."
    )
    share: float = setting(1.0, Number(0, 1), "Share of traces that is recorded, of those that begin here.")
