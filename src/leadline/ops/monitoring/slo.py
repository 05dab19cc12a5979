"""Objectives of the service, and how fast their error budgets burn.

Several windows and rates, as the Site Reliability Workbook has them (chapter 5, "Alerting on SLOs",
table 5-8): somebody is woken where 2 % of a month's budget goes in an hour or 5 % in six, and told
where 10 % goes in three days. The short window lets an alert end soon after its cause has ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from leadline.ops.monitoring.records import ENDED
from leadline.ops.monitoring.rules import Alert, Group, Record, Severity


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """`target` of what happens shall be good. `bad` and `all` are counters' selectors."""

    alert: str
    name: str
    target: float
    bad: str
    all: str
    meaning: str
    least: float

    @property
    def budget(self) -> float:
        """The share that may be bad."""
        return round(1 - self.target, 6)


class Burn(NamedTuple):
    """A rate of burning, in budgets of thirty days; the windows over which it is seen; who is told."""

    rate: float
    long: str
    short: str
    severity: Severity


BURNS: Final = (
    Burn(14.4, "1h", "5m", "critical"),
    Burn(6.0, "6h", "30m", "critical"),
    Burn(1.0, "3d", "6h", "warning"),
)

_WINDOWS: Final = ("5m", "30m", "1h", "6h", "3d")

_ASKED: Final = 'job="leadline-service", route!~"/metrics|/healthz|/readyz"'
"""What people and programs ask: the questions of balancers and Prometheus would dilute it."""

OBJECTIVES: Final = (
    Objective(
        alert="AvailabilityBudgetBurn",
        name="availability",
        target=0.99,
        bad=f'(sum(rate(leadline_http_requests_total{{{_ASKED}, status=~"5.."}}[WINDOW])) or vector(0))',
        all=f"sum(rate(leadline_http_requests_total{{{_ASKED}}}[WINDOW]))",
        meaning="requests to the service are answered without a failure of its own",
        least=0.02,
    ),
    Objective(
        alert="ResearchBudgetBurn",
        name="research",
        target=0.95,
        bad='sum(rate(agent_requests_total{status="error"}[WINDOW]))',
        all=f"sum(rate(agent_requests_total{{{ENDED}}}[WINDOW]))",
        meaning="runs end in a report",
        least=0.0005,
    ),
    Objective(
        alert="LatencyBudgetBurn",
        name="latency",
        target=0.9,
        bad=(
            "(sum(rate(agent_request_latency_seconds_count[WINDOW])) "
            '- sum(rate(agent_request_latency_seconds_bucket{le="1800.0"}[WINDOW])))'
        ),
        all="sum(rate(agent_request_latency_seconds_count[WINDOW]))",
        meaning="runs end within half an hour, the queue included",
        least=0.0005,
    ),
)
"""Below `least` a second over the long window there is too little to judge."""


def slo_groups() -> list[Group]:
    """Return what is recorded and told of each objective."""
    return [
        Group(name=f"leadline-slo-{objective.name}", rules=(*_records(objective), *_alerts(objective)))
        for objective in OBJECTIVES
    ]


def ratio(objective: Objective, window: str) -> str:
    """Return the name of an objective's share of bad over a window."""
    return f"slo:{objective.name}_errors:ratio_rate{window}"


def _records(objective: Objective) -> Iterator[Record]:
    for window in _WINDOWS:
        bad, everything = (text.replace("WINDOW", window) for text in (objective.bad, objective.all))
        yield Record(name=ratio(objective, window), query=f"{bad}\n  / ({everything} > 0)")
    for window in sorted({burn.long for burn in BURNS}):
        yield Record(name=_traffic(objective, window), query=objective.all.replace("WINDOW", window))


def _alerts(objective: Objective) -> Iterator[Alert]:
    for burn in BURNS:
        if burn.rate * objective.budget >= 1:
            continue  # no more than everything can be bad
        bound = f"{burn.rate:g} * {objective.budget:g}"
        # A slow burn has its long window to gather what it judges by.
        least = objective.least if burn.severity == "critical" else objective.least / 10
        yield Alert(
            name=objective.alert,
            query=(
                f"{ratio(objective, burn.long)} > {bound}\n"
                f"and on () {ratio(objective, burn.short)} > {bound}\n"
                f"and on () {_traffic(objective, burn.long)} >= {least:g}"
            ),
            lasting=120 if burn.severity == "critical" else 3_600,
            severity=burn.severity,
            summary=f"The error budget of {objective.name} burns {burn.rate:g} times too fast",
            detail=(
                f"The objective is that {objective.target:.0%} of {objective.meaning}; over {burn.long} "
                "{{ $value | humanizePercentage }} did not."
            ),
            labels={"slo": objective.name, "window": burn.long},
        )


def _traffic(objective: Objective, window: str) -> str:
    return f"slo:{objective.name}_requests:rate{window}"
