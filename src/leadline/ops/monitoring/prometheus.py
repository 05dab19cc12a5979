"""The configuration of a Prometheus that watches Leadline, and the files of rules that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from leadline.domain import Json
from leadline.ops.monitoring.alerts import alert_groups
from leadline.ops.monitoring.gpu import gpu_groups
from leadline.ops.monitoring.records import RECORDS
from leadline.ops.monitoring.rules import HEAD, duration, rules_text
from leadline.ops.monitoring.slo import slo_groups
from leadline.ops.monitoring.targets import KIND, Named, Pace, Place, Pods, Targets, Thresholds
from leadline.ops.yaml import yaml_text

CONFIGURATION: Final = "prometheus.yml"

_META: Final = "__meta_kubernetes"
_PART: Final = f"{_META}_pod_label_app_kubernetes_io_name"


def prometheus_files(
    targets: Targets, *, thresholds: Thresholds | None = None, pace: Pace | None = None
) -> Mapping[str, str]:
    """Return the text of each file, by its name beside `prometheus.yml`."""
    over, pace = thresholds or Thresholds(), pace or Pace()
    rules = {
        "rules/records.yml": rules_text([RECORDS], targets=targets, pace=pace),
        "rules/alerts.yml": rules_text(alert_groups(targets, over), targets=targets, pace=pace),
        "rules/slo.yml": rules_text(slo_groups(), targets=targets, pace=pace),
    }
    if targets.gpu:
        rules["rules/gpu.yml"] = rules_text(gpu_groups(targets, over), targets=targets, pace=pace)
    return {CONFIGURATION: _configuration(targets, pace, list(rules)), **rules}


def _configuration(targets: Targets, pace: Pace, rules: list[str]) -> str:
    listed: list[Json] = [*rules]
    jobs: list[Json] = [
        _job(name, places, key_file=targets.key_file, refresh=duration(pace.scrape)) for name, places in targets.jobs()
    ]
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


def _job(name: str, places: Sequence[Place], *, key_file: str | None, refresh: str) -> Json:
    job: dict[str, Json] = {"job_name": name}
    if key_file is not None and name.startswith("leadline-"):
        job["authorization"] = {"type": "Bearer", "credentials_file": key_file}
    listed: list[Json] = [place for place in places if isinstance(place, str)]
    if listed:
        job["static_configs"] = [{"targets": listed}]
    named = [place for place in places if isinstance(place, Named)]
    if named:
        # Every address that the name has is one replica: a name that is asked itself answers for any of them.
        job["dns_sd_configs"] = [
            {"names": [one.part], "type": "A", "port": one.port, "refresh_interval": refresh} for one in named
        ]
        job["relabel_configs"] = [_label("__meta_dns_name", KIND)]
    pods = [place for place in places if isinstance(place, Pods)]
    return job | (_of_pods(pods) if pods else {})


def _of_pods(pods: Sequence[Pods]) -> dict[str, Json]:
    namespaces: list[Json] = [*sorted({one.namespace for one in pods})]
    wanted = "|".join(f"{one.namespace};{one.part};{one.port}" for one in pods)
    kept: list[Json] = [f"{_META}_namespace", _PART, f"{_META}_pod_container_port_name"]
    return {
        "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": namespaces}}],
        "relabel_configs": [
            {"source_labels": kept, "regex": wanted, "action": "keep"},
            {"source_labels": [f"{_META}_pod_phase"], "regex": "Failed|Succeeded", "action": "drop"},
            _label(_PART, KIND),
            # By which the adapter of metrics tells one deployment from another.
            _label(f"{_META}_namespace", "namespace"),
            _label(f"{_META}_pod_name", "pod"),
        ],
    }


def _label(source: str, target: str) -> Json:
    return {"source_labels": [source], "target_label": target}
