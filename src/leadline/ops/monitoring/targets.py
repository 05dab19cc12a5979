"""What is watched, how often, and from where on somebody is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Final, TypeAlias

from leadline.errors import SettingsError

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_PLACE: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):\d{1,5}")
_PATH: Final = re.compile(r"[A-Za-z0-9._/@+-]+")
_URL: Final = re.compile(r"https?://[A-Za-z0-9._~:/@%\[\]+-]+")

KIND: Final = "process"
"""The label that says which part a found process is: one that no metric has, for Prometheus renames the metric's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """Processes behind one name of DNS, each an address of it: replicas of compose. Fewer than `least` are missed.

    Raises `SettingsError` for what is no name.
    """

    part: str
    port: int
    least: int = 1

    def __post_init__(self) -> None:
        """Refuse what could not be looked up."""
        _check_named(self.part, self.least)
        if not 0 < self.port < 65_536:
            raise SettingsError(f"not a port: {self.port}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pods:
    """Pods of Kubernetes that are labelled `app.kubernetes.io/name: PART`. Fewer than `least` are missed.

    `port` is the name of the container's. Raises `SettingsError` for what is no name.
    """

    part: str
    namespace: str
    port: str = "http"
    least: int = 1

    def __post_init__(self) -> None:
        """Refuse what could not be found."""
        for name in (self.part, self.namespace, self.port):
            _check_named(name, self.least)


Found: TypeAlias = Named | Pods
"""Processes that Prometheus finds by itself, as many as there are at the time."""

Place: TypeAlias = str | Found
"""One process at `HOST:PORT`, or several that are found. A name for several must not stand as a `HOST`: each
question would go to another of them, and what they count would go up and down."""


def _host(place: Place) -> str:
    """Return where a place's HTTP answers, as its own network names it."""
    if isinstance(place, Named):
        return f"{place.part}:{place.port}"
    return f"{place.part}.{place.namespace}.svc" if isinstance(place, Pods) else place


def _check_named(name: str, least: int) -> None:
    if not _NAME.fullmatch(name) or least < 1:
        raise SettingsError(f"not a part to ask for metrics: {name!r}, at least {least}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Targets:
    """Where metrics are answered; an empty part is not there, and is not missed.

    `models` are gateways (`leadline serve-models`), `gpu` exporters of NVIDIA's DCGM or of
    nvidia-smi. `key_file` holds the bearer token of Leadline's own processes (`LEADLINE_METRICS__KEY`).
    `runbooks` is the address below which alerts' runbooks answer, each by its file's name: for those
    who are told, a balancer's `/runbooks` or a site of their own; by default that of the first service.
    Raises `SettingsError` for what is no place.
    """

    service: tuple[Place, ...]
    worker: tuple[Place, ...]
    tools: tuple[Place, ...]
    vllm: tuple[Place, ...]
    gpu: tuple[Place, ...] = ()
    models: tuple[Place, ...] = ()
    alertmanager: str
    key_file: str | None = None
    runbooks: str | None = None

    def __post_init__(self) -> None:
        """Refuse what Prometheus could not ask."""
        places = [place for _, named in self.jobs() for place in named if isinstance(place, str)]
        wrong = [place for place in (*places, self.alertmanager) if not _PLACE.fullmatch(place)]
        if self.key_file is not None and not _PATH.fullmatch(self.key_file):
            wrong.append(self.key_file)
        if wrong:
            raise SettingsError(f"not a place to ask for metrics: {wrong[0]!r}; write HOST:PORT")
        if self.runbooks is not None and not _URL.fullmatch(self.runbooks):
            raise SettingsError(f"not an address of runbooks: {self.runbooks!r}")
        for job, named in self.jobs():
            if len({isinstance(place, Pods) for place in named}) > 1:
                raise SettingsError(f"pods and other places do not go into one job: {job}")

    def found(self) -> Iterator[tuple[str, Found]]:
        """Yield what Prometheus finds by itself, with its job."""
        for job, places in self.jobs():
            for place in places:
                if not isinstance(place, str):
                    yield job, place

    def runbook(self, name: str) -> str:
        """Return the address of a runbook, the file's name given; without a service its path in the project."""
        base = self.runbooks
        if base is None and self.service:
            base = f"http://{_host(self.service[0])}/runbooks"
        return f"docs/runbooks/{name}.md" if base is None else f"{base.rstrip('/')}/{name}"

    def jobs(self) -> Iterator[tuple[str, tuple[Place, ...]]]:
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
