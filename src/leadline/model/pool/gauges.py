"""What a model server says about its own load, in Prometheus' text format.

Names of vLLM (new and old), text-generation-inference, SGLang and llama.cpp. vLLM 0.32 renamed
`gpu_cache_usage_perc` to `kv_cache_usage_perc`; a router that knows the old name alone reads zeros.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

_LINE: Final = re.compile(rb"^([A-Za-z_:][\w:]*)(?:\{[^\n]*\})?[ \t]+(\S+)", re.MULTILINE)
_RUNNING: Final = (
    b"vllm:num_requests_running",
    b"tgi_batch_current_size",
    b"sglang:num_running_reqs",
    b"llamacpp:requests_processing",
)
_WAITING: Final = (
    b"vllm:num_requests_waiting",
    b"tgi_queue_size",
    b"sglang:num_queue_reqs",
    b"llamacpp:requests_deferred",
)
_CACHE: Final = (
    b"vllm:kv_cache_usage_perc",
    b"vllm:gpu_cache_usage_perc",
    b"sglang:token_usage",
    b"llamacpp:kv_cache_usage_ratio",
)
_HITS: Final = (b"vllm:prefix_cache_hits_total", b"vllm:gpu_prefix_cache_hits_total")
_QUERIES: Final = (b"vllm:prefix_cache_queries_total", b"vllm:gpu_prefix_cache_queries_total")


@dataclass(frozen=True, kw_only=True, slots=True)
class Gauges:
    """Requests that a server computes and that wait at it, the share of its KV memory in use.

    `prefix_hits` and `prefix_queries` are tokens since its start; `None` where it does not tell.
    """

    running: float
    waiting: float
    cache_usage: float = 0.0
    prefix_hits: float | None = None
    prefix_queries: float | None = None

    @property
    def load(self) -> float:
        """Requests that the server has, whoever sent them."""
        return self.running + self.waiting


def parse_gauges(text: bytes) -> Gauges | None:
    """Return a server's gauges; `None` where the text has none of a known server.

    Series of one name with different labels (a process for each data-parallel rank) are added,
    shares of memory not: there the fullest counts.
    """
    sums: dict[bytes, float] = {}
    highest: dict[bytes, float] = {}
    for name, raw in _LINE.findall(text):
        try:
            value = float(raw)
        except ValueError:
            continue
        if math.isfinite(value) and value >= 0:
            sums[name] = sums.get(name, 0.0) + value
            highest[name] = max(highest.get(name, 0.0), value)
    running, waiting = _first(sums, _RUNNING), _first(sums, _WAITING)
    if running is None and waiting is None:
        return None
    return Gauges(
        running=running or 0.0,
        waiting=waiting or 0.0,
        cache_usage=min(1.0, _first(highest, _CACHE) or 0.0),
        prefix_hits=_first(sums, _HITS),
        prefix_queries=_first(sums, _QUERIES),
    )


def _first(values: dict[bytes, float], names: tuple[bytes, ...]) -> float | None:
    return next((values[name] for name in names if name in values), None)
