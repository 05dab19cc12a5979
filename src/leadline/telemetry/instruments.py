"""The metrics of `families` as counters, gauges and histograms of one registry, their labels bounded."""

from __future__ import annotations

from itertools import product
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from leadline.telemetry.families import FAMILIES, OTHER, Family

MOST_VALUES: Final = 64
"""Values of a label without a fixed set; whatever comes later is `other`."""

RATE: Final = "agent_task_success_rate"
"""Computed where it is shown: it follows from counters."""


class Instruments:
    """Adds, observes and sets by a metric's name and its labels' values, in the order of the family's labels."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.families = {family.name: family for family in FAMILIES}
        self._made = {f.name: _made(f, registry) for f in FAMILIES if f.name != RATE}
        self._seen: dict[tuple[str, str], set[str]] = {}
        self._counters: dict[tuple[str, ...], Counter] = {}
        self._gauges: dict[tuple[str, ...], Gauge] = {}
        self._histograms: dict[tuple[str, ...], Histogram] = {}
        for family in FAMILIES:
            self._begin(family)

    def add(self, name: str, *labels: str, by: float = 1.0) -> None:
        """Count."""
        found = self._counters.get((name, *labels))
        if found is None:
            found = self._counters[(name, *self._bounded(name, labels))] = self._counter(name, labels)
        found.inc(by)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Count a value into its bucket; clocks that go back make none below zero."""
        found = self._histograms.get((name, *labels))
        if found is None:
            found = self._histograms[(name, *self._bounded(name, labels))] = self._histogram(name, labels)
        found.observe(max(0.0, value))

    def put(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        self._gauge(name, labels).set(value)

    def change(self, name: str, by: float, *labels: str) -> None:
        """Raise or lower a gauge."""
        self._gauge(name, labels).inc(by)

    def _begin(self, family: Family) -> None:
        """Show counters and histograms with fixed labels from the start: a rate needs the 0 before the first."""
        values = [values for values in family.labels.values() if values is not None]
        if family.kind == "gauge" or len(values) < len(family.labels):
            return
        for labels in product(*values):
            if family.kind == "counter":
                self._counters[(family.name, *labels)] = self._counter(family.name, labels)
            else:
                self._histograms[(family.name, *labels)] = self._histogram(family.name, labels)

    def _counter(self, name: str, labels: tuple[str, ...]) -> Counter:
        made = self._made[name]
        assert isinstance(made, Counter)  # noqa: S101 the name is one of ours
        return made.labels(*self._bounded(name, labels)) if labels else made

    def _histogram(self, name: str, labels: tuple[str, ...]) -> Histogram:
        made = self._made[name]
        assert isinstance(made, Histogram)  # noqa: S101 as above
        return made.labels(*self._bounded(name, labels)) if labels else made

    def _gauge(self, name: str, labels: tuple[str, ...]) -> Gauge:
        bounded = self._bounded(name, labels)
        found = self._gauges.get((name, *bounded))
        if found is None:
            made = self._made[name]
            assert isinstance(made, Gauge)  # noqa: S101 as above
            found = self._gauges[(name, *bounded)] = made.labels(*bounded) if bounded else made
        return found

    def _bounded(self, name: str, labels: tuple[str, ...]) -> tuple[str, ...]:
        family = self.families[name]
        return tuple(self._value(name, label, value) for label, value in zip(family.labels, labels, strict=True))

    def _value(self, name: str, label: str, value: str) -> str:
        allowed = self.families[name].labels[label]
        if allowed is not None:
            return value if value in allowed else OTHER
        seen = self._seen.setdefault((name, label), set())
        if value not in seen:
            if len(seen) >= MOST_VALUES:
                return OTHER
            seen.add(value)
        return value


def _made(family: Family, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    labels = tuple(family.labels)
    if family.kind == "counter":
        return Counter(family.name, family.help, labels, registry=registry)
    if family.kind == "gauge":
        return Gauge(family.name, family.help, labels, registry=registry, multiprocess_mode=family.mode)
    return Histogram(family.name, family.help, labels, registry=registry, buckets=family.buckets)
