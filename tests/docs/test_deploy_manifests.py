"""The files for Kubernetes, compose, systemd and images, judged by the programs that judge such files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import compose_spec
import kubernetes_validate
import pytest
import yaml
from tests.support.certificates import Certificates
from tests.support.models import free_port

from leadline.errors import SettingsError
from leadline.ops.manifests.network import PRIVATE
from leadline.ops.manifests.parts import PARTS, SECRET_SETTINGS, Part
from leadline.ops.manifests.providers import keys_of
from leadline.settings import items

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
COMPOSE = ROOT / "deploy" / "compose"
SYSTEMD = ROOT / "deploy" / "systemd"
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
HADOLINT = Path(sys.executable).with_name("hadolint")
EXPOSURE = 3.0

Json = dict[str, Any]


# ------------------------------------------------------------------------------------------ Kubernetes


def objects() -> list[Json]:
    found: list[Json] = []
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        if path.name not in {"kustomization.yaml", "adapter.yaml"}:
            found += yaml.safe_load_all(path.read_text("utf-8"))
    return found


def of_kind(kind: str) -> dict[str, Json]:
    return {one["metadata"]["name"]: one for one in objects() if one["kind"] == kind}


@pytest.mark.parametrize("version", ["1.28", "1.31", "1.34"])
def test_every_object_is_valid(version: str) -> None:
    for one in objects():
        kubernetes_validate.validate(one, version, strict=True)


def test_an_unknown_field_is_not_valid() -> None:
    wrong = of_kind("Deployment")["worker"]
    wrong["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.31", strict=True)


def test_the_kustomization_names_every_file() -> None:
    named = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text("utf-8"))["resources"]
    assert set(named) == {path.name for path in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}


def pods() -> dict[str, Json]:
    found = {name: one["spec"]["template"] for name, one in of_kind("Deployment").items()}
    return found | {name: one["spec"]["template"] for name, one in of_kind("Job").items()}


def test_pods_are_restricted() -> None:
    """What the standard `restricted` asks for, and a root that cannot be written."""
    for name, template in pods().items():
        pod = template["spec"]
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] >= 10_000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert "hostNetwork" not in pod
        [container] = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["cpu"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_each_part_is_probed_scaled_and_not_taken_away_at_once() -> None:
    deployments, budgets = of_kind("Deployment"), of_kind("PodDisruptionBudget")
    scalers, services = of_kind("HorizontalPodAutoscaler"), of_kind("Service")
    assert set(deployments) == set(budgets) == set(scalers) == {part.name for part in PARTS}
    for part in PARTS:
        template = deployments[part.name]["spec"]["template"]
        wanted = deployments[part.name]["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= template["metadata"]["labels"].items()
        assert budgets[part.name]["spec"]["selector"]["matchLabels"] == wanted
        [container] = template["spec"]["containers"]
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
        [port] = container["ports"]
        assert str(port["containerPort"]) in " ".join(container["args"])
        assert template["spec"]["terminationGracePeriodSeconds"] >= 45
        scaler = scalers[part.name]["spec"]
        assert scaler["scaleTargetRef"]["name"] == part.name
        assert 2 <= scaler["minReplicas"] < scaler["maxReplicas"]
        if part.name != "worker":
            assert services[part.name]["spec"]["selector"] == wanted
    [metric] = scalers["worker"]["spec"]["metrics"]
    [served] = yaml.safe_load((KUBERNETES / "monitoring" / "adapter.yaml").read_text("utf-8"))["externalRules"]
    assert metric["external"]["metric"]["name"] == served["name"]["as"]


def test_the_network_is_closed_but_for_what_is_needed() -> None:
    policies = of_kind("NetworkPolicy")
    closed = policies["deny-all"]["spec"]
    assert (closed["podSelector"], set(closed["policyTypes"])) == ({}, {"Ingress", "Egress"})
    assert "ingress" not in closed
    assert "egress" not in closed
    programs = policies["tool-python"]["spec"]
    assert "Egress" in programs["policyTypes"]
    assert "egress" not in programs, "programs of a model reach nobody"
    for part in PARTS:
        open_to_web = [
            place["ipBlock"]
            for rule in policies[part.name]["spec"].get("egress", [])
            for place in rule.get("to", [])
            if place.get("ipBlock", {}).get("cidr") == "0.0.0.0/0"
        ]
        assert bool(open_to_web) == ("web" in part.reach)
        assert all(set(block["except"]) == set(PRIVATE) for block in open_to_web)


def test_settings_exist_and_secrets_are_named_only() -> None:
    known = {item.variable for item in items().values()}
    settings = of_kind("ConfigMap")["leadline"]["data"]
    assert set(settings) <= known
    assert not {f"LEADLINE_{name}" for name in SECRET_SETTINGS} & set(settings)
    for template in pods().values():
        [container] = template["spec"]["containers"]
        assert {one["name"] for one in container["env"]} <= known
        assert all("value" not in one for one in container["env"])


BARE = {"LEADLINE_TOOLS__KEY", "LEADLINE_METRICS__KEY"}
CACHED = {*BARE, "LEADLINE_CACHE", "LEADLINE_LIMITS"}
NOT_FOR_TOOLS = {f"LEADLINE_{name}" for name in SECRET_SETTINGS} - CACHED


def test_a_pod_has_only_the_secrets_that_it_needs() -> None:
    found = {name: {one["name"] for one in pod["spec"]["containers"][0]["env"]} for name, pod in pods().items()}
    for name, named in found.items():
        providers = {f"LEADLINE_{setting}" for setting in keys_of(name)}
        assert providers <= named
        secrets = named - providers
        if name == "tool-python":
            assert secrets == BARE, "programs of a model are run beside it"
        elif name.startswith("tool-"):
            assert secrets == CACHED, "it reads what strangers write"
        elif name.startswith("migrate"):
            assert secrets == {"LEADLINE_STORE"}
        else:
            assert secrets == {f"LEADLINE_{name}" for name in SECRET_SETTINGS}


def test_what_is_no_part_is_refused() -> None:
    with pytest.raises(SettingsError):
        Part(
            name="Not A Name",
            words=(),
            port=1,
            ready="/",
            least=1,
            most=1,
            scale="cpu",
            cpu="100m",
            memory="1Mi",
            reach=frozenset(),
        )


# --------------------------------------------------------------------------------------------- compose


VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<kind>:-|:\?)(?P<rest>[^}]*))?\}")


def interpolated(text: str) -> str:
    """Return the file as compose sees it, each variable of the example having a value."""

    def value(found: re.Match[str]) -> str:
        return found["rest"] if found["kind"] == ":-" else "1234"

    return VARIABLE.sub(value, text).replace("$$", "$")


def compose() -> Json:
    document: Json = yaml.safe_load((COMPOSE / "compose.yaml").read_text("utf-8"))
    return document


def test_compose_is_valid() -> None:
    text = interpolated((COMPOSE / "compose.yaml").read_text("utf-8"))
    found = compose_spec.PyCompose.from_yaml(text)
    found.validate()
    assert set(found.service_names()) == set(compose()["services"])
    for wrong in (text.replace("pids_limit", "pids_limits"), text.replace("service_healthy", "service_nice")):
        with pytest.raises(ValueError, match=r"pids_limits|service_nice"):
            compose_spec.PyCompose.from_yaml(wrong)


def test_containers_are_hardened_and_each_has_its_networks() -> None:
    document = compose()
    for name, one in document["services"].items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert int(one["user"].split(":")[0]) > 0
        assert one["mem_limit"]
        assert set(one["networks"]) <= set(document["networks"])
        assert set(one.get("depends_on", {})) <= set(document["services"])
        named = {volume.split(":")[0] for volume in one.get("volumes", []) if volume[0] not in "./$"}
        assert named <= set(document["volumes"])
        public = [port for port in one.get("ports", []) if not port.startswith("127.0.0.1:")]
        assert not public or name == "nginx"
    inner = {name for name, one in document["networks"].items() if one.get("internal")}
    assert set(document["services"]["tool-python"]["networks"]) == {"tools"} <= inner
    assert set(document["services"]["postgres"]["networks"]) == {"stores"} <= inner


def test_a_container_has_only_the_secrets_and_the_bodies_that_it_needs() -> None:
    for name, one in compose()["services"].items():
        if name.startswith("tool-"):
            assert not set(one["environment"]) & NOT_FOR_TOOLS, name
            assert not one.get("volumes"), "bodies of tenants are not for it"
            assert not any("POSTGRES" in str(value) or "QUEUE" in str(value) for value in one["environment"].values())
    python = compose()["services"]["tool-python"]["environment"]
    assert not any("REDIS" in str(value) for value in python.values())


def test_composes_variables_are_settings_and_in_the_example() -> None:
    known = {item.variable for item in items().values()}
    for name in ("service", "worker", "operator", "migrate", *(part.name for part in PARTS if part.is_tool)):
        assert set(compose()["services"][name]["environment"]) <= known
    text = (COMPOSE / "compose.yaml").read_text("utf-8")
    example = {line.partition("=")[0] for line in (COMPOSE / "example.env").read_text("utf-8").splitlines()}
    assert {found["name"] for found in VARIABLE.finditer(text)} <= example


def redis_says(port: int, *words: str, **variables: str) -> str:
    environment = {"PATH": "/usr/bin:/bin", **variables}
    asked = ["redis-cli", "-p", str(port), *words]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=environment)
    return done.stdout + done.stderr


@pytest.mark.server("redis")
def test_the_redis_of_compose_takes_its_password_from_the_environment(tmp_path: Path) -> None:
    [_, _, start] = compose()["services"]["redis-cache"]["entrypoint"]
    port = free_port()
    script = f"{start.replace('$$', '$')} --bind 127.0.0.1 --port {port}"
    environment = {"PATH": "/usr/bin:/bin", "REDIS_CACHE_PASSWORD": "secret"}
    server = subprocess.Popen(["sh", "-c", script], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    try:
        said = ""
        while "NOAUTH" not in said:
            assert server.poll() is None
            said = redis_says(port, "ping")
        assert redis_says(port, "config", "get", "maxmemory", REDISCLI_AUTH="secret").split()[1] == str(512 << 20)
    finally:
        server.terminate()
        server.wait()


@pytest.mark.server("nginx")
def test_the_nginx_of_compose_is_right(tmp_path: Path) -> None:
    Certificates.create(tmp_path).server("localhost")
    text = (COMPOSE / "nginx.conf").read_text("utf-8")
    for there, here in (
        ("/etc/leadline/tls/fullchain.pem", str(tmp_path / "localhost.pem")),
        ("/etc/leadline/tls/private.pem", str(tmp_path / "localhost.pem")),
        ("/var/lib/nginx", str(tmp_path)),
        ("server service:8000", "server 127.0.0.1:8000"),
        (" resolve;", ";"),  # of nginx 1.27.3 and newer, as the image's; this machine's may be older
    ):
        assert there in text
        text = text.replace(there, here)
    (tmp_path / "nginx.conf").write_text(text, "utf-8")
    checked = subprocess.run(
        ["/usr/sbin/nginx", "-t", "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


# --------------------------------------------------------------------------------------------- systemd


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Return the units with a program that is there, and instances of the templates."""
    for path in SYSTEMD.iterdir():
        name = path.name.replace("@.", "@8000.")
        text = path.read_text("utf-8").replace("/opt/leadline/bin/leadline", "/bin/true")
        for instance in ("leadline-service@8010", "leadline-worker@9101", "leadline-worker@9102"):
            text = text.replace(instance, f"{instance.partition('@')[0]}@8000")
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


@pytest.mark.server("systemd")
def test_units_are_right(units: Path) -> None:
    paths = sorted(str(path) for path in units.iterdir())
    checked = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
    # An unknown directive is only a warning: nothing at all may be said of our units.
    said = [line for line in (checked.stdout + checked.stderr).splitlines() if "leadline" in line]
    assert (checked.returncode, said) == (0, [])


@pytest.mark.server("systemd")
def test_a_wrong_unit_is_noticed(units: Path) -> None:
    path = units / "leadline-migrate.service"
    path.write_text(path.read_text("utf-8").replace("NoNewPrivileges", "NoNewPrivilegez"), "utf-8")
    checked = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    assert "NoNewPrivilegez" in checked.stdout + checked.stderr


@pytest.mark.server("systemd")
def test_units_are_hardened(units: Path) -> None:
    for path in sorted(units.glob("*.service")):
        judged = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        overall = re.search(r"Overall exposure level for \S+: ([0-9.]+)", judged.stdout)
        assert overall is not None, judged.stderr
        assert float(overall[1]) <= EXPOSURE, path.name


def test_tools_are_users_of_their_own_without_the_secrets_of_others() -> None:
    for path in SYSTEMD.glob("*.service"):
        text = path.read_text("utf-8")
        lines = text.splitlines()
        tool = path.name.startswith("leadline-tool-")
        name = "leadline-tools" if tool else "leadline"
        assert {f"User={name}", f"Group={name}", f"StateDirectory={name}"} <= set(lines), path.name
        assert f"EnvironmentFile=/etc/leadline/{'tools' if tool else 'leadline'}.env" in lines
        assert f"WorkingDirectory=/var/lib/{name}" in lines
        assert f"LEADLINE_DATA_DIR=/var/lib/{name} " in text


def test_programs_of_a_model_reach_only_this_machine() -> None:
    text = (SYSTEMD / "leadline-tool-python.service").read_text("utf-8")
    assert "IPAddressDeny=any\nIPAddressAllow=localhost\n" in text


# ---------------------------------------------------------------------------------------------- image


def test_the_dockerfile_has_no_fault() -> None:
    checked = subprocess.run([HADOLINT, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")


def test_a_fault_of_a_dockerfile_is_noticed(tmp_path: Path) -> None:
    wrong = tmp_path / "Dockerfile"
    wrong.write_text("FROM debian:latest\nRUN cd /tmp\nMAINTAINER me\n", "utf-8")
    assert subprocess.run([HADOLINT, wrong], capture_output=True, check=False).returncode != 0


def test_the_image_has_stages_and_a_user() -> None:
    lines = DOCKERFILE.read_text("utf-8").splitlines()
    assert len([line for line in lines if line.startswith("FROM ")]) == 2
    last = lines[[number for number, line in enumerate(lines) if line.startswith("FROM ")][-1] :]
    assert "USER ${USER_ID}:${USER_ID}" in last
    assert not any(line.startswith("RUN ") and "pip" in line for line in last)
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in ignored
