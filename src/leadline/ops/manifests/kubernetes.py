"""Manifests for Kubernetes: one file a part, and what all share. The secret `leadline` is made by hand.

Pods keep to the standard `restricted` (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from leadline.domain import Json
from leadline.ops.manifests.network import policies
from leadline.ops.manifests.parts import DATA, MIGRATE, SERVICE, USER, Deployment, Part, secrets_of
from leadline.ops.manifests.providers import choices_of, keys_of
from leadline.ops.manifests.watching import RUNS_METRIC, watching_files
from leadline.ops.yaml import yaml_text
from leadline.version import __version__

SECRET: Final = "leadline"  # noqa: S105 the name of a secret, not one
HEAD: Final = "Written by Leadline (leadline.ops.manifests); change the values there."
PROXIES: Final = "10.0.0.0/8"
"""The network of pods, in which the ingress is; its word about clients is taken."""

_GIGABYTES: Final = "10Gi"


def kubernetes_files(deployment: Deployment) -> Mapping[str, str]:
    """Return the text of each file, by its name; `kustomization.yaml` names all of them."""
    files: dict[str, list[dict[str, Json]]] = {
        "namespace.yaml": [_namespace(deployment), _account(deployment)],
        "settings.yaml": [_settings(deployment)],
        "migrate.yaml": [_migrate(deployment)],
        "network.yaml": list(policies(deployment)),
        "ingress.yaml": [_ingress(deployment)],
    }
    for part in deployment.parts:
        files[f"{part.name}.yaml"] = list(_part(deployment, part))
    texts = {
        name: "---\n".join(yaml_text(value, head="" if number else HEAD) for number, value in enumerate(values))
        for name, values in files.items()
    }
    listed: list[Json] = [*files]
    kustomization: dict[str, Json] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": deployment.namespace,
        "resources": listed,
    }
    return {**texts, "kustomization.yaml": yaml_text(kustomization, head=HEAD), **watching_files(deployment)}


def _part(deployment: Deployment, part: Part) -> Iterator[dict[str, Json]]:
    yield _deployment(deployment, part)
    if part.name != "worker":
        yield _service(deployment, part)
    yield {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": meta(deployment, part.name),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels(part.name)}},
    }
    yield _autoscaler(deployment, part)


def labels(name: str) -> dict[str, Json]:
    """Return the labels by which a part's pods are found."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "leadline"}


def meta(deployment: Deployment, name: str) -> dict[str, Json]:
    """Return the metadata of an object."""
    return {"name": name, "namespace": deployment.namespace, "labels": labels(name)}


def _namespace(deployment: Deployment) -> dict[str, Json]:
    strict: dict[str, Json] = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": deployment.namespace, "labels": strict}}


def _account(deployment: Deployment) -> dict[str, Json]:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": meta(deployment, "leadline"),
        "automountServiceAccountToken": False,
    }


def _settings(deployment: Deployment) -> dict[str, Json]:
    data: dict[str, Json] = {**deployment.settings(proxies=PROXIES)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(deployment, "leadline"), "data": data}


def _migrate(deployment: Deployment) -> dict[str, Json]:
    """Return the job that brings the tables to this version; its name has the version, for jobs do not change."""
    name = f"migrate-{__version__.replace('.', '-')}"
    pod = _pod(_container(deployment, "migrate", MIGRATE, cpu="100m", memory="256Mi"))
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta(deployment, name),
        "spec": {
            "backoffLimit": 6,
            "activeDeadlineSeconds": 1800,
            "ttlSecondsAfterFinished": 86_400,
            "template": {"metadata": {"labels": labels("migrate")}, "spec": {**pod, "restartPolicy": "Never"}},
        },
    }


def _deployment(deployment: Deployment, part: Part) -> dict[str, Json]:
    container = _container(deployment, part.name, part.words, cpu=part.cpu, memory=part.memory)
    container |= {
        "ports": [{"name": "http", "containerPort": part.port}],
        # Only a process that has not answered for two minutes since its start has failed to start.
        "startupProbe": _probe("/healthz", period=2, failures=60),
        "readinessProbe": _probe(part.ready, period=5, failures=3),
        "livenessProbe": _probe("/healthz", period=15, failures=4),
    }
    pod = _pod(container) | {
        "terminationGracePeriodSeconds": part.drain,
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": labels(part.name)},
            }
        ],
    }
    notes: dict[str, Json] = {"prometheus.io/scrape": "true", "prometheus.io/port": str(part.port)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta(deployment, part.name),
        "spec": {
            # How many there are is the autoscaler's affair.
            "selector": {"matchLabels": labels(part.name)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {"metadata": {"labels": labels(part.name), "annotations": notes}, "spec": pod},
        },
    }


def _pod(container: dict[str, Json]) -> dict[str, Json]:
    return {
        "serviceAccountName": "leadline",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # Children of a process that was killed come to the first one: the pod's own, which takes their ends.
        "shareProcessNamespace": True,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "data", "emptyDir": {"sizeLimit": _GIGABYTES}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        ],
    }


def _container(deployment: Deployment, name: str, words: tuple[str, ...], *, cpu: str, memory: str) -> dict[str, Json]:
    args: list[Json] = [*words]
    return {
        "name": name,
        "image": deployment.image,
        "imagePullPolicy": "IfNotPresent",
        "args": args,
        "envFrom": [{"configMapRef": {"name": "leadline"}}],
        "env": [*(_secret(setting) for setting in secrets_of(name)), *_chosen(deployment, name)],
        "resources": {
            "requests": {"cpu": cpu, "memory": memory, "ephemeral-storage": "1Gi"},
            # No limit of CPU: a process that is throttled misses its heartbeats.
            "limits": {"memory": memory, "ephemeral-storage": "12Gi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "data", "mountPath": DATA}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 in a pod
    }


def _secret(setting: str, *, optional: bool = False) -> Json:
    source: dict[str, Json] = {"name": SECRET, "key": secret_key(setting)}
    if optional or setting.startswith(("S3", "MODEL")):
        source["optional"] = True
    return {"name": f"LEADLINE_{setting}", "valueFrom": {"secretKeyRef": source}}


def secret_key(setting: str) -> str:
    """Return by which key the secret `leadline` has the value of a setting."""
    return setting.lower().replace("__", "-").replace("_", "-")


def _chosen(deployment: Deployment, name: str) -> Iterator[Json]:
    keys = keys_of(name)
    for setting in choices_of(name):
        if setting in keys:
            yield _secret(setting, optional=True)
        elif setting in deployment.choices:
            yield {"name": f"LEADLINE_{setting}", "value": deployment.choices[setting]}


def _probe(path: str, *, period: int, failures: int) -> dict[str, Json]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def _service(deployment: Deployment, part: Part) -> dict[str, Json]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta(deployment, part.name),
        "spec": {
            "selector": labels(part.name),
            "ports": [{"name": "http", "port": part.port, "targetPort": "http"}],
        },
    }


def _autoscaler(deployment: Deployment, part: Part) -> dict[str, Json]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": meta(deployment, part.name),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": part.name},
            "minReplicas": part.least,
            "maxReplicas": part.most,
            "metrics": [_by_queue(deployment) if part.scale == "queue" else _by_cpu()],
            # Runs last for minutes: what is taken away too soon is needed again.
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}},
        },
    }


def _by_cpu() -> Json:
    return {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
    }


def _by_queue(deployment: Deployment) -> Json:
    """Return the runs that workers have or may take, as the adapter serves them: as many a worker as it takes."""
    return {
        "type": "External",
        "external": {
            "metric": {"name": RUNS_METRIC},
            "target": {"type": "AverageValue", "averageValue": str(deployment.runs_at_once)},
        },
    }


def _ingress(deployment: Deployment) -> dict[str, Json]:
    notes: dict[str, Json] = {
        # Events and answers stream for as long as a run lasts.
        "nginx.ingress.kubernetes.io/proxy-buffering": "off",
        "nginx.ingress.kubernetes.io/proxy-read-timeout": "3600",
        "nginx.ingress.kubernetes.io/proxy-body-size": "64m",
        "nginx.ingress.kubernetes.io/limit-rps": "20",
        "nginx.ingress.kubernetes.io/ssl-redirect": "true",
    }
    backend: dict[str, Json] = {"service": {"name": SERVICE.name, "port": {"name": "http"}}}
    # The API, the pages and health, each by name: what is internal is in none of them.
    shown = ("/v1", "/mcp", "/ui", "/runbooks", "/openapi.json", "/healthz", "/readyz")
    paths: list[Json] = [{"path": path, "pathType": "Prefix", "backend": backend} for path in shown]
    paths.append({"path": "/", "pathType": "Exact", "backend": backend})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": meta(deployment, "leadline") | {"annotations": notes},
        "spec": {
            "ingressClassName": "nginx",
            "tls": [{"hosts": [deployment.host], "secretName": "leadline-tls"}],
            "rules": [{"host": deployment.host, "http": {"paths": paths}}],
        },
    }
