"""Who may talk to whom in Kubernetes: nobody, and then each part what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from leadline.domain import Json
from leadline.ops.manifests.parts import Deployment, Part

PRIVATE: Final = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
"""Networks that are not the internet; the service that gives machines their credentials is in one of them."""

_PART_OF: Final = "app.kubernetes.io/part-of"


def policies(deployment: Deployment) -> Iterator[dict[str, Json]]:
    """Yield the policies."""
    yield _policy(deployment, "deny-all", {}, ingress=[], egress=[])
    # Programs of a model ask nobody, not even for names.
    named: dict[str, Json] = {"key": "app.kubernetes.io/name", "operator": "NotIn", "values": ["tool-python"]}
    asking: dict[str, Json] = {"matchExpressions": [named]}
    yield _policy(deployment, "allow-dns", asking, egress=[{"ports": [_port(53, "UDP"), _port(53)]}])
    migrate = _names("migrate")
    yield _policy(deployment, "migrate", migrate, egress=[_to(deployment.stores, deployment.store_ports)])
    for part in deployment.parts:
        yield _policy(
            deployment,
            part.name,
            _names(part.name),
            ingress=list(_ingress(deployment, part)),
            egress=list(_egress(deployment, part)),
        )


def _ingress(deployment: Deployment, part: Part) -> Iterator[Json]:
    """Yield who may come: the balancer to the service, runs to tools, the monitoring to all."""
    if part.name == "service":
        yield {"from": [_namespace(deployment.ingress_namespace)], "ports": [_port(part.port)]}
    if part.is_tool:
        callers: list[Json] = [{"podSelector": _names(name)} for name in ("service", "worker")]
        yield {"from": callers, "ports": [_port(part.port)]}
    yield {"from": [_namespace(deployment.monitoring_namespace)], "ports": [_port(part.port)]}


def _egress(deployment: Deployment, part: Part) -> Iterator[Json]:
    """Yield where a part may go."""
    if "stores" in part.reach:
        yield _to(deployment.stores, deployment.store_ports)
    if "counts" in part.reach:
        yield _to(deployment.stores, deployment.redis_ports)
    if deployment.sinks and part.reach:
        yield _to(deployment.sinks, deployment.sink_ports)
    if "models" in part.reach:
        yield _to(deployment.models, deployment.model_ports)
    if "tools" in part.reach:
        ports: list[Json] = [_port(other.port) for other in deployment.parts if other.is_tool]
        yield {"to": [{"podSelector": {"matchLabels": {_PART_OF: "leadline"}}}], "ports": ports}
    if "web" in part.reach:
        but: list[Json] = [*PRIVATE]
        yield {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": but}}], "ports": [_port(80), _port(443)]}


def _to(networks: tuple[str, ...], ports: tuple[int, ...]) -> Json:
    places: list[Json] = [{"ipBlock": {"cidr": network}} for network in networks]
    return {"to": places, "ports": [_port(port) for port in ports]}


def _port(number: int, protocol: str = "TCP") -> Json:
    return {"protocol": protocol, "port": number}


def _names(name: str) -> dict[str, Json]:
    return {"matchLabels": {"app.kubernetes.io/name": name, _PART_OF: "leadline"}}


def _namespace(name: str) -> Json:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _policy(
    deployment: Deployment,
    name: str,
    pods: dict[str, Json],
    *,
    ingress: list[Json] | None = None,
    egress: list[Json] | None = None,
) -> dict[str, Json]:
    kinds: list[Json] = [kind for kind, rules in (("Ingress", ingress), ("Egress", egress)) if rules is not None]
    spec: dict[str, Json] = {"podSelector": pods, "policyTypes": kinds}
    if ingress:
        spec["ingress"] = ingress
    if egress:
        spec["egress"] = egress
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": deployment.namespace},
        "spec": spec,
    }
