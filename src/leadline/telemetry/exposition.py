"""What `/metrics` answers: this process's counts, or those of all processes behind one port.

Each process has a registry of its own. Where `PROMETHEUS_MULTIPROC_DIR` names a folder when the
process starts, counts lie there in a file a process, and whichever process is asked answers for all
(see docs/metrics.md). The rate of success is computed here, from the counters shown: the same way
for one process and for several.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from leadline.resilience import Monotonic
from leadline.telemetry.families import FAMILIES
from leadline.telemetry.instruments import RATE

log = logging.getLogger("leadline.telemetry")

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
REFRESH_FAILED: Final = "metrics_refresh_failed"
"""Name of the log line of figures that could not be had in time; the last ones are shown."""

HOUR: Final = 3_600.0
REFRESH_SECONDS: Final = 2.0
"""Seconds that figures of the store may take at a scrape."""

FRESH: Final = 5.0
"""Seconds for which such figures are not asked for again."""

_ENDED: Final = "agent_requests_total"
_GOOD: Final = frozenset({"success", "partial"})
_BAD: Final = "error"
_MOST_SAMPLES: Final = 4_096


class Ended(NamedTuple):
    """Runs that ended so far: those that gave a report, and those that failed."""

    good: float
    bad: float


class Rate:
    """The share of good endings in the last hour, from totals as they stand at each look."""

    def __init__(self, *, monotonic: Monotonic = time.monotonic) -> None:
        self._monotonic = monotonic
        self._looks: deque[tuple[float, Ended]] = deque(maxlen=_MOST_SAMPLES)

    def look(self, now: Ended) -> float:
        """Take the totals; return the share, not a number where nothing ended.

        Totals that shrank are of processes that began anew: the past is forgotten.
        """
        at = self._monotonic()
        looks = self._looks
        if looks and (now.good < looks[-1][1].good or now.bad < looks[-1][1].bad):
            looks.clear()
            looks.append((at, Ended(0.0, 0.0)))
        looks.append((at, now))
        while len(looks) > 1 and looks[1][0] <= at - HOUR:
            looks.popleft()
        then = looks[0][1]
        good, bad = now.good - then.good, now.bad - then.bad
        return good / (good + bad) if good + bad else math.nan


class Exposition(Collector):
    """The text of all metrics. `refresh` brings figures up to date that are read only when somebody looks."""

    def __init__(self, registry: CollectorRegistry, *, monotonic: Monotonic = time.monotonic) -> None:
        self._registry = registry
        self._monotonic = monotonic
        self._rate = Rate(monotonic=monotonic)
        self._refreshers: list[Callable[[], Awaitable[object]]] = []
        self._refreshed = -math.inf
        self._refreshing = asyncio.Lock()
        self._help = next(family.help for family in FAMILIES if family.name == RATE)
        if not shared():
            ProcessCollector(registry=registry)
            self._rate.look(Ended(0.0, 0.0))  # in a folder lies what others counted before: there the first look begins

    def refresher(self, refresh: Callable[[], Awaitable[object]]) -> None:
        """Let `refresh` be awaited before a scrape, unless it was just now."""
        self._refreshers.append(refresh)

    async def text(self) -> bytes:
        """Return all series, in Prometheus' text format."""
        async with self._refreshing:
            if self._monotonic() - self._refreshed >= FRESH:
                await self._refresh()
                self._refreshed = self._monotonic()
            return await asyncio.to_thread(generate_latest, self)  # thousands of lines: not on the event loop

    def collect(self) -> Iterator[Metric]:
        """See `prometheus_client.registry.Collector`."""
        found = self._source()
        for family in found:
            # When a series began says the same as a counter that restarts: twice the lines for nothing.
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family
        yield GaugeMetricFamily(RATE, self._help, value=self._rate.look(_ended(found)))

    def _source(self) -> list[Metric]:
        if not shared():
            return list(self._registry.collect())
        collector = MultiProcessCollector(None)  # type: ignore[no-untyped-call]  # prometheus_client annotates it in part
        return list(collector.collect())  # type: ignore[no-untyped-call]  # as above

    async def _refresh(self) -> None:
        for refresh in self._refreshers:
            try:
                async with asyncio.timeout(REFRESH_SECONDS):
                    await refresh()
            except Exception as error:  # noqa: BLE001 whatever fails behind one figure, the others are shown
                log.warning(REFRESH_FAILED, extra={"reason": type(error).__name__})


def shared() -> bool:
    """Return whether the counts of several processes lie in one folder."""
    return bool(getattr(values.ValueClass, "_multiprocess", False))


def process_gone(folder: str, pid: int) -> None:
    """Take a dead process's gauges out of the folder where several add up; what it counted stays."""
    mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]  # prometheus_client annotates it in part


def _ended(families: Iterable[Metric]) -> Ended:
    good = bad = 0.0
    for family in families:
        for sample in family.samples:
            if sample.name == _ENDED:
                status = sample.labels["status"]
                good += sample.value if status in _GOOD else 0.0
                bad += sample.value if status == _BAD else 0.0
    return Ended(good, bad)
