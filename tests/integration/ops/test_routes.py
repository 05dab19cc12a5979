"""Who is told of which alert: judged by Alertmanager's own amtool; and its files by Prometheus' promtool."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.integration.ops.rule_case import TARGETS

from leadline.ops.monitoring import alertmanager_files, prometheus_files


def tool(*words: str, folder: Path) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.server("alertmanager")
@pytest.mark.parametrize("webhook", [None, "https://alerts.example.org/leadline"])
def test_amtool_takes_the_configuration(tmp_path: Path, webhook: str | None) -> None:
    (tmp_path / "am.yml").write_text(alertmanager_files(webhook=webhook)["alertmanager.yml"], encoding="utf-8")
    assert "SUCCESS" in tool("amtool", "check-config", "am.yml", folder=tmp_path)


@pytest.mark.server("alertmanager")
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("severity=critical", "alertname=NoWorkers"), "on-call"),
        (("severity=warning", "alertname=QueueAge"), "team"),
        (("severity=none", "alertname=Watchdog"), "watchdog"),
        (("severity=none", "alertname=Trial"), "nobody"),
    ],
)
def test_an_alert_goes_to_whom_it_concerns(tmp_path: Path, labels: tuple[str, ...], receiver: str) -> None:
    files = alertmanager_files(webhook="http://127.0.0.1:1/alerts")
    (tmp_path / "am.yml").write_text(files["alertmanager.yml"], encoding="utf-8")
    assert tool("amtool", "config", "routes", "test", "--config.file=am.yml", *labels, folder=tmp_path).split() == [
        receiver
    ]


@pytest.mark.server("prometheus")
def test_promtool_takes_the_configuration(tmp_path: Path) -> None:
    for name, text in prometheus_files(TARGETS).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    tool("promtool", "check", "config", "--lint=all", "--lint-fatal", "prometheus.yml", folder=tmp_path)
