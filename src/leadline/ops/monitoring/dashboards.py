"""The dashboards, and what lets Grafana find them by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leadline.ops.monitoring.board_models import MODELS
from leadline.ops.monitoring.board_overview import OVERVIEW
from leadline.ops.monitoring.board_research import RESEARCH
from leadline.ops.monitoring.grafana import dashboard_text
from leadline.ops.monitoring.rules import HEAD
from leadline.ops.yaml import yaml_text

DASHBOARDS: Final = (OVERVIEW, MODELS, RESEARCH)

FOLDER: Final = "/var/lib/grafana/dashboards/leadline"
"""Where Grafana is told to look for the dashboards' files."""


def dashboards() -> Mapping[str, str]:
    """Return the JSON of each dashboard, by file name."""
    return {f"{dashboard.uid}.json": dashboard_text(dashboard) for dashboard in DASHBOARDS}


def provisioning(prometheus: str) -> Mapping[str, str]:
    """Return what Grafana reads at its start, by name under its folder `provisioning`; `prometheus` is an address."""
    source = {"name": "Prometheus", "type": "prometheus", "access": "proxy", "url": prometheus, "isDefault": True}
    options = {"path": FOLDER}
    provider = {"name": "leadline", "type": "file", "allowUiUpdates": False, "options": options}
    return {
        "datasources/prometheus.yml": yaml_text({"apiVersion": 1, "datasources": [{**source}]}, head=HEAD),
        "dashboards/leadline.yml": yaml_text({"apiVersion": 1, "providers": [{**provider}]}, head=HEAD),
    }
