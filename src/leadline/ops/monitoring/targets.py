"""What is watched, how often, and from where on somebody is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Final

from leadline.errors import SettingsError

_PLACE: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):\d{1,5}")
_PATH: Final = re.compile(r"[A-Za-z0-9._/@+-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Targets:
    """Where metrics are answered, `host:port` each; an empty part is not there, and is not missed.

    `models` are gateways (`leadline serve-models`), `gpu` exporters of NVIDIA's DCGM or of
    nvidia-smi. `key_file` holds the bearer token of Leadline's own processes (`LEADLINE_METRICS__KEY`).
    Raises `SettingsError` for what is no place.
    """

    service: tuple[str, ...]
    worker: tuple[str, ...]
    tools: tuple[str, ...]
    vllm: tuple[str, ...]
    gpu: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    alertmanager: str
    key_file: str | None = None

    def __post_init__(self) -> None:
        """Refuse what Prometheus could not ask."""
        places = [place for _, named in self.jobs() for place in named]
        wrong = [place for place in (*places, self.alertmanager) if not _PLACE.fullmatch(place)]
        if self.key_file is not None and not _PATH.fullmatch(self.key_file):
            wrong.append(self.key_file)
        if wrong:
            raise SettingsError(f"not a place to ask for metrics: {wrong[0]!r}; write HOST:PORT")

    def jobs(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield each job that has targets, with them."""
        for name, places in (
            ("vllm", self.vllm),
            ("leadline-service", self.service),
            ("leadline-worker", self.worker),
            ("leadline-tools", self.tools),
            ("leadline-models", self.models),
            ("gpu", self.gpu),
        ):
            if places:
                yield name, places


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """From where on somebody is told. Shares are parts of one, money US dollars."""

    errors: float = 0.1
    latency_seconds: float = 1800.0
    tool_errors: float = 0.2
    queue_seconds: float = 300.0
    lease_expiries: int = 5
    usd_per_hour: float = 20.0
    usual_spend: float = 4.0
    quota: float = 0.9
    unsupported: float = 0.25
    empty_searches: float = 0.5
    event_log_seconds: float = 300.0
    disk_free: float = 0.1
    gpu_memory: float = 0.97
    gpu_celsius: float = 88.0

    def __post_init__(self) -> None:
        """Refuse what would always, or never, fire."""
        wrong = [field.name for field in fields(self) if not getattr(self, field.name) > 0]
        if wrong:
            raise SettingsError(f"a threshold must be above 0: {wrong[0]}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How often is asked and judged, in seconds; `patience` stretches how long a fault must last before it is told."""

    scrape: float = 15.0
    evaluate: float = 15.0
    patience: float = 1.0
