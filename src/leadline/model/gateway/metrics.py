"""What the gateway counts, in Prometheus' text format 0.0.4.

Its series have names of their own: workers count their calls too, of which those at the gateway are
the same work seen twice, and a sum over both would double it. Only whether a server is in service
has one name everywhere: that is never added up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from leadline.model.connect import shown_url
from leadline.model.pool.types import PoolView, ServerView

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


HEALTHY: Final = "leadline_model_server_healthy"
"""The gauge that workers have as well."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """A metric: its type, its labels, and what it means."""

    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...] = ()
    meaning: str


FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {
        "leadline_gateway_requests_total": Family(
            kind="counter",
            labels=("outcome",),
            meaning="Requests of clients that ended: answered, broken midway, left by the client, or why refused.",
        ),
        "leadline_gateway_in_flight": Family(kind="gauge", meaning="Requests of clients under way."),
        "leadline_gateway_failovers_total": Family(
            kind="counter", meaning="Times that another server was asked within a request."
        ),
        "leadline_gateway_tokens_total": Family(kind="counter", meaning="Tokens of answers and their prompts."),
        "leadline_gateway_request_seconds": Family(
            kind="histogram", meaning="Seconds from a request's first byte to its answer's last."
        ),
        "leadline_gateway_waiting": Family(kind="gauge", meaning="Requests that wait for a server with room."),
        "leadline_gateway_turns_total": Family(
            kind="counter",
            labels=("session",),
            meaning="Calls of a known conversation: on the server that knows it, or on another one.",
        ),
        HEALTHY: Family(
            kind="gauge", labels=("server",), meaning="1 while a model server is in service, by its calls."
        ),
        "leadline_gateway_server_draining": Family(
            kind="gauge", labels=("server",), meaning="1 while an operator has nothing new sent to a server."
        ),
        "leadline_gateway_server_in_flight": Family(
            kind="gauge", labels=("server",), meaning="Calls of this gateway at a server."
        ),
        "leadline_gateway_server_load": Family(
            kind="gauge", labels=("server",), meaning="The same with the calls of others, as the server's gauges tell."
        ),
        "leadline_gateway_server_sessions": Family(
            kind="gauge", labels=("server",), meaning="Conversations in use that a server knows."
        ),
        "leadline_gateway_server_first_token_seconds": Family(
            kind="gauge",
            labels=("server",),
            meaning="Seconds to the first token that 95 of the last 100 calls or so kept; 0 before 20 calls.",
        ),
        "leadline_gateway_server_cache_usage_ratio": Family(
            kind="gauge", labels=("server",), meaning="Share of a server's cache of keys and values in use."
        ),
        "leadline_gateway_server_calls_total": Family(
            kind="counter", labels=("server", "outcome"), meaning="Calls of this gateway at a server by outcome."
        ),
    }
)
"""Every metric of the gateway."""


_AT_FIRST: Final = MappingProxyType(dict.fromkeys(("answered", "broken", "client_left"), 0))
"""Outcomes that are shown before the first of them, so that it is seen as growth."""


class Counts:
    """Requests by how they ended, their seconds, and tokens."""

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()
        self.in_flight = 0
        self.failovers = 0
        self.tokens = 0
        self._seconds = [0] * (len(_BUCKETS) + 1)
        self._sum = 0.0

    def took(self, seconds: float) -> None:
        """Take note of a request's time from its first byte to its answer's last."""
        self._sum += seconds
        at = next((at for at, bound in enumerate(_BUCKETS) if seconds <= bound), len(_BUCKETS))
        self._seconds[at] += 1

    def text(self, view: PoolView) -> bytes:
        """Return all series."""
        return "".join(f"{line}\n" for line in self._lines(view)).encode()

    def _lines(self, view: PoolView) -> Iterator[str]:
        yield from _series("leadline_gateway_requests_total", _labelled("outcome", _AT_FIRST | self.ended))
        yield from _series("leadline_gateway_in_flight", [("", self.in_flight)])
        yield from _series("leadline_gateway_failovers_total", [("", self.failovers)])
        yield from _series("leadline_gateway_tokens_total", [("", self.tokens)])
        yield from self._histogram("leadline_gateway_request_seconds")
        yield from _series("leadline_gateway_waiting", [("", view.waiting)])
        turns = {"kept": view.kept, "moved": view.moved}
        yield from _series("leadline_gateway_turns_total", _labelled("session", turns))
        yield from _of_servers(view.servers)

    def _histogram(self, name: str) -> Iterator[str]:
        yield from _head(name)
        total = 0
        for bound, count in zip((*map(str, _BUCKETS), "+Inf"), self._seconds, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._sum:.6f}"
        yield f"{name}_count {total}"


def _of_servers(servers: Iterable[ServerView]) -> Iterator[str]:
    servers = list(servers)
    for name, value in (
        (HEALTHY, lambda s: int(s.healthy)),
        ("leadline_gateway_server_draining", lambda s: int(s.draining)),
        ("leadline_gateway_server_in_flight", lambda s: s.in_flight),
        ("leadline_gateway_server_load", lambda s: s.load),
        ("leadline_gateway_server_sessions", lambda s: s.sessions),
        ("leadline_gateway_server_first_token_seconds", lambda s: s.first_token),
        ("leadline_gateway_server_cache_usage_ratio", lambda s: s.cache_usage),
    ):
        yield from _series(name, [(_labels(server=shown_url(s.url)), value(s)) for s in servers])
    calls = [(_labels(server=shown_url(s.url), outcome=o), n) for s in servers for o, n in sorted(s.outcomes.items())]
    yield from _series("leadline_gateway_server_calls_total", calls)


def _head(name: str) -> Iterator[str]:
    family = FAMILIES[name]
    yield f"# HELP {name} {family.meaning}"
    yield f"# TYPE {name} {family.kind}"


def _series(name: str, values: Iterable[tuple[str, float]]) -> Iterator[str]:
    yield from _head(name)
    for labels, value in values:
        yield f"{name}{labels} {value:.10g}"


def _labelled(label: str, values: Mapping[str, int]) -> list[tuple[str, float]]:
    return [(_labels(**{label: key}), count) for key, count in sorted(values.items())]


def _labels(**labels: str) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + inside + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
