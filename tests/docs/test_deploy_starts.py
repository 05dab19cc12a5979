"""What lies under deploy/ can start where it says: commands that are there, folders that may be entered, ways that are open."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from tests.support.commands import parsed

from leadline.cli.main import cli
from leadline.errors import SettingsError
from leadline.ops.manifests import Deployment, compose_files, kubernetes_files
from leadline.ops.manifests.parts import PARTS
from leadline.service.app import create_app
from leadline.settings import Settings, load

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
INTERNAL = ("/internal/", "/metrics")
HOMES = ("/home", "/root", "/run/user")
"""What `ProtectHome` closes."""


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text("utf-8"))
    return document


def units() -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Yield each service's directives, each with all that is said of it."""
    for path in sorted((DEPLOY / "systemd").glob("*.service")):
        found: dict[str, list[str]] = {}
        for line in path.read_text("utf-8").splitlines():
            name, is_set, value = line.partition("=")
            if is_set:
                found.setdefault(name, []).append(value)
        yield path.name, found


def pods(deployment: Deployment) -> Iterator[dict[str, Any]]:
    for name, text in kubernetes_files(deployment).items():
        if "/" not in name:
            yield from yaml.safe_load_all(text)


# ------------------------------------------------------------------------------------------- commands


def commands() -> Iterator[tuple[str, Sequence[str]]]:
    for one in pods(Deployment()):
        if one["kind"] in {"Deployment", "Job"}:
            [container] = one["spec"]["template"]["spec"]["containers"]
            yield f"kubernetes {container['name']}", container["args"]
    for name, service in compose()["services"].items():
        if service["image"].startswith("leadline") and name != "operator":
            yield f"compose {name}", service["command"]
    for name, said in units():
        [line] = said["ExecStart"]
        yield f"systemd {name}", line.replace("%i", "8000").split()[1:]


@pytest.mark.parametrize(
    ("where", "words"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_is_one_with_all_its_options(where: str, words: Sequence[str]) -> None:
    command: click.Command = cli
    rest = list(words)
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), rest[0])
        assert found is not None, (where, rest[0])
        command, rest = found, rest[1:]
    with parsed(command, words[0], rest) as context:
        assert context.params.get("port") in {None, 8000, *(part.port for part in PARTS)}


def test_something_takes_the_ends_of_orphans() -> None:
    """What parses or runs strangers' things is killed whole; as the first process nobody would reap its children."""
    for one in pods(Deployment()):
        if one["kind"] in {"Deployment", "Job"}:
            assert one["spec"]["template"]["spec"]["shareProcessNamespace"] is True
    assert {name for name, one in compose()["services"].items() if one["image"].startswith("leadline")} == {
        name for name, one in compose()["services"].items() if one.get("init") is True
    }


# -------------------------------------------------------------------------------------------- compose


def test_no_container_that_is_read_only_waits_for_a_secret_of_the_environment() -> None:
    """Compose lays such secrets down in the container, and refuses to start one in which it cannot."""
    document = compose()
    from_file = {name for name, one in document.get("secrets", {}).items() if "file" in one}
    for name, one in document["services"].items():
        assert set(one.get("secrets", ())) <= from_file, name


@pytest.mark.server("prometheus")
def test_prometheus_of_compose_has_the_key_of_metrics_in_a_file_of_its_own(tmp_path: Path) -> None:
    one = compose()["services"]["prometheus"]
    settings = yaml.safe_load((DEPLOY / "compose" / "prometheus" / "prometheus.yml").read_text("utf-8"))
    [asked] = {job["authorization"]["credentials_file"] for job in settings["scrape_configs"]}
    folder = str(Path(asked).parent)
    assert any(mount.startswith(f"{folder}:") for mount in one["tmpfs"]), "only there it may write"
    words = [word.replace("$$", "$").replace(folder, str(tmp_path)) for word in one["entrypoint"]]
    told = subprocess.run(
        [*words, "--version"],
        env={"PATH": "/usr/bin:/bin", "LEADLINE_METRICS__KEY": "a key"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.startswith("prometheus, version")
    [written] = tmp_path.iterdir()
    assert (written.name, written.read_text(), written.stat().st_mode & 0o777) == (Path(asked).name, "a key", 0o600)


def test_the_nginx_of_compose_follows_replicas_and_fills_no_memory() -> None:
    text = (DEPLOY / "compose" / "nginx.conf").read_text("utf-8")
    assert "resolver 127.0.0.11 valid=5s" in text
    assert "server service:8000 max_fails=2 fail_timeout=5s resolve;" in text
    assert "access_log /dev/stdout " in text
    assert "error_log /dev/stderr " in text


def test_the_alertmanager_of_compose_tells_whom_it_is_given() -> None:
    hook = "https://pager.example.org/leadline"
    files = compose_files(Deployment(alerts_to=hook))
    told = yaml.safe_load(files["alertmanager/alertmanager.yml"])["receivers"]
    urls = {one["name"]: [way["url"] for way in one.get("webhook_configs", ())] for one in told}
    assert urls == {"team": [hook], "on-call": [hook], "watchdog": [hook], "nobody": []}


def test_a_tool_reaches_no_database() -> None:
    services = compose()["services"]
    for part in PARTS:
        shared = set(services[part.name]["networks"]) & set(services["postgres"]["networks"])
        assert bool(shared) == ("stores" in part.reach), part.name
        assert bool(set(services[part.name]["networks"]) & set(services["redis-cache"]["networks"])) == (
            "counts" in part.reach
        )


# ----------------------------------------------------------------------------------------- Kubernetes


def test_the_ingress_shows_whatever_the_service_answers_and_nothing_that_is_internal() -> None:
    [ingress] = [one for one in pods(Deployment()) if one["kind"] == "Ingress"]
    shown = ingress["spec"]["rules"][0]["http"]["paths"]
    beginnings = tuple(f"{one['path']}/" for one in shown if one["pathType"] == "Prefix")
    exact = {one["path"] for one in shown if one["pathType"] == "Exact"}
    routes = {route.path for route in create_app(Settings()).routes}  # type: ignore[attr-defined]  # each of ours has one
    assert "/runbooks/{name}" in routes, "alerts link them"
    for path in routes:
        reached = path in exact or f"{path}/".startswith(beginnings)
        assert reached is not path.startswith(INTERNAL), path


def reached_ports(deployment: Deployment, name: str) -> dict[str, set[int]]:
    """Return the ports by network that a part may reach."""
    [policy] = [one for one in pods(deployment) if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == name]
    found: dict[str, set[int]] = {}
    for rule in policy["spec"].get("egress", ()):
        for place in rule["to"]:
            network = place.get("ipBlock", {}).get("cidr", "pods")
            found.setdefault(network, set()).update(port["port"] for port in rule["ports"])
    return found


def test_each_part_reaches_the_ports_that_it_needs() -> None:
    deployment = Deployment(
        model_urls=("http://vllm.models.svc:30000/v1", "https://models.example.org/v1"),
        choices={"JUDGE__USE": "own", "JUDGE__URLS": "http://judge:8123/v1"},
        stores=("10.1.0.0/16",),
        models=("10.2.0.0/16",),
        sinks=("10.3.0.0/16",),
    )
    for name in ("service", "worker"):
        reached = reached_ports(deployment, name)
        assert reached["10.1.0.0/16"] >= {5432, 6379, 26379, 443}, "database, Redis, its Sentinel, bodies"
        assert reached["10.2.0.0/16"] == {30000, 443, 8123}
        assert reached["10.3.0.0/16"] >= {9092, 9093, 4318}, "Kafka, a collector of traces"
    for name in ("tool-search", "tool-visit", "tool-scholar"):
        reached = reached_ports(deployment, name)
        assert reached["10.1.0.0/16"] == {6379, 26379}, "it reads what strangers write"
        assert "10.2.0.0/16" not in reached
    assert reached_ports(deployment, "tool-python") == {}
    assert "10.3.0.0/16" not in reached_ports(Deployment(), "worker")


# -------------------------------------------------------------------------------------------- systemd


def test_units_look_for_settings_where_they_may_look() -> None:
    for name, said in units():
        variables = dict(pair.split("=", 1) for line in said["Environment"] for pair in line.split())
        folder = variables.get("XDG_CONFIG_HOME", "/home/leadline/.config")
        assert said["ProtectHome"] == ["yes"]
        assert not folder.startswith(HOMES), name
    assert {value for name, said in units() if "tool" not in name for value in said["Environment"]} == {
        "LEADLINE_DATA_DIR=/var/lib/leadline LEADLINE_LOG__FORMAT=json XDG_CONFIG_HOME=/etc"
    }


def test_a_folder_that_cannot_be_looked_into_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in a closed home; root may enter any, so here the name is too long for any file system."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ("x" * (os.pathconf("/", "PC_NAME_MAX") + 1))))
    with pytest.raises(SettingsError, match=r"cannot look for the settings file .*XDG_CONFIG_HOME"):
        load(environ={})


def test_nothing_stays_down_because_a_database_came_up_late() -> None:
    found = dict(units())
    migrate = found["leadline-migrate.service"]
    assert (migrate["Restart"], migrate["PartOf"]) == (["on-failure"], ["leadline.target"])
    for name, said in found.items():
        assert "Requires" not in said, name
        assert said["StartLimitIntervalSec"] == ["0"]
        waits = "leadline-migrate.service" in said["After"][0].split()
        assert waits == ("leadline-migrate.service" in said["Wants"][0].split())
        assert waits == (name in {"leadline-service@.service", "leadline-worker@.service"})


def test_what_takes_settings_anew_can_be_told_to() -> None:
    reloads = {name for name, said in units() if said.get("ExecReload") == ["/bin/kill -HUP $MAINPID"]}
    assert reloads == {"leadline-service@.service", "leadline-worker@.service"}


def test_nothing_covers_proc_where_a_sandbox_needs_one_of_its_own() -> None:
    """The kernel gives a namespace a fresh `/proc` only where nothing of the outer one is hidden."""
    covers = {"ProtectKernelTunables", "ProtectKernelLogs", "ProtectProc", "ProcSubset"}
    for name, said in units():
        assert (covers & set(said)) == (set() if name == "leadline-tool-python.service" else covers), name


# ---------------------------------------------------------------------------------------------- nginx


def test_the_nginx_of_the_example_is_one_that_debians_unit_can_start() -> None:
    text = (DEPLOY / "nginx" / "nginx.conf").read_text("utf-8")
    assert "pid /run/nginx.pid;" in text, "its unit waits for it"
    assert "access_log /var/log/nginx/access.log " in text, "it is rotated"
    # nginx' workers are another user, whom units of Leadline keep out of theirs.
    assert "/var/lib/leadline" not in text
    connections = int(text.partition("worker_connections ")[2].partition(";")[0])
    assert int(text.partition("worker_rlimit_nofile ")[2].partition(";")[0]) > connections
