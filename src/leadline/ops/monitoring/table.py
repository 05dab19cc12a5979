"""All rules that there are: for pages, dashboards and tests."""

from __future__ import annotations

from leadline.ops.monitoring.alerts import alert_groups
from leadline.ops.monitoring.gpu import gpu_groups
from leadline.ops.monitoring.records import RECORDS
from leadline.ops.monitoring.rules import Alert, Record
from leadline.ops.monitoring.slo import slo_groups
from leadline.ops.monitoring.targets import Targets, Thresholds


def rules(targets: Targets, thresholds: Thresholds | None = None) -> list[Record | Alert]:
    """Return the rules for what is there, in the order of the files."""
    over = thresholds or Thresholds()
    groups = [RECORDS, *alert_groups(targets, over), *slo_groups(), *gpu_groups(targets, over)]
    return [rule for group in groups for rule in group.rules]


def alerts(targets: Targets, thresholds: Thresholds | None = None) -> list[Alert]:
    """Return the alerts among them."""
    return [rule for rule in rules(targets, thresholds) if isinstance(rule, Alert)]
