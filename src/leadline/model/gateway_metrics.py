"""What the gateway counts, in Prometheus' text format 0.0.4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from leadline.model.pool_types import PoolView, ServerView

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


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
        yield from _series("leadline_gateway_requests_total", "counter", _labelled("outcome", self.ended))
        yield from _series("leadline_gateway_in_flight", "gauge", [("", self.in_flight)])
        yield from _series("leadline_gateway_failovers_total", "counter", [("", self.failovers)])
        yield from _series("leadline_gateway_tokens_total", "counter", [("", self.tokens)])
        yield from self._histogram("leadline_gateway_request_seconds")
        yield from _series("leadline_model_pool_waiting", "gauge", [("", view.waiting)])
        sessions = {"kept": view.kept, "moved": view.moved}
        yield from _series("leadline_model_pool_turns_total", "counter", _labelled("session", sessions))
        yield from _of_servers(view.servers)

    def _histogram(self, name: str) -> Iterator[str]:
        yield f"# TYPE {name} histogram"
        total = 0
        for bound, count in zip((*map(str, _BUCKETS), "+Inf"), self._seconds, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._sum:.6f}"
        yield f"{name}_count {total}"


def _of_servers(servers: Iterable[ServerView]) -> Iterator[str]:
    servers = list(servers)
    for name, value in (
        ("leadline_model_server_healthy", lambda s: int(s.healthy)),
        ("leadline_model_server_draining", lambda s: int(s.draining)),
        ("leadline_model_server_in_flight", lambda s: s.in_flight),
        ("leadline_model_server_load", lambda s: s.load),
        ("leadline_model_server_sessions", lambda s: s.sessions),
        ("leadline_model_server_first_token_seconds", lambda s: s.first_token),
        ("leadline_model_server_cache_usage", lambda s: s.cache_usage),
    ):
        yield from _series(name, "gauge", [(_labels(server=s.url), value(s)) for s in servers])
    calls = [(_labels(server=s.url, outcome=o), n) for s in servers for o, n in sorted(s.outcomes.items())]
    yield from _series("leadline_model_server_calls_total", "counter", calls)


def _series(name: str, kind: str, values: Iterable[tuple[str, float]]) -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    for labels, value in values:
        yield f"{name}{labels} {value:.10g}"


def _labelled(label: str, values: Mapping[str, int]) -> list[tuple[str, float]]:
    return [(_labels(**{label: key}), count) for key, count in sorted(values.items())]


def _labels(**labels: str) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + inside + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
