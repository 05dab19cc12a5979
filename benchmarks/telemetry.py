"""What counting, logging and tracing cost: the engine with and without, taking turns.

    python benchmarks/telemetry.py [--runs 32] [--turns 5] [--json]

CPU a run of ten rounds, journal included, of this process and its children but the scripted server;
the median over the turns. `metrics` counts; `everything` also writes JSON lines to a file and makes
spans, which go nowhere.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from _agent import Pages, engine, engine_run, script, served
from _figures import run
from engine import _spent, _warmed
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from prometheus_client import CollectorRegistry

from leadline.resilience import SystemClock
from leadline.telemetry.follow import Broadcast, Reader
from leadline.telemetry.instruments import Instruments
from leadline.telemetry.lines import Lines
from leadline.telemetry.logs import Shape, file, logging_to
from leadline.telemetry.metrics import Metrics
from leadline.telemetry.traces import Traces

KINDS = ("quiet", "metrics", "everything")


class Nowhere:
    """Takes spans and drops them."""

    def on_end(self, span: ReadableSpan) -> None:
        """Drop one."""


@contextmanager
def telling(kind: str, folder: Path) -> Iterator[Broadcast | None]:
    """Yield what hears of runs."""
    if kind == "quiet":
        yield None
        return
    readers: list[Reader] = [Metrics(Instruments(CollectorRegistry()))]
    with ExitStack() as stack:
        if kind == "everything":
            shape = Shape(format="json", per_second=0)
            stack.enter_context(logging_to(file(folder / "leadline.log"), shape, secrets=["a-secret-key"]))
            now = SystemClock().now
            traces = Traces(Nowhere(), resource=Resource({}), provider="openai", share=1.0, now=now)
            readers += [Lines(), traces]
        yield Broadcast(readers)


async def cost(runs: int, url: str, told: Broadcast | None) -> float:
    """Return CPU milliseconds a run."""
    with tempfile.TemporaryDirectory() as folder:
        async with engine(url, Pages(0.0), Path(folder), told=told) as made:
            await _warmed(made)
            spent = await _spent(runs, lambda number: engine_run(made, f"run-{number}"))
    return spent.cpu / runs * 1000


def measure(runs: int, turns: int) -> dict[str, float]:
    """Return the figures by name."""
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder, served(script(10, delay=0.0), Path(folder)) as url:
        for kind in KINDS * turns:
            with telling(kind, Path(folder)) as told:
                found[kind].append(asyncio.run(cost(runs, url, told)))
    medians = {kind: statistics.median(values) for kind, values in found.items()}
    return {f"{kind}_cpu_ms": value for kind, value in medians.items()} | {
        f"{kind}_over_quiet": medians[kind] / medians["quiet"] for kind in KINDS[1:]
    }


if __name__ == "__main__":
    run(__doc__, measure, runs=32, turns=5)
