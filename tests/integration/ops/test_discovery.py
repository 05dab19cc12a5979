"""A real Prometheus finds every replica that compose starts, and the autoscaler's query gives one number."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from tests.support.monitoring import lay_down, running_prometheus, until
from tests.support.named_child import KEY
from tests.support.services import Answer, fake_service

from leadline.ops.manifests import Deployment, compose_files, kubernetes_files
from leadline.ops.manifests.parts import PARTS
from leadline.ops.yaml import yaml_text

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 90.0
TEXT = {"Content-Type": "text/plain; version=0.0.4"}
REPLICAS = {"127.0.0.2": 1000, "127.0.0.3": 5}
"""Two replicas of a part, and how often each was asked: an answer of now one, now the other would go up and down."""


# ------------------------------------------------------------------------------------ compose


@dataclass
class Named:
    """Prometheus in a network of its own, with the parts of compose behind names."""

    process: asyncio.subprocess.Process

    async def ask(self, **asked: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        line = await asyncio.wait_for(self.process.stdout.readline(), SECONDS)
        assert line, "it ended"
        return json.loads(line)

    async def values(self, query: str, label: str) -> dict[str, float]:
        return {one["metric"].get(label, ""): float(one["value"][1]) for one in await self.ask(query=query)}

    async def until(self, query: str, wanted: Mapping[str, float], *, label: str) -> None:
        async def so() -> bool:
            return await self.values(query, label) == wanted

        await until(so, seconds=SECONDS, what=f"{query} to be {wanted}")


def quick(text: str) -> str:
    """Return a file of compose whose Prometheus need not be waited for."""
    return text.replace("15s", "1s").replace("10s", "1s").replace("5m", "1s").replace("/run/leadline/metrics", "key")


@asynccontextmanager
async def named(folder: Path) -> AsyncIterator[Named]:
    made = compose_files(Deployment())
    files = {name: quick(made[f"prometheus/{name}"]) for name in ("prometheus.yml", "rules/alerts.yml")}
    files |= {f"rules/{name}.yml": made[f"prometheus/rules/{name}.yml"] for name in ("records", "slo")}
    there = {
        part.name: {
            address: f'leadline_http_requests_total{{method="GET",route="/",status="200"}} {count}\n'
            for address, count in REPLICAS.items()
        }
        for part in PARTS
    }
    world = {"names": there, "ports": {part.name: part.port for part in PARTS}, "files": files}
    (folder / "world.json").write_text(json.dumps(world), "utf-8")
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions ndots:0\n", "utf-8")
    (folder / "data").mkdir()
    process = await asyncio.create_subprocess_exec(
        *("bwrap", "--dev-bind", "/", "/", "--ro-bind", str(folder / "resolv.conf"), "/etc/resolv.conf"),
        *("--unshare-user", "--unshare-net", "--unshare-pid", "--die-with-parent", "--proc", "/proc"),
        *("--uid", "0", "--gid", "0", "--cap-add", "CAP_NET_BIND_SERVICE"),
        *(sys.executable, "-m", "tests.support.named_child", str(folder)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        assert (await asyncio.wait_for(process.stdout.readline(), SECONDS)).strip() == b"ready"
        yield Named(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.server("bwrap")
@pytest.mark.server("prometheus")
async def test_prometheus_of_compose_finds_every_replica_and_misses_one_that_goes(tmp_path: Path) -> None:
    async with named(tmp_path) as made:
        everywhere = {part.name: float(len(REPLICAS)) for part in PARTS}
        await made.until("sum by (process) (up == 1)", everywhere, label="process")
        # Each is a series of its own: the sum is that of all replicas, and no count ever goes down.
        sums = dict.fromkeys(everywhere, float(sum(REPLICAS.values())))
        await made.until("sum by (process) (leadline_http_requests_total)", sums, label="process")
        await made.until('ALERTS{alertname=~"ReplicasMissing|TargetDown|TargetsVanished"}', {}, label="process")

        await made.ask(away=["worker", "127.0.0.3"])
        await made.ask(away=["tool-visit", "127.0.0.3"])
        await made.ask(away=["tool-search", "127.0.0.2"])
        await made.ask(away=["tool-search", "127.0.0.3"])
        # compose starts two workers and one of each tool.
        fires = 'ALERTS{alertname="ReplicasMissing",alertstate="firing"}'
        await made.until(fires, {"worker": 1.0, "tool-search": 1.0}, label="process")
        await made.until('up{process="worker"}', {"127.0.0.2:9100": 1.0}, label="instance")


# --------------------------------------------------------------------------------- Kubernetes


def depth(*, queued: int, running: int) -> bytes:
    counts = {"claimable": queued, "queued": queued, "running": running, "waiting": 40}
    return "".join(f'leadline_queue_runs{{state="{state}"}} {count}\n' for state, count in counts.items()).encode()


def filled(query: str, namespace: str = "leadline") -> str:
    """Return the query as prometheus-adapter makes it: a matcher of the namespace, and the metric's own name."""
    return query.replace("<<.LabelMatchers>>", f'namespace="{namespace}"').replace("<<.Series>>", "leadline_queue_runs")


SECRET = "/etc/prometheus/leadline/metrics-key"
META = "__meta_kubernetes"


def pod(name: str, place: str, *, namespace: str = "leadline", port: str = "http", phase: str = "Running") -> Any:
    """Return a target as discovery in Kubernetes finds it; a file stands for the cluster's API."""
    labels = {
        f"{META}_namespace": namespace,
        f"{META}_pod_name": f"{name}-1",
        f"{META}_pod_label_app_kubernetes_io_name": name,
        f"{META}_pod_container_port_name": port,
        f"{META}_pod_phase": phase,
    }
    return {"targets": [place], "labels": labels}


def of_file(text: str) -> str:
    """Return the configuration with a file in the place of Kubernetes, which Debian's Prometheus does not know."""
    found = yaml.safe_load(text)
    for job in found["scrape_configs"]:
        [asked] = job.pop("kubernetes_sd_configs", [None])
        if asked is not None:
            assert asked == {"role": "pod", "namespaces": {"names": ["leadline"]}}
            job["file_sd_configs"] = [{"files": ["pods.json"]}]
    found["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    return yaml_text(found, head="").replace(SECRET, "key")


@pytest.mark.server("prometheus")
async def test_workers_are_scaled_by_one_number_that_is_right(tmp_path: Path) -> None:
    """The adapter hands each series to the autoscaler, which adds them up."""
    manifests = kubernetes_files(Deployment())
    [rule] = yaml.safe_load(manifests["monitoring/adapter.yaml"])["externalRules"]
    [scaler] = [
        one["spec"] for one in yaml.safe_load_all(manifests["worker.yaml"]) if one["kind"] == "HorizontalPodAutoscaler"
    ]
    [metric] = scaler["metrics"]
    assert metric["external"]["metric"] == {"name": rule["name"]["as"]}
    names = [name.removeprefix("monitoring/") for name in manifests if name.startswith("monitoring/rules/")]
    files = {name: manifests[f"monitoring/{name}"] for name in names}
    files |= {"key": KEY, "prometheus.yml": of_file(manifests["monitoring/prometheus.yml"])}
    async with AsyncExitStack() as stack:
        pods = []
        for name, namespace, port, phase in (
            ("worker", "leadline", "http", "Running"),
            ("worker", "leadline", "http", "Running"),
            ("service", "leadline", "http", "Running"),
            ("worker", "leadline", "http", "Succeeded"),
            ("worker", "leadline", "other", "Running"),
            ("worker", "another", "http", "Running"),
            ("migrate", "leadline", "http", "Running"),
        ):
            service = await stack.enter_async_context(fake_service())
            service.paths["/metrics"] = Answer(depth(queued=21, running=16), headers=TEXT)
            place = service.url.removeprefix("http://")
            pods.append(pod(name, place, namespace=namespace, port=port, phase=phase))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        files["pods.json"] = json.dumps(pods)
        prometheus = await stack.enter_async_context(running_prometheus(tmp_path, files, session=session))
        await prometheus.until('count(up{job=~"leadline-.+"} == 1) == 3', seconds=SECONDS)
        up = await prometheus.query('up{job=~"leadline-.+"}')
        assert {one["metric"]["namespace"] for one in up} == {"leadline"}
        assert sorted(one["metric"]["process"] for one in up) == ["service", "worker", "worker"]
        await prometheus.until(f"count({rule['seriesQuery']}) == 3", seconds=SECONDS)
        told = [float(one["value"][1]) for one in await prometheus.query(filled(rule["metricsQuery"]))]
        assert told == [37.0]
        assert await prometheus.query(filled(rule["metricsQuery"], "another")) == []
        added_up = len(await prometheus.query("leadline_queue_runs"))
        assert added_up == 12, "what the metric by itself would have had added up"
    a_worker = int(metric["external"]["target"]["averageValue"])
    assert -(-told[0] // a_worker) == 5, "workers for 37 runs, eight each"


# ------------------------------------------------------------------------------- every place


@pytest.mark.server("prometheus")
@pytest.mark.parametrize("folder", ["prometheus", "compose/prometheus", "kubernetes/monitoring"])
def test_what_lies_under_deploy_is_valid(folder: str, tmp_path: Path) -> None:
    place = ROOT / "deploy" / folder
    files = {str(path.relative_to(place)): path.read_text("utf-8") for path in place.rglob("*.yml")}
    keys = set(re.findall(r"credentials_file: (\S+)", files["prometheus.yml"]))
    assert len(keys) == 1
    files["prometheus.yml"] = of_file(files["prometheus.yml"].replace(keys.pop(), "key"))
    lay_down(tmp_path, {**files, "key": KEY, "pods.json": "[]"})
    words = ("promtool", "check", "config", "--lint=all", "--lint-fatal", "prometheus.yml")
    checked = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    named = [one for one in files if one.startswith("rules/")]
    assert all(f"SUCCESS: {yaml_rules(files[one])} rules found" in checked.stdout for one in named), checked.stdout


def yaml_rules(text: str) -> int:
    return sum(len(group["rules"]) for group in yaml.safe_load(text)["groups"])
