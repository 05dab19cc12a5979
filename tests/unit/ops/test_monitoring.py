"""What the configuration of Prometheus and Alertmanager says, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from leadline.errors import SettingsError
from leadline.ops.monitoring import (
    Named,
    Pace,
    Pods,
    Targets,
    Thresholds,
    alertmanager_files,
    dashboards,
    prometheus_files,
    provisioning,
)
from leadline.ops.monitoring.rules import duration, file_name
from leadline.ops.monitoring.table import alerts
from leadline.telemetry.families import FAMILIES

TARGETS = Targets(
    service=("h:8000",), worker=("h:9101",), tools=("h:8001",), vllm=("h:8100",), alertmanager="127.0.0.1:9093"
)


def configuration(targets: Targets, **options: Any) -> Any:
    return yaml.safe_load(prometheus_files(targets, **options)["prometheus.yml"])


def test_each_job_has_its_targets_and_none_is_empty() -> None:
    jobs = configuration(replace(TARGETS, tools=()))["scrape_configs"]
    assert {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs} == {
        "vllm": ["h:8100"],
        "leadline-service": ["h:8000"],
        "leadline-worker": ["h:9101"],
    }


def test_what_is_found_is_asked_for_by_its_name_and_never_as_one_target() -> None:
    worker = ("h:9101", Named(part="worker", port=9100, least=2), Named(part="extra", port=9100))
    [_, _, job, _] = configuration(replace(TARGETS, worker=worker))["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["h:9101"]}]
    asked = {"type": "A", "port": 9100, "refresh_interval": "15s"}
    assert job["dns_sd_configs"] == [{"names": ["worker"], **asked}, {"names": ["extra"], **asked}]
    tools = tuple(Pods(part=f"tool-{name}", namespace="leadline") for name in ("search", "visit"))
    [_, _, _, job] = configuration(replace(TARGETS, tools=tools))["scrape_configs"]
    assert job["kubernetes_sd_configs"] == [{"role": "pod", "namespaces": {"names": ["leadline"]}}]
    assert job["relabel_configs"][0]["regex"] == "leadline;tool-search;http|leadline;tool-visit;http"
    assert "static_configs" not in job


def test_a_label_of_what_is_found_is_none_of_a_metric() -> None:
    """Prometheus would rename the metric's, and every rule that asks for it would find nothing."""
    pods = configuration(replace(TARGETS, worker=(Pods(part="worker", namespace="x"),)))["scrape_configs"][2]
    given = {rule["target_label"] for rule in pods["relabel_configs"] if "target_label" in rule}
    assert given == {"process", "namespace", "pod"}
    assert not given & {label for family in FAMILIES for label in family.labels}


@pytest.mark.parametrize("wrong", [{"part": "a b"}, {"part": ""}, {"least": 0}, {"port": 0}])
def test_what_cannot_be_found_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Named(**{"part": "worker", "port": 9100, **wrong})
    with pytest.raises(SettingsError):
        Pods(**{"part": "worker", "namespace": "leadline", **wrong, "port": "a b"})


def test_pods_and_other_places_are_not_one_job() -> None:
    with pytest.raises(SettingsError, match="leadline-worker"):
        replace(TARGETS, worker=("h:9101", Pods(part="worker", namespace="leadline")))


def test_the_key_is_shown_to_our_own_processes_alone() -> None:
    jobs = configuration(replace(TARGETS, gpu=("h:9400",), key_file="/k"))["scrape_configs"]
    shown = {job["job_name"] for job in jobs if "authorization" in job}
    assert shown == {"leadline-service", "leadline-worker", "leadline-tools"}


def test_what_is_not_there_is_not_missed() -> None:
    few = replace(TARGETS, worker=(), vllm=())
    names = {alert.name for alert in alerts(few)}
    assert names.isdisjoint({"NoWorkers", "ModelServiceDown", "GpuHot"})
    assert {"NoModelService", "TargetsVanished"} <= names
    assert "rules/gpu.yml" not in prometheus_files(few)
    [vanished] = [alert.query for alert in alerts(few) if alert.name == "TargetsVanished"]
    assert "leadline-worker" not in vanished


def test_every_file_of_rules_is_named() -> None:
    files = prometheus_files(replace(TARGETS, gpu=("h:9400",)))
    assert set(yaml.safe_load(files["prometheus.yml"])["rule_files"]) == set(files) - {"prometheus.yml"}


def test_patience_stretches_how_long_a_fault_lasts() -> None:
    files = prometheus_files(TARGETS, pace=Pace(scrape=1, evaluate=2, patience=0.05))
    told = yaml.safe_load(files["prometheus.yml"])["global"]
    assert told == {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "2s"}
    found = [rule for group in yaml.safe_load(files["rules/alerts.yml"])["groups"] for rule in group["rules"]]
    assert {rule["alert"]: rule["for"] for rule in found}["ModelServiceDown"] == "3s"


@pytest.mark.parametrize("place", ["h", "h:1, x:2", "http://h:1", "h:1\n", ""])
def test_what_is_no_place_is_refused(place: str) -> None:
    with pytest.raises(SettingsError, match="not a place to ask for metrics"):
        replace(TARGETS, worker=(place,))
    with pytest.raises(SettingsError, match="not a place to ask for metrics"):
        replace(TARGETS, alertmanager=place)


def test_what_would_always_fire_is_refused() -> None:
    with pytest.raises(SettingsError, match="queue_seconds"):
        Thresholds(queue_seconds=0)


def test_without_a_webhook_nobody_is_told_and_alerts_are_shown() -> None:
    told = yaml.safe_load(alertmanager_files(webhook=None)["alertmanager.yml"])
    assert all(set(receiver) == {"name"} for receiver in told["receivers"])
    with pytest.raises(SettingsError, match="must begin with http"):
        alertmanager_files(webhook="somewhere")


def test_dashboards_have_panels_that_do_not_lie_on_each_other() -> None:
    for name, text in dashboards().items():
        board = json.loads(text)
        assert name == f"{board['uid']}.json"
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        cells = [cell for panel in board["panels"] for cell in cells_of(panel["gridPos"])]
        assert len(cells) == len(set(cells))
        assert all(x < 24 for x, _ in cells)


def cells_of(place: dict[str, int]) -> list[tuple[int, int]]:
    return [
        (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
    ]


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    files = {name: yaml.safe_load(text) for name, text in provisioning("http://p:9090").items()}
    assert files["datasources/prometheus.yml"]["datasources"][0]["url"] == "http://p:9090"
    assert files["dashboards/leadline.yml"]["providers"][0]["type"] == "file"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (90, "90s"), (300, "5m"), (3_600, "1h"), (86_400, "1d"), (0.25, "250ms")]
)
def test_durations_are_prometheus(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_names_of_files() -> None:
    assert file_name("ModelServiceDown") == "model-service-down"
