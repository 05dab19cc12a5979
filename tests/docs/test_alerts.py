"""Each alert has its runbook and its line on the page of alerts; what they name exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from leadline.cli.main import cli
from leadline.model.gateway.metrics import FAMILIES as GATEWAY
from leadline.ops.monitoring import Named, Targets
from leadline.ops.monitoring.board_overview import OVERVIEW
from leadline.ops.monitoring.dashboards import DASHBOARDS
from leadline.ops.monitoring.rules import Alert, Record, duration
from leadline.ops.monitoring.table import alerts, rules
from leadline.settings import items
from leadline.telemetry.families import FAMILIES

ROOT = Path(__file__).resolve().parents[2]
PLACE = ("h:1",)
WORKERS = (Named(part="worker", port=9100, least=2),)
TARGETS = Targets(service=PLACE, worker=WORKERS, tools=PLACE, vllm=PLACE, gpu=PLACE, alertmanager=PLACE[0])
ALERTS = alerts(TARGETS)
BY_NAME = {alert.name: [one for one in ALERTS if one.name == alert.name] for alert in ALERTS}
PROBLEMS = {"malformed-output", "memory", "model-timeouts", "tools-failing"}
SECTIONS = ("**What it means.**", "## Confirm", "## Causes, and what helps", "## Meanwhile", "## Over when")
SPAN = re.compile(r"`([^`]+)`")
ROW = re.compile(r"^\| \[(\w+)\]\((\S+)\) \| ([a-z ]+) \| (\w+) \| (.+) \|$", re.MULTILINE)
METRIC = re.compile(r"\b(?:agent|leadline)_[a-z0-9_]+\b")


def page(alert: Alert) -> str:
    return (ROOT / alert.runbook).read_text("utf-8")


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert {alert.runbook for alert in ALERTS} == there - {f"docs/runbooks/{name}.md" for name in PROBLEMS}


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_a_runbook_says_what_its_alert_asks(name: str) -> None:
    first = BY_NAME[name][0]
    text = page(first)
    assert text.startswith(f"# {name}\n")
    assert f"```promql\n{first.query}\n```" in text
    assert [section for section in SECTIONS if section not in text] == []


def commands(text: str) -> Iterator[list[str]]:
    for span in SPAN.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        words = " ".join(span.split())
        if words.startswith("leadline "):
            yield shlex.split(words)[1:]


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_commands_of_a_runbook_exist(name: str) -> None:
    found = list(commands(page(BY_NAME[name][0])))
    for words in found:
        check_command(words)


def check_command(words: list[str]) -> None:
    command: click.Command = cli
    with click.Context(cli) as context:
        while isinstance(command, click.Group) and words:
            inner = command.get_command(context, words[0])
            assert inner is not None, words
            command, words = inner, words[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    assert [word for word in words if word.startswith("--") and word not in known] == [], (command.name, words)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_metrics_and_settings_of_a_runbook_exist(name: str) -> None:
    text = page(BY_NAME[name][0])
    check_metrics(text)
    variables = {item.variable for item in items().values()}
    assert set(re.findall(r"LEADLINE_[A-Z_]+", text)) - variables == set()


def test_most_runbooks_name_a_command() -> None:
    without = {name for name in BY_NAME if not list(commands(page(BY_NAME[name][0])))}
    assert without == set()


def check_metrics(text: str) -> None:
    known = {family.name for family in FAMILIES} | set(GATEWAY)
    named = {re.sub("_(bucket|count|sum)$", "", name) for name in METRIC.findall(text)}
    recorded = {part for rule in rules(TARGETS) if isinstance(rule, Record) for part in rule.name.split(":")}
    assert named - known - recorded == set()


def test_rules_and_dashboards_ask_for_metrics_that_exist() -> None:
    recorded = {rule.name for rule in rules(TARGETS) if isinstance(rule, Record)}
    queries = [rule.query for rule in rules(TARGETS)]
    queries += [one.query for dashboard in DASHBOARDS for panel in dashboard.panels for one in panel.queries]
    for query in queries:
        check_metrics(query)
        named = set(re.findall(r"\b[a-z]+:[a-z0-9_]+:[a-z0-9_]+\b", query))
        assert named - recorded == set()
    assert OVERVIEW in DASHBOARDS


def test_what_the_page_shows_works() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text("utf-8")
    [example] = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/alerts.md", "exec"), names)  # noqa: S102 the page's own example
    assert "leadline:run_cost_usd:increase1h > 50" in names["files"]["rules/alerts.yml"]
    assert "http://127.0.0.1:8080/alerts" in names["told"]["alertmanager.yml"]


def test_the_page_names_every_alert_as_it_is() -> None:
    rows = {
        name: (path, severity, after)
        for name, path, severity, after, _ in ROW.findall((ROOT / "docs" / "alerts.md").read_text("utf-8"))
    }
    assert rows == {
        name: (
            found[0].runbook.removeprefix("docs/"),
            " or ".join(sorted({alert.severity for alert in found})),
            duration(found[0].lasting),
        )
        for name, found in BY_NAME.items()
    }
