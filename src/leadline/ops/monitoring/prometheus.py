"""The configuration of a Prometheus that watches Leadline, and the files of rules that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leadline.domain import Json
from leadline.ops.monitoring.alerts import alert_groups
from leadline.ops.monitoring.gpu import gpu_groups
from leadline.ops.monitoring.records import RECORDS
from leadline.ops.monitoring.rules import HEAD, duration, rules_text
from leadline.ops.monitoring.slo import slo_groups
from leadline.ops.monitoring.targets import Pace, Targets, Thresholds
from leadline.ops.yaml import yaml_text

CONFIGURATION: Final = "prometheus.yml"


def prometheus_files(
    targets: Targets, *, thresholds: Thresholds | None = None, pace: Pace | None = None
) -> Mapping[str, str]:
    """Return the text of each file, by its name beside `prometheus.yml`."""
    over, pace = thresholds or Thresholds(), pace or Pace()
    rules = {
        "rules/records.yml": rules_text([RECORDS], pace=pace),
        "rules/alerts.yml": rules_text(alert_groups(targets, over), pace=pace),
        "rules/slo.yml": rules_text(slo_groups(), pace=pace),
    }
    if targets.gpu:
        rules["rules/gpu.yml"] = rules_text(gpu_groups(targets, over), pace=pace)
    return {CONFIGURATION: _configuration(targets, pace, list(rules)), **rules}


def _configuration(targets: Targets, pace: Pace, rules: list[str]) -> str:
    listed: list[Json] = [*rules]
    jobs: list[Json] = [_job(name, places, targets.key_file) for name, places in targets.jobs()]
    return yaml_text(
        {
            "global": {
                "scrape_interval": duration(pace.scrape),
                "scrape_timeout": duration(min(10.0, pace.scrape)),
                "evaluation_interval": duration(pace.evaluate),
            },
            "rule_files": listed,
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [targets.alertmanager]}]}]},
            "scrape_configs": jobs,
        },
        head=HEAD,
    )


def _job(name: str, places: tuple[str, ...], key_file: str | None) -> Json:
    job: dict[str, Json] = {"job_name": name}
    if key_file is not None and name.startswith("leadline-"):
        job["authorization"] = {"type": "Bearer", "credentials_file": key_file}
    return job | {"static_configs": [{"targets": [*places]}]}
