"""What watches Leadline in Kubernetes: Prometheus' configuration, its access to pods, and the adapter's rule.

They are the monitoring's and not applied with the rest: a cluster has a Prometheus and an adapter already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from leadline.domain import Json
from leadline.ops.manifests.parts import Deployment
from leadline.ops.monitoring import Pods, Targets, prometheus_files
from leadline.ops.monitoring.records import runs_for_workers
from leadline.ops.yaml import yaml_text

FOLDER: Final = "monitoring"
RUNS_METRIC: Final = "leadline_runs_for_workers"
"""The external metric that workers are scaled by."""

HEAD: Final = "Written by Leadline (leadline.ops.manifests); change the values there."
_ADAPTER_HEAD: Final = f"{HEAD} The configuration of prometheus-adapter; in its Helm chart: rules.external."


def watching_files(deployment: Deployment) -> Mapping[str, str]:
    """Return the text of each file, by its name beside the manifests."""
    access = "---\n".join(
        yaml_text(value, head="" if number else HEAD) for number, value in enumerate(_access(deployment))
    )
    files = {
        "access.yaml": access,
        "adapter.yaml": yaml_text({"externalRules": [runs_rule()]}, head=_ADAPTER_HEAD),
        **prometheus_files(_targets(deployment)),
    }
    return {f"{FOLDER}/{name}": text for name, text in files.items()}


def runs_rule() -> dict[str, Json]:
    """Return the adapter's rule of the metric: one series for a namespace, as autoscalers add up what they get.

    https://github.com/kubernetes-sigs/prometheus-adapter/blob/master/docs/externalmetrics.md
    """
    return {
        "seriesQuery": 'leadline_queue_runs{namespace!="",state="queued"}',
        "resources": {"overrides": {"namespace": {"resource": "namespace"}}},
        "name": {"as": RUNS_METRIC},
        # The adapter puts `namespace="..."` in for the matchers.
        "metricsQuery": runs_for_workers("<<.LabelMatchers>>,"),
    }


def _targets(deployment: Deployment) -> Targets:
    found = {
        part.name: Pods(part=part.name, namespace=deployment.namespace, least=part.least) for part in deployment.parts
    }
    models = (urlsplit(url) for url in deployment.model_urls)
    return Targets(
        service=(found["service"],),
        worker=(found["worker"],),
        tools=tuple(found[part.name] for part in deployment.parts if part.is_tool),
        vllm=tuple(f"{one.hostname}:{one.port}" for one in models if one.scheme == "http" and one.port),
        alertmanager=f"alertmanager.{deployment.monitoring_namespace}.svc:9093",
        key_file="/etc/prometheus/leadline/metrics-key",
        runbooks=deployment.runbooks,
    )


def _access(deployment: Deployment) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return what lets Prometheus see which pods there are."""
    group = "rbac.authorization.k8s.io"
    meta: dict[str, Json] = {"name": "leadline-prometheus", "namespace": deployment.namespace}
    rules: list[Json] = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    who: dict[str, Json] = {
        "kind": "ServiceAccount",
        "name": "prometheus",
        "namespace": deployment.monitoring_namespace,
    }
    return (
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "leadline-prometheus"},
            "subjects": [who],
        },
    )
