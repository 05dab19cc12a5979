"""Metrics of a test's own registry, looked up by name and labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from leadline.telemetry.exposition import Exposition
from leadline.telemetry.follow import Broadcast
from leadline.telemetry.instruments import Instruments
from leadline.telemetry.metrics import Metrics


@dataclass
class Counted:
    """A registry, what counts into it, and what it shows."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.metrics = Metrics(Instruments(self.registry), aliases={"google_scholar": "scholar"})
        self.told = Broadcast([self.metrics])
        self.exposition = Exposition(self.registry)

    def value(self, name: str, **labels: str) -> float:
        """Return a sample's value; 0 where there is none."""
        found = self.registry.get_sample_value(name, labels)
        return 0.0 if found is None else found

    async def samples(self) -> Mapping[str, float]:
        """Return every sample of the text that is shown, as `name{labels}`, read by Prometheus' own parser."""
        return samples_of((await self.exposition.text()).decode())


def samples_of(text: str) -> dict[str, float]:
    """Return the samples of an exposition by name and labels."""
    return {
        f"{sample.name}{dict(sorted(sample.labels.items()))}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def moved(before: Mapping[str, float], after: Mapping[str, float], family: str) -> bool:
    """Return whether any series of a family is new or has another value."""
    names = tuple(f"{family}{suffix}{{" for suffix in ("", "_bucket", "_count", "_sum"))
    own = [key for key in after if key.startswith(names)]
    return any(not math.isnan(after[key]) and after[key] != before.get(key) for key in own)
