"""Write what lies under deploy/ and is made from typed values: run it after changing them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from leadline.ops.manifests import Deployment, compose_files, kubernetes_files, systemd_files
from leadline.ops.monitoring import Targets, alertmanager_files, dashboards, prometheus_files, provisioning
from leadline.ops.nginx import Balancer, nginx_conf

ROOT = Path(__file__).resolve().parents[1]

EXAMPLE = Balancer(
    services=("10.0.0.11:8000", "10.0.0.12:8000"),
    certificate=PurePosixPath("/etc/leadline/tls/fullchain.pem"),
    key=PurePosixPath("/etc/leadline/tls/private.pem"),
    # As Debian's unit and its logrotate know them; nginx' own workers may not enter Leadline's folder.
    folder=PurePosixPath("/var/lib/nginx"),
    pid=PurePosixPath("/run/nginx.pid"),
    access_log=PurePosixPath("/var/log/nginx/access.log"),
    error_log=PurePosixPath("/var/log/nginx/error.log"),
    server_name="research.example.org",
)

WATCHED = Targets(
    service=("10.0.0.11:8000", "10.0.0.12:8000"),
    worker=("10.0.0.21:9101", "10.0.0.22:9101"),
    tools=("10.0.0.31:8001", "10.0.0.31:8002", "10.0.0.31:8003", "10.0.0.32:8004"),
    vllm=("10.0.0.41:8000", "10.0.0.42:8000"),
    gpu=("10.0.0.41:9400", "10.0.0.42:9400"),
    alertmanager="10.0.0.51:9093",
    key_file="/etc/leadline/metrics.key",
    runbooks=f"https://{EXAMPLE.server_name}/runbooks",
)


def files() -> dict[str, str]:
    """Return the generated files, by path under the project."""
    return {"deploy/nginx/nginx.conf": nginx_conf(EXAMPLE), **monitoring(), **manifests()}


def manifests() -> dict[str, str]:
    """Return how the parts are deployed: by compose, on Kubernetes, by systemd."""
    deployment = Deployment()
    folders = {
        "compose": compose_files(deployment),
        "kubernetes": kubernetes_files(deployment),
        "systemd": systemd_files(),
    }
    return {f"deploy/{folder}/{name}": text for folder, made in folders.items() for name, text in made.items()}


def monitoring() -> dict[str, str]:
    """Return what watches: Prometheus, Alertmanager, Grafana."""
    folders = {
        "prometheus": prometheus_files(WATCHED),
        "alertmanager": alertmanager_files(webhook="http://10.0.0.52:8080/alerts"),
        "grafana/dashboards": dashboards(),
        "grafana/provisioning": provisioning("http://10.0.0.51:9090"),
    }
    return {f"deploy/{folder}/{name}": text for folder, made in folders.items() for name, text in made.items()}


def main() -> None:
    for name, text in files().items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main()
