"""Rules of Prometheus as values, and their text.

https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from leadline.domain import Json
from leadline.ops.monitoring.targets import Pace, Targets
from leadline.ops.yaml import yaml_text

Severity: TypeAlias = Literal[
    "critical",  # somebody is woken
    "warning",  # somebody looks in working hours
    "none",  # nobody is told: it shows that telling works
]

RUNBOOKS: Final = "docs/runbooks"
"""Where each alert's runbook lies, by the alert's name."""

HEAD: Final = "Written by Leadline (leadline.ops.monitoring); change the values there."


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A series that is computed from others at each evaluation, so that alerts and dashboards agree."""

    name: str
    query: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """What somebody is told. `lasting`: seconds for which the query must hold before."""

    name: str
    query: str
    severity: Severity
    summary: str
    detail: str
    lasting: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def runbook(self) -> str:
        """The runbook's path under the project."""
        return f"{RUNBOOKS}/{file_name(self.name)}.md"


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Rules that are evaluated one after another, so that later ones see what earlier ones record."""

    name: str
    rules: Sequence[Record | Alert]


def file_name(alert: str) -> str:
    """Return an alert's name as a file's: `ModelServiceDown` is `model-service-down`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", alert).lower()


def rules_text(groups: Sequence[Group], *, targets: Targets, pace: Pace) -> str:
    """Return a file of rules."""
    listed: list[Json] = [
        {"name": group.name, "rules": [_rule(rule, targets, pace) for rule in group.rules]}
        for group in groups
        if group.rules
    ]
    return yaml_text({"groups": listed}, head=HEAD)


def duration(seconds: float) -> str:
    """Return a time span as Prometheus writes it."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if seconds >= size and seconds % size == 0:
            return f"{round(seconds / size)}{unit}"
    return f"{max(0, round(seconds * 1_000))}ms" if seconds else "0s"


def _rule(rule: Record | Alert, targets: Targets, pace: Pace) -> Json:
    if isinstance(rule, Record):
        return {"record": rule.name, "expr": rule.query} | ({"labels": dict(rule.labels)} if rule.labels else {})
    return {
        "alert": rule.name,
        "expr": rule.query,
        "for": duration(rule.lasting * pace.patience),
        "labels": {"severity": rule.severity, **rule.labels},
        "annotations": {
            "summary": rule.summary,
            "description": rule.detail,
            "runbook_url": targets.runbook(file_name(rule.name)),
        },
    }
