"""A trial of an alert: series as promtool writes them.

https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from leadline.ops.monitoring import Named, Targets

TARGETS = Targets(
    service=("10.0.0.1:8000", "10.0.0.2:8000"),
    worker=("10.0.0.3:9101", Named(part="worker", port=9101, least=2)),
    tools=("10.0.0.4:8001",),
    vllm=("10.0.0.5:8000", "10.0.0.6:8000"),
    gpu=("10.0.0.5:9400",),
    alertmanager="10.0.0.7:9093",
)

Series = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Case:
    """An alert that fires at `at` minutes for `fires`, as `summary`, and for none of `quiet`.

    Values are `step` minutes apart. `labels` are those besides the severity. `also` are longer windows
    of the same alert that fire beside it.
    """

    alert: str
    at: int
    fires: Series
    quiet: Mapping[str, Series]
    summary: str
    severity: str = "warning"
    labels: Mapping[str, str] = field(default_factory=dict)
    detail: str | None = None
    step: int = 1
    also: tuple[str, ...] = ()


def histogram(name: str, labels: str, counts: Mapping[str, str]) -> dict[str, str]:
    comma = "," if labels else ""
    buckets = {f'{name}_bucket{{{labels}{comma}le="{le}"}}': values for le, values in counts.items()}
    return buckets | {f"{name}_count{{{labels}}}": counts["+Inf"]}


def requests(**statuses: str) -> dict[str, str]:
    return {f'agent_requests_total{{method="api",status="{status}"}}': values for status, values in statuses.items()}
