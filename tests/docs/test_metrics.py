"""The pages on metrics and logging say what the program does."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from leadline.model.gateway.metrics import FAMILIES as GATEWAY
from leadline.model.gateway.metrics import HEALTHY
from leadline.settings import items
from leadline.telemetry import lines, logs
from leadline.telemetry.exposition import Exposition
from leadline.telemetry.instruments import RATE, Instruments

DOCS = Path(__file__).resolve().parents[2] / "docs"
ROW = re.compile(r"^\| `((?:agent|leadline)_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", re.MULTILINE)


OF_ALL, OF_THE_GATEWAY = "## Every metric", "## Metrics of the gateway"


def rows(chapter: str) -> list[tuple[str, str, str, str]]:
    """Return the rows of a chapter's table."""
    [text] = [
        part
        for part in re.split(r"(?m)^(?=## )", (DOCS / "metrics.md").read_text(encoding="utf-8"))
        if part.startswith(f"{chapter}\n")
    ]
    return ROW.findall(text)


def test_the_table_of_metrics_is_the_registry() -> None:
    registry = CollectorRegistry()
    Instruments(registry)
    shown = {
        f"{family.name}_total" if family.type == "counter" else family.name: (family.type, family.documentation)
        for family in Exposition(registry).collect()
        if family.name.startswith(("agent_", "leadline_"))
    }
    assert {name: (kind, meaning) for name, kind, _, meaning in rows(OF_ALL)} == shown
    assert RATE in shown


def test_the_table_names_every_label() -> None:
    made = Instruments(CollectorRegistry())
    told = {name: tuple(re.findall(r"`(\w+)`", labels)) for name, _, labels, _ in rows(OF_ALL)}
    assert told == {name: tuple(family.labels) for name, family in made.families.items()}


def test_the_table_of_the_gateway_is_what_it_counts() -> None:
    told = {
        name: (kind, tuple(re.findall(r"`(\w+)`", labels)), meaning)
        for name, kind, labels, meaning in rows(OF_THE_GATEWAY)
    }
    assert told == {name: (family.kind, family.labels, family.meaning) for name, family in GATEWAY.items()}


def test_nothing_that_is_added_up_is_counted_by_gateway_and_workers_alike() -> None:
    both = set(GATEWAY) & set(Instruments(CollectorRegistry()).families)
    assert both == {HEALTHY}
    assert GATEWAY[HEALTHY].kind == "gauge"


def test_every_metric_that_a_query_names_exists() -> None:
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:agent|leadline)_[a-z_]+\b", text))
    known = set(Instruments(CollectorRegistry()).families) | set(GATEWAY)
    beginnings = {"agent_", "leadline_", "leadline_queue_", "leadline_gateway_", "leadline_model_"}
    assert {name.removesuffix("_bucket") for name in named} - known <= beginnings


def test_the_page_on_logging_names_every_event_and_setting() -> None:
    text = (DOCS / "logging.md").read_text(encoding="utf-8")
    events = {
        value
        for module in (lines, logs)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and "_" in value
    }
    assert {"task_started", "task_step", "tool_call", "task_completed", "task_error"} <= events
    assert [event for event in sorted(events) if f"`{event}`" not in text] == []
    settings = [item.variable for item in items().values() if item.name.startswith("log.")]
    assert [variable for variable in settings if variable not in text] == []
