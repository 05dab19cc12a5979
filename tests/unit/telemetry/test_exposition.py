"""What `/metrics` shows: one process's counts, or those of several behind one port."""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from tests.support.telemetry import Counted, samples_of

from leadline.errors import SettingsError, StoreUnavailable
from leadline.telemetry.exposition import HOUR, Ended, Exposition, Rate, shared
from leadline.telemetry.families import FAMILIES
from leadline.telemetry.gate import Gate
from leadline.telemetry.serving import serving

CHILD = """
import asyncio, sys
from prometheus_client import CollectorRegistry
from leadline.telemetry.exposition import Exposition, process_gone, shared
from leadline.telemetry.instruments import Instruments
assert shared()
registry = CollectorRegistry()
counts, shown = Instruments(registry), Exposition(registry)
if sys.argv[1] == "first":
    asyncio.run(shown.text())
for _ in range(int(sys.argv[2])):
    counts.add("agent_requests_total", "api", "success")
counts.observe("agent_tool_latency_seconds", 0.2, "search")
counts.change("agent_active_tasks", 3)
counts.put("leadline_queue_runs", int(sys.argv[2]), "queued")
if sys.argv[1] == "last":
    process_gone(sys.argv[4], int(sys.argv[3]))
print(asyncio.run(shown.text()).decode())
"""


class Hands:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def test_the_rate_is_of_the_last_hour() -> None:
    clock = Hands()
    rate = Rate(monotonic=clock)
    assert math.isnan(rate.look(Ended(0, 0)))
    clock.at += 60
    assert rate.look(Ended(3, 1)) == 0.75
    clock.at += HOUR - 60
    assert rate.look(Ended(3, 1)) == 0.75
    clock.at += 120
    assert math.isnan(rate.look(Ended(3, 1)))
    clock.at += 60
    assert rate.look(Ended(3, 2)) == 0.0


def test_counts_that_begin_anew_are_no_negative_share() -> None:
    clock = Hands()
    rate = Rate(monotonic=clock)
    rate.look(Ended(10, 10))
    clock.at += 60
    assert rate.look(Ended(1, 0)) == 1.0


async def test_what_is_shown_is_what_is_documented_and_prometheus_reads_it() -> None:
    counted = Counted()
    text = (await counted.exposition.text()).decode()
    helps = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
    assert {family.name for family in FAMILIES} <= helps
    assert samples_of(text)["agent_active_tasks{}"] == 0
    assert "_created" not in text
    own = {name for name in helps if name.startswith(("agent_", "leadline_"))}
    assert own == {family.name for family in FAMILIES}


async def test_figures_are_asked_for_when_somebody_looks_and_not_too_often() -> None:
    clock, asked = Hands(), []

    async def refresh() -> None:
        asked.append(clock.at)

    async def fails() -> None:
        raise StoreUnavailable("away")

    shown = Exposition(CollectorRegistry(), monotonic=clock)
    shown.refresher(fails)
    shown.refresher(refresh)
    await asyncio.gather(shown.text(), shown.text())
    await shown.text()
    assert len(asked) == 1
    clock.at += 5
    await shown.text()
    assert len(asked) == 2


async def test_a_port_of_its_own_answers_metrics() -> None:
    counted = Counted()
    gate = Gate([])
    async with serving(counted.exposition.text, gate=gate, host="127.0.0.1", port=0) as port:
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/metrics") as reply:
                assert reply.status == 200
                assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
                assert "agent_active_tasks 0.0" in await reply.text()
            async with session.get(f"http://127.0.0.1:{port}/") as reply:
                assert reply.status == 404
        with pytest.raises(SettingsError, match=f"port {port}"):
            async with serving(counted.exposition.text, gate=gate, host="127.0.0.1", port=port):
                raise AssertionError("two cannot have it")


def child(folder: Path, *arguments: str) -> tuple[int, dict[str, float]]:
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments], env=environment, stdout=subprocess.PIPE, text=True
    )
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return process.pid, samples_of(text)


def test_several_processes_behind_one_port_add_up(tmp_path: Path) -> None:
    assert not shared()
    gone, alone = child(tmp_path, "first", "2")
    assert alone["agent_task_success_rate{}"] == 1.0
    _, together = child(tmp_path, "last", "3", str(gone), str(tmp_path))
    key = "agent_requests_total{'method': 'api', 'status': 'success'}"
    assert (alone[key], together[key]) == (2, 5)
    latency = "agent_tool_latency_seconds_count{'tool': 'search'}"
    assert together[latency] == 2
    # What the dead process held is gone with it; what it counted is not.
    assert (alone["agent_active_tasks{}"], together["agent_active_tasks{}"]) == (3, 3)
    assert together["leadline_queue_runs{'state': 'queued'}"] == 3
