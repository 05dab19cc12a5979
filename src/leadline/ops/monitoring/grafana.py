"""Dashboards of Grafana as values, and their JSON.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from leadline.domain import Json

Unit: TypeAlias = Literal[
    "short", "s", "percentunit", "currencyUSD", "reqps", "ops", "bytes", "celsius", "dateTimeAsIso"
]  # https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts
Shape: TypeAlias = Literal["timeseries", "stat"]

SCHEMA: Final = 39
"""Version of the JSON model, Grafana 10.4; later ones read it."""

_WIDTH: Final = 24
_HEIGHT: Final = 8
_STAT_HEIGHT: Final = 4
_SOURCE: Final[dict[str, Json]] = {"type": "prometheus", "uid": "${source}"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A query, and what its series are called: `{{label}}` stands for a label's value."""

    query: str
    legend: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """A picture. `bound` is where it becomes red; `rare`: its series come only when what it shows happens."""

    title: str
    says: str
    queries: Sequence[Query]
    unit: Unit = "short"
    shape: Shape = "timeseries"
    bound: float | None = None
    stacked: bool = False
    rare: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, kw_only=True, slots=True)
class Dashboard:
    """A page. `uid` stands in its address, and names its file."""

    uid: str
    title: str
    rows: Sequence[Row]

    @property
    def panels(self) -> list[Panel]:
        """All of its panels."""
        return [panel for row in self.rows for panel in row.panels]


def one(query: str, legend: str = "") -> tuple[Query, ...]:
    """Return a panel's only query."""
    return (Query(query=query, legend=legend),)


def dashboard_text(dashboard: Dashboard) -> str:
    """Return the JSON that Grafana reads."""
    return json.dumps(_dashboard(dashboard), indent=2, ensure_ascii=False) + "\n"


def _dashboard(dashboard: Dashboard) -> dict[str, Json]:
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["leadline"],
        "schemaVersion": SCHEMA,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "",
        "links": [{"type": "dashboards", "tags": ["leadline"], "title": "Leadline", "asDropdown": False}],
        "templating": {
            "list": [{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "annotations": {"list": [_firing()]},
        "panels": list(_placed(dashboard)),
    }


def _firing() -> Json:
    """Return what marks in every picture when an alert began."""
    return {
        "name": "alerts",
        "datasource": _SOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": 'ALERTS{alertstate="firing", severity!="none"}',
        "titleFormat": "{{alertname}}",
    }


def _placed(dashboard: Dashboard) -> Iterator[Json]:
    """Yield rows and panels, each with its place: stats four in a line, pictures two."""
    at, number = 0, 0
    for row in dashboard.rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": at, "w": _WIDTH, "h": 1},
        }
        at += 1
        for shape, height, count in (("stat", _STAT_HEIGHT, 4), ("timeseries", _HEIGHT, 2)):
            panels = [panel for panel in row.panels if panel.shape == shape]
            width = _WIDTH // count
            for index, panel in enumerate(panels):
                number += 1
                place: dict[str, Json] = {"x": index % count * width, "y": at + index // count * height}
                yield _panel(panel, number, {**place, "w": width, "h": height})
            at += -(-len(panels) // count) * height


def _panel(panel: Panel, number: int, place: dict[str, Json]) -> Json:
    steps: list[Json] = [{"color": "green", "value": None}]
    if panel.bound is not None:
        steps.append({"color": "red", "value": panel.bound})
    defaults: dict[str, Json] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.shape == "timeseries":
        defaults["min"] = 0
        defaults["custom"] = {
            "fillOpacity": 30 if panel.stacked else 10,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none"},
            "thresholdsStyle": {"mode": "off" if panel.bound is None else "line"},
        }
    return {
        "id": number,
        "type": panel.shape,
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel.shape),
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": _SOURCE, "expr": one.query, "legendFormat": one.legend}
            for at, one in enumerate(panel.queries)
        ],
    }


def _options(shape: Shape) -> Json:
    if shape == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"}
    return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
