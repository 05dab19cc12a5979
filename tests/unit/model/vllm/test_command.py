"""The launch line, the unit and the manifest of a vLLM server, all from one section."""

from __future__ import annotations

import configparser
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
import yaml

from leadline.errors import SettingsError
from leadline.model.vllm.command import (
    REFERENCE,
    TONGYI,
    VllmServer,
    command,
    shell_lines,
    systemd_unit,
)
from leadline.model.vllm.kubernetes import kubernetes_manifest, server_urls

# A production configuration as it is published, and the option of each field.
PUBLISHED: dict[str, Any] = {
    "model": "Qwen/Qwen2.5-32B-Instruct",
    "dtype": "bfloat16",
    "max_model_len": 131072,
    "host": "0.0.0.0",  # noqa: S104 behind a key
    "port": 8000,
    "tensor_parallel_size": 4,
    "gpu_memory_utilization": 0.9,
    "max_num_seqs": 32,
    "enable_prefix_caching": True,
    "enable_chunked_prefill": True,
}


def options(words: tuple[str, ...] | list[str]) -> dict[str, str]:
    """Return a command's options and their values."""
    found: dict[str, str] = {}
    name = ""
    for word in words[3:]:
        if word.startswith("--"):
            name = word
            found[name] = ""
        else:
            found[name] = word
    return found


@pytest.mark.parametrize("name", PUBLISHED, ids=str)
def test_the_shipped_example_says_and_does_what_was_published(name: str) -> None:
    value = PUBLISHED[name]
    assert getattr(REFERENCE, name) == value
    words = command(REFERENCE)
    if name == "model":
        assert words[:3] == ("vllm", "serve", value)
    else:
        shown = options(words)["--" + name.replace("_", "-")]
        assert shown == ("" if value is True else str(value))


def test_the_key_comes_from_the_environment_and_is_nowhere_else() -> None:
    for text in (shell_lines(REFERENCE), systemd_unit(REFERENCE), kubernetes_manifest(REFERENCE)):
        assert "--api-key" not in text
    assert "export VLLM_API_KEY" in shell_lines(REFERENCE)
    assert "EnvironmentFile=/etc/leadline/vllm.env" in systemd_unit(REFERENCE)
    with pytest.raises(SettingsError, match="VLLM_API_KEY"):
        command(replace(REFERENCE, arguments=("--api_key=sk-1",)))


def test_a_window_beyond_the_models_own_is_stretched_by_what_it_needs() -> None:
    overrides = orjson.loads(options(command(REFERENCE))["--hf-overrides"])
    assert overrides == {
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": 1_000_000.0,
            "factor": 4.0,
            "original_max_position_embeddings": 32_768,
        }
    }
    assert "--hf-overrides" not in options(command(replace(REFERENCE, max_model_len=32_768)))
    assert "--hf-overrides" not in options(command(TONGYI))
    with pytest.raises(SettingsError, match=r"`vllm.rope_theta` to 1000000"):
        command(replace(REFERENCE, rope_theta=None))


@pytest.mark.parametrize(
    "wrong",
    [
        {"keyed": False},
        {"port": 0},
        {"gpu_memory_utilization": 1.5},
        {"max_num_seqs": 0},
        {"model": "--help"},
        {"model": " "},
    ],
    ids=str,
)
def test_what_is_unsafe_or_impossible_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        command(replace(REFERENCE, **wrong))


def test_without_a_key_it_may_serve_this_machine_alone() -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        assert command(VllmServer(model="m", host=host, keyed=False))
    assert "VLLM_API_KEY" not in systemd_unit(VllmServer(model="m", keyed=False))


def test_the_shells_words_are_the_commands() -> None:
    odd = replace(REFERENCE, model="/models/it's $HOME", served_model_name='a "b" c', arguments=("--seed", "7"))
    shown = "vllm() { printf '%s\\n' vllm \"$@\"; }\n" + shell_lines(odd)
    done = subprocess.run(["/bin/sh", "-c", shown], capture_output=True, text=True, check=True, timeout=10)
    assert tuple(done.stdout.splitlines()) == command(odd)
    assert options(command(odd))["--served-model-name"] == 'a "b" c'


# --- systemd -------------------------------------------------------------------------------------


def unit_words(line: str) -> list[str]:
    """Split a command line as systemd.service(5) says."""
    return [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line)]


def test_the_unit_restarts_on_failure_and_runs_the_same_command() -> None:
    odd = replace(REFERENCE, model="/models/50% $x", served_model_name='a "b"')
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    parser.read_string(systemd_unit(odd))
    service = parser["Service"]
    assert service["Restart"] == "on-failure"
    assert unit_words(service["ExecStart"]) == ["/opt/vllm/bin/vllm", *command(odd)[1:]]


@pytest.mark.server("systemd")
def test_systemd_itself_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "vllm.service"
    unit.write_text(systemd_unit(REFERENCE, executable="/bin/true"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False, timeout=30
    )
    told = [line for line in (done.stdout + done.stderr).splitlines() if "vllm.service" in line]
    assert told == []


# --- Kubernetes ----------------------------------------------------------------------------------

NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
LABELS = {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string", "maxLength": 63}}
QUANTITY = {"type": "string", "pattern": r"^\d+(\.\d+)?([EPTGMk]i?|m)?$"}
META = {"type": "object", "required": ["name"], "properties": {"name": NAME, "labels": LABELS}}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
PROBE = {
    "type": "object",
    "required": ["httpGet", "periodSeconds", "failureThreshold"],
    "additionalProperties": False,
    "properties": {
        "httpGet": {
            "type": "object",
            "required": ["path", "port"],
            "additionalProperties": False,
            "properties": {"path": {"const": "/health"}, "port": {"const": "http"}},
        },
        "periodSeconds": {"type": "integer", "minimum": 1},
        "timeoutSeconds": {"type": "integer", "minimum": 1},
        "failureThreshold": {"type": "integer", "minimum": 1},
    },
}
CONTAINER = {
    "type": "object",
    "required": ["name", "image", "command", "ports", "env", "resources", "startupProbe"],
    "additionalProperties": False,
    "properties": {
        "name": NAME,
        "image": {"type": "string", "pattern": r"^[\w./-]+:[\w.-]+$"},
        "command": {"type": "array", "items": {"type": "string"}, "minItems": 3},
        "ports": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"name": {**NAME, "maxLength": 15}, "containerPort": PORT},
            },
        },
        "env": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string"},
                    "value": {"type": "string"},
                    "valueFrom": {"type": "object"},
                },
            },
        },
        "resources": {
            "type": "object",
            "properties": {"limits": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}}},
        },
        "startupProbe": PROBE,
        "readinessProbe": PROBE,
        "livenessProbe": PROBE,
        "volumeMounts": {
            "type": "array",
            "items": {
                "required": ["name", "mountPath"],
                "additionalProperties": False,
                "properties": {"name": NAME, "mountPath": {"type": "string"}},
            },
        },
        "securityContext": {"type": "object"},
    },
}
SERVICE = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": "v1"},
        "kind": {"const": "Service"},
        "metadata": META,
        "spec": {
            "type": "object",
            "required": ["selector", "ports"],
            "additionalProperties": False,
            "properties": {
                "clusterIP": {"const": "None"},
                "selector": LABELS,
                "ports": {"type": "array", "items": {"properties": {"name": NAME, "port": PORT, "targetPort": NAME}}},
            },
        },
    },
}
STATEFUL_SET = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": "apps/v1"},
        "kind": {"const": "StatefulSet"},
        "metadata": META,
        "spec": {
            "type": "object",
            "required": ["serviceName", "selector", "template", "replicas"],
            "additionalProperties": False,
            "properties": {
                "serviceName": NAME,
                "replicas": {"type": "integer", "minimum": 0},
                "podManagementPolicy": {"enum": ["OrderedReady", "Parallel"]},
                "selector": {"required": ["matchLabels"], "properties": {"matchLabels": LABELS}},
                "template": {
                    "required": ["metadata", "spec"],
                    "properties": {
                        "metadata": {"required": ["labels"], "properties": {"labels": LABELS}},
                        "spec": {
                            "required": ["containers"],
                            "additionalProperties": False,
                            "properties": {
                                "containers": {"type": "array", "items": CONTAINER, "minItems": 1},
                                "automountServiceAccountToken": {"type": "boolean"},
                                "terminationGracePeriodSeconds": {"type": "integer", "minimum": 0},
                                "volumes": {"type": "array", "items": {"required": ["name", "emptyDir"]}},
                            },
                        },
                    },
                },
                "volumeClaimTemplates": {
                    "type": "array",
                    "items": {
                        "required": ["metadata", "spec"],
                        "properties": {
                            "spec": {
                                "required": ["accessModes", "resources"],
                                "properties": {
                                    "resources": {"properties": {"requests": {"properties": {"storage": QUANTITY}}}}
                                },
                            }
                        },
                    },
                },
            },
        },
    },
}


def test_the_manifest_is_what_kubernetes_takes_and_holds_together() -> None:
    service, stateful = yaml.safe_load_all(kubernetes_manifest(REFERENCE, name="qwen", replicas=3))
    jsonschema.validate(service, SERVICE)
    jsonschema.validate(stateful, STATEFUL_SET)
    spec = stateful["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == spec["selector"]["matchLabels"] == labels
    assert spec["serviceName"] == service["metadata"]["name"]
    container = spec["template"]["spec"]["containers"][0]
    assert tuple(container["command"]) == command(REFERENCE)
    assert container["ports"][0]["containerPort"] == service["spec"]["ports"][0]["port"] == REFERENCE.port
    assert service["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 4}
    key = next(entry for entry in container["env"] if entry["name"] == "VLLM_API_KEY")
    assert key["valueFrom"] == {"secretKeyRef": {"name": "vllm-api-key", "key": "api-key"}}
    claims = {claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]}
    volumes = claims | {volume["name"] for volume in spec["template"]["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 1800, "weights of 60 GB take their time"


def test_the_manifests_servers_have_names_for_the_pool() -> None:
    assert server_urls(REFERENCE, name="qwen", namespace="ml", replicas=2) == [
        "http://qwen-0.qwen.ml.svc:8000/v1",
        "http://qwen-1.qwen.ml.svc:8000/v1",
    ]


def test_words_that_yaml_would_misread_stay_words() -> None:
    odd = replace(REFERENCE, served_model_name="no", arguments=("--x", "1e3", "--y", "null", "--z", "a: b # c"))
    _, stateful = yaml.safe_load_all(kubernetes_manifest(odd))
    assert tuple(stateful["spec"]["template"]["spec"]["containers"][0]["command"]) == command(odd)


@pytest.mark.parametrize("name", ["Qwen", "a_b", "-a", "a" * 60, ""])
def test_names_that_kubernetes_does_not_take_are_refused(name: str) -> None:
    with pytest.raises(SettingsError):
        kubernetes_manifest(REFERENCE, name=name)
