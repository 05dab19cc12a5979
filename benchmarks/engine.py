"""The engine against a hand-written loop over the same scripted server.

    python benchmarks/engine.py [--runs 64] [--many 256] [--json]

CPU counts this process and its children, not the server's. Rows: CPU a run of 10 rounds; a round
of the 60th to the 100th against one of the 5th to the 30th; throughput with many runs at once and
a slow model, as a share of the bare loop's; memory a run.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import NamedTuple

import aiohttp
from _agent import Engine, Pages, answers, bare_run, engine, engine_run, script, served
from _figures import run


class Spent(NamedTuple):
    """Seconds of CPU and on the clock, and megabytes that the resident set grew by."""

    cpu: float
    wall: float
    grown: float


def _cpu() -> float:
    """Return CPU seconds of this process and of its living children but the scripted server."""
    return time.process_time() + sum(_used(child) for child in _children() if not _serves(child))


def _children() -> list[str]:
    return [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


def _serves(pid: str) -> bool:
    return b"leadline.testing.server" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _used(pid: str) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident() -> float:
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * resource.getpagesize() / 1e6


async def _spent(runs: int, one: Callable[[int], Coroutine[None, None, object]]) -> Spent:
    gc.collect()
    cpu, wall, memory, peak = _cpu(), time.perf_counter(), _resident(), 0.0

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, _resident())
            await asyncio.sleep(0.05)

    watching = asyncio.create_task(watch())
    async with asyncio.TaskGroup() as group:
        for number in range(runs):
            group.create_task(one(number))
    watching.cancel()
    return Spent(cpu=_cpu() - cpu, wall=time.perf_counter() - wall, grown=peak - memory)


async def bare(runs: int, url: str, delay: float) -> Spent:
    """Hold `runs` conversations at once by hand."""
    pages = Pages(delay)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await bare_run(session, url, pages)
        return await _spent(runs, lambda _: bare_run(session, url, pages))


async def _warmed(made: Engine) -> None:
    """Carry some runs through, so that all worker processes are there: they are started once, not for each run."""
    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(engine_run(made, f"warm-{number}"))


async def whole(runs: int, url: str, delay: float, *, rounds: int = 10) -> Spent:
    """Carry `runs` runs at once, each of `rounds` turns and a report, through the engine."""
    with tempfile.TemporaryDirectory() as folder:
        async with engine(url, Pages(delay), Path(folder)) as made:
            await _warmed(made)
            spent = await _spent(runs, lambda number: engine_run(made, f"run-{number}"))
            if (found := await answers(made, "run-0")) != rounds + 1:
                raise RuntimeError(f"a run was to get {rounds + 1} answers, and got {found}")
            return spent


def measure(runs: int, many: int) -> dict[str, float]:
    """Return the figures by name."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with served(script(10, delay=0.0), place) as url:
            found["bare_cpu_ms"] = asyncio.run(bare(runs, url, 0.0)).cpu / runs * 1000
            found["engine_cpu_ms"] = asyncio.run(whole(runs, url, 0.0)).cpu / runs * 1000
        found["engine_over_bare"] = found["engine_cpu_ms"] / found["bare_cpu_ms"]
        long = {}
        for rounds in (5, 30, 60, 100):
            with served(script(rounds, delay=0.0), place) as url:
                long[rounds] = asyncio.run(whole(8, url, 0.0, rounds=rounds)).cpu / 8 * 1000
        found["early_round_ms"] = (long[30] - long[5]) / 25
        found["late_round_ms"] = (long[100] - long[60]) / 40
        found["late_over_early_round"] = found["late_round_ms"] / found["early_round_ms"]
        with served(script(10, delay=0.2), place) as url:
            by_hand = asyncio.run(bare(many, url, 0.1))
            full = asyncio.run(whole(many, url, 0.1))
        found["throughput_of_bare"] = by_hand.wall / full.wall
        found["mb_a_run"] = full.grown / many
    return found


if __name__ == "__main__":
    run(__doc__, measure, runs=64, many=256)
