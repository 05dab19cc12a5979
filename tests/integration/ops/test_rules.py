"""Each rule fires where it must and is quiet where it must be: judged by Prometheus' own promtool."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from tests.integration.ops.rule_case import TARGETS, Case, Series
from tests.integration.ops.rule_cases import CASES

from leadline.ops.monitoring import prometheus_files
from leadline.ops.monitoring.rules import Alert, Record, file_name
from leadline.ops.monitoring.table import alerts, rules

ALERTS = alerts(TARGETS)
RECORDED = {rule.name: rule.query for rule in rules(TARGETS) if isinstance(rule, Record)}
ALWAYS = "Watchdog"
NAME = re.compile(r"[A-Za-z_][\w:]*")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in prometheus_files(TARGETS).items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def tool(*words: str, folder: Path) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Trial(NamedTuple):
    """A case with one set of series: told of or let pass."""

    case: Case
    series: Series
    told: bool


class Sort(NamedTuple):
    """Cases that one call of promtool judges: by one distance of values, over files that hold all they need."""

    step: int
    objectives: bool

    @property
    def files(self) -> list[str]:
        return [f"rules/{name}.yml" for name in (["slo"] if self.objectives else ["records", "alerts", "gpu"])]


def sort_of(case: Case) -> Sort:
    return Sort(case.step, objectives="slo" in case.labels)


def trials(sort: Sort) -> Iterator[Trial]:
    for case in (case for case in CASES if sort_of(case) == sort):
        yield Trial(case, case.fires, told=True)
        for series in case.quiet.values():
            yield Trial(case, series, told=False)


def metrics_of(query: str) -> set[str]:
    """Return the metrics that a query reads, those behind recorded names included."""
    found = set[str]()
    for name in NAME.findall(re.sub(r'"[^"]*"', "", query)):
        if name in RECORDED:
            found |= metrics_of(RECORDED[name])
        elif name.startswith(("agent_", "leadline_", "DCGM_", "nvidia_smi_")) or name == "up":
            found.add(re.sub("_(bucket|count)$", "", name))
    return found


def alert_of(name: str, window: str | None) -> Alert:
    [found] = [alert for alert in ALERTS if alert.name == name and alert.labels.get("window") == window]
    return found


def packed(sort: Sort) -> list[list[Trial]]:
    """Return the trials in few blocks: those of a block read different metrics, so that none sees another's."""
    blocks: list[tuple[set[str], list[Trial]]] = []
    for trial in trials(sort):
        reads = {name for alert in ALERTS if alert.name == trial.case.alert for name in metrics_of(alert.query)}
        for taken, block in blocks:
            if taken.isdisjoint(reads):
                taken.update(reads)
                block.append(trial)
                break
        else:
            blocks.append((reads, [trial]))
    return [block for _, block in blocks]


def expected(case: Case) -> Iterator[dict[str, Any]]:
    window = case.labels.get("window")
    for at in (window, *case.also):
        alert = alert_of(case.alert, at)
        other = {} if at == window else {"window": at}
        yield {
            "exp_labels": {"severity": alert.severity, **case.labels, **other},
            "exp_annotations": {
                "summary": case.summary if at == window else alert.summary,
                "description": (case.detail or alert.detail).replace(f"over {window}", f"over {at}"),
                "runbook_url": TARGETS.runbook(file_name(alert.name)),
            },
        }


def written(block: list[Trial], step: int) -> dict[str, Any]:
    series = {name: values for trial in block for name, values in trial.series.items()}
    told, quiet = [trial.case for trial in block if trial.told], [trial.case for trial in block if not trial.told]
    return {
        "interval": f"{step}m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {"eval_time": f"{case.at}m", "alertname": case.alert, "exp_alerts": list(expected(case))} for case in told
        ],
        "promql_expr_test": [{"eval_time": f"{case.at}m", "expr": firing(case), "exp_samples": []} for case in quiet],
    }


def firing(case: Case) -> str:
    window = f', window="{case.labels["window"]}"' if "window" in case.labels else ""
    return f'ALERTS{{alertname="{case.alert}", alertstate="firing"{window}}}'


@pytest.mark.server("prometheus")
@pytest.mark.parametrize("sort", sorted({sort_of(case) for case in CASES}))
def test_each_alert_fires_and_is_quiet(folder: Path, sort: Sort) -> None:
    groups = [group["name"] for name in sort.files for group in yaml.safe_load((folder / name).read_text())["groups"]]
    tests = {
        "rule_files": sort.files,
        "group_eval_order": groups,  # what is recorded is there when it is asked for
        "evaluation_interval": f"{sort.step}m",
        "tests": [written(block, sort.step) for block in packed(sort)],
    }
    (folder / "cases.yml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    tool("promtool", "test", "rules", "cases.yml", folder=folder)


def test_each_alert_has_a_case_and_cases_for_silence() -> None:
    told = {(case.alert, case.labels.get("window")) for case in CASES}
    assert told == {(alert.name, alert.labels.get("window")) for alert in ALERTS} - {(ALWAYS, None)}
    assert all(case.quiet for case in CASES)
