"""A Kubernetes manifest for vLLM servers: a stateful set, so that each has a name that the pool can use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from leadline.codec import encode
from leadline.domain import Json
from leadline.errors import SettingsError
from leadline.model.vllm.command import KEY_VARIABLE, VllmServer, command

_NAME: Final = re.compile(r"[a-z]([-a-z0-9]{0,50}[a-z0-9])?")
_PLAIN: Final = re.compile(r"[A-Za-z/][\w./:-]*")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def kubernetes_manifest(
    server: VllmServer,
    *,
    name: str = "vllm",
    image: str = "vllm/vllm-openai:v0.11.1",
    replicas: int = 1,
    secret: str = "vllm-api-key",  # noqa: S107 the name of a secret, not one
    cache: str = "200Gi",
    gpu: str = "nvidia.com/gpu",
) -> str:
    """Return YAML of a headless service and a stateful set with `replicas` servers.

    The key is the entry `api-key` of `secret`, which is not made here: `kubectl create secret
    generic NAME --from-literal=api-key=...`. `cache` is the disk for weights of each. Raises
    `SettingsError` for a name that Kubernetes does not take, and as `vllm.checked`.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(f"not a name for Kubernetes: {name}; use small letters, digits and dashes")
    labels: dict[str, Json] = {"app.kubernetes.io/name": name}
    parts = (
        _service(server, name, labels),
        _stateful_set(
            name,
            labels,
            replicas=replicas,
            container=_container(server, image=image, secret=secret, gpu=gpu),
            cache=cache,
        ),
    )
    return "---\n".join("".join(f"{line}\n" for line in _yaml(part, 0)) for part in parts)


def server_urls(server: VllmServer, *, name: str = "vllm", namespace: str = "default", replicas: int = 1) -> list[str]:
    """Return the base URL of each server of the manifest, for the pool."""
    return [f"http://{name}-{at}.{name}.{namespace}.svc:{server.port}/v1" for at in range(replicas)]


def _service(server: VllmServer, name: str, labels: dict[str, Json]) -> dict[str, Json]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "clusterIP": "None",
            "selector": labels,
            "ports": [{"name": "http", "port": server.port, "targetPort": "http"}],
        },
    }


def _stateful_set(
    name: str, labels: dict[str, Json], *, replicas: int, container: dict[str, Json], cache: str
) -> dict[str, Json]:
    claim: dict[str, Json] = {
        "metadata": {"name": "weights"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": cache}}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "serviceName": name,
            "replicas": replicas,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "automountServiceAccountToken": False,
                    "terminationGracePeriodSeconds": 120,
                    "containers": [container],
                    "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "16Gi"}}],
                },
            },
            "volumeClaimTemplates": [claim],
        },
    }


def _container(server: VllmServer, *, image: str, secret: str, gpu: str) -> dict[str, Json]:
    environment: list[Json] = [{"name": "HF_HOME", "value": "/weights"}]
    if server.keyed:
        source: Json = {"secretKeyRef": {"name": secret, "key": "api-key"}}
        environment.append({"name": KEY_VARIABLE, "valueFrom": source})
    return {
        "name": "vllm",
        "image": image,
        "command": list(command(server)),
        "ports": [{"name": "http", "containerPort": server.port}],
        "env": environment,
        "resources": {"limits": {gpu: server.tensor_parallel_size}},
        # Loading weights may take half an hour; only then is a silent server a dead one.
        "startupProbe": _probe(period=10, failures=180),
        "readinessProbe": _probe(period=5, failures=3),
        "livenessProbe": _probe(period=15, failures=4),
        "volumeMounts": [
            {"name": "weights", "mountPath": "/weights"},
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 where NCCL shares memory between GPUs
        ],
        "securityContext": {"allowPrivilegeEscalation": False},
    }


def _probe(*, period: int, failures: int) -> dict[str, Json]:
    return {
        "httpGet": {"path": "/health", "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _yaml(value: Json, depth: int) -> Iterator[str]:
    """Yield a value as lines of YAML 1.2, which JSON's scalars are a part of."""
    indent = "  " * depth
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, dict | list) and inner:
                yield f"{indent}{_scalar(key)}:"
                yield from _yaml(inner, depth + 1)
            else:
                yield f"{indent}{_scalar(key)}: {_scalar(inner)}"
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            lines = list(_yaml(inner, depth + 1)) if isinstance(inner, dict) else [f"{indent}  {_scalar(inner)}"]
            yield f"{indent}- {lines[0].lstrip()}"
            yield from lines[1:]


def _scalar(value: Json) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return encode(value).decode()
