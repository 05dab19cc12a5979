"""The configuration of an Alertmanager: who is told of what, how soon, and which alert makes others needless.

https://prometheus.io/docs/alerting/latest/configuration/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leadline.domain import Json
from leadline.errors import SettingsError
from leadline.ops.monitoring.rules import HEAD, duration
from leadline.ops.yaml import yaml_text

CONFIGURATION: Final = "alertmanager.yml"

GATHER: Final = 30.0
"""Seconds that alerts of one kind gather before the first is told."""

_DAY: Final = 86_400.0


def alertmanager_files(*, webhook: str | None, gather: float = GATHER) -> Mapping[str, str]:
    """Return the text of each file. `webhook` is an HTTP address; `None`: alerts are shown, nobody is told.

    Raises `SettingsError` for what is no address.
    """
    if webhook is not None and not (webhook.startswith(("http://", "https://")) and webhook.isprintable()):
        raise SettingsError("the address that is told of alerts must begin with http:// or https://")
    return {CONFIGURATION: yaml_text(_configuration(webhook, gather), head=HEAD)}


def _configuration(webhook: str | None, gather: float) -> dict[str, Json]:
    return {
        "route": {
            "receiver": "team",
            "group_by": ["alertname", "job"],
            "group_wait": duration(gather),
            "group_interval": duration(gather * 10),
            "repeat_interval": "12h",
            "routes": [
                # Whoever listens for it notices its absence: told again and again.
                {
                    "matchers": ['alertname="Watchdog"'],
                    "receiver": "watchdog",
                    "group_wait": "0s",
                    "group_interval": duration(gather * 2),
                    "repeat_interval": duration(gather * 10),
                },
                {
                    "matchers": ['severity="critical"'],
                    "receiver": "on-call",
                    "group_wait": duration(gather / 3),
                    "repeat_interval": "1h",
                },
                {"matchers": ['severity="none"'], "receiver": "nobody"},
            ],
        },
        "inhibit_rules": _inhibitions(),
        "receivers": [
            _receiver("team", webhook),
            _receiver("on-call", webhook),
            _receiver("watchdog", webhook),
            {"name": "nobody"},
        ],
    }


def _receiver(name: str, webhook: str | None) -> Json:
    if webhook is None:
        return {"name": name}
    return {"name": name, "webhook_configs": [{"url": webhook, "send_resolved": True}]}


def _inhibitions() -> list[Json]:
    """Return which alert makes which others needless: a cause its symptoms, the urgent form the other one."""
    return [
        _inhibit(['severity="critical"'], ['severity="warning"'], equal=["alertname", "slo"]),
        _inhibit(
            ['alertname="NoModelService"'],
            [
                'alertname=~"ModelServiceDown|ModelServerOutOfService|SlowFirstToken|GatewayErrors|HighLatency|LatencyBudgetBurn"'
            ],
        ),
        _inhibit(
            ['alertname="NoWorkers"'],
            ['alertname=~"QueueAge|QueueStalled|StuckLeases|HighLatency|LatencyBudgetBurn|LeaseStorm"'],
        ),
        _inhibit(['alertname="NoWorkers"'], ['alertname=~"TargetDown|ReplicasMissing"', 'job="leadline-worker"']),
        _inhibit(['alertname="TargetsVanished"'], ['alertname="ReplicasMissing"'], equal=["job"]),
        _inhibit(['alertname="TargetDown"'], ['alertname="ReplicasMissing"'], equal=["job", "process"]),
        _inhibit(
            ['alertname="StoreDown"'],
            ['alertname=~"QueueAge|QueueStalled|StuckLeases|LeaseStorm|RunsGivenUp|EventLogLag|.+BudgetBurn"'],
        ),
        _inhibit(['alertname="QueueStalled"'], ['alertname="QueueAge"']),
        _inhibit(['alertname="TargetsVanished"', 'job="leadline-worker"'], ['alertname="NoWorkers"']),
        _inhibit(['alertname="SpendHigh"'], ['alertname="SpendUnusual"']),
    ]


def _inhibit(source: list[str], target: list[str], *, equal: list[str] | None = None) -> Json:
    found: dict[str, Json] = {"source_matchers": [*source], "target_matchers": [*target]}
    return found | ({"equal": [*equal]} if equal else {})
