"""Settings of what a process tells of itself: log lines, metrics, traces."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from leadline.settings.kinds import Choice, Key, Number, OrNone, Secret, Server, Switch, Text, Whole, setting

STDERR: Final = "stderr"
SINKS: Final = (STDERR, "file", "jsonl", "kafka")


@dataclass(frozen=True, slots=True)
class SinkUrl:
    """Standard error, a file, or a topic of Kafka."""

    allowed: str = field(
        default="`stderr`, `file:///` and a path, or `kafka://BROKER:PORT/TOPIC`",
        init=False,
    )

    def parse(self, raw: object, base: Path) -> str:
        """Return the address; `jsonl://` is another word for `file://`."""
        if not isinstance(raw, str):
            raise TypeError
        text = raw.strip()
        if text == STDERR:
            return text
        parts = urlsplit(text)
        path = parts.path.strip("/")
        if not text.isprintable() or not path or parts.scheme not in SINKS[1:]:
            raise ValueError
        if parts.scheme == "kafka":
            if not parts.hostname or "/" in path or parts.password is not None:
                raise ValueError
            _ = parts.port  # raises ValueError for what is no port
            return text
        if parts.netloc:
            raise ValueError
        return f"file://{parts.path}"


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
        "Whether questions and arguments of tools stand in log lines and traces; without, their length and a hash.",
    )
    sink: str = setting(STDERR, SinkUrl(), "Where lines go.")
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
