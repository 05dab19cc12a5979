"""What watches Leadline: the configuration of Prometheus and Alertmanager, and Grafana's dashboards.

deploy/prometheus, deploy/alertmanager and deploy/grafana are written from here; `leadline up` uses it.
"""

from __future__ import annotations

from leadline.ops.monitoring.alertmanager import alertmanager_files
from leadline.ops.monitoring.dashboards import dashboards, provisioning
from leadline.ops.monitoring.prometheus import prometheus_files
from leadline.ops.monitoring.targets import Named, Pace, Pods, Targets, Thresholds

__all__ = [
    "Named",
    "Pace",
    "Pods",
    "Targets",
    "Thresholds",
    "alertmanager_files",
    "dashboards",
    "prometheus_files",
    "provisioning",
]
