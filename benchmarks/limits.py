"""Measure the outgoing limiter: CPU a grant, and one limit over many processes.

    python benchmarks/limits.py [--processes 8] [--seconds 8] [--json]

Grants without waiting through the memory ledger and through a Redis of its own (one key, four keys);
then 8 processes with 20 waiters each under one limit of 10/s: bars 9.5-10/s and 12 in any second.
Beside it: what a limiter in each process would let through.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

from leadline.errors import LimitReached
from leadline.limits.memory import MemoryLedger
from leadline.limits.redis import RedisLedger
from leadline.limits.types import Ledger, Limit
from leadline.limits.waiting import GcraLimiter
from leadline.wire.redis import open_redis

RATE = 10.0
WAITERS = 20


@contextmanager
def redis_server() -> Iterator[str]:
    """Yield the address of a server that lives as long as the context."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        server = subprocess.Popen([*command, "--logfile", "redis.log"])
        try:
            wait_for(port)
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.kill()
            server.wait()


def wait_for(port: int) -> None:
    """Return once something listens."""
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


async def cpu_us(ledger: Ledger, *, keys: int, count: int) -> float:
    """Return CPU microseconds of a grant that need not wait."""
    limiter = GcraLimiter(ledger)
    limits = [Limit(key=f"k{number}", rate=1e6, burst=1e6) for number in range(keys)]
    best = float("inf")
    for _ in range(5):
        begun = time.process_time()
        for _ in range(count):
            await limiter.acquire(limits, deadline=5)
        best = min(best, time.process_time() - begun)
    return best / count * 1e6


async def grants(url: str | None) -> dict[str, float]:
    """Return CPU microseconds of a grant by ledger."""
    rows = {f"memory, {keys} keys": await cpu_us(MemoryLedger(), keys=keys, count=5_000) for keys in (1, 4)}
    if url is not None:
        async with open_redis(url) as client:
            for keys in (1, 4):
                rows[f"redis, {keys} keys"] = await cpu_us(RedisLedger(client), keys=keys, count=300)
    return rows


def child(url: str | None, seconds: float, *, start: Barrier, out: Queue[tuple[list[float], float]]) -> None:
    """Take grants for `seconds`; tell their times and the CPU seconds used."""
    out.put(asyncio.run(taken(url, seconds, start)))


async def taken(url: str | None, seconds: float, start: Barrier) -> tuple[list[float], float]:
    """Return the times of grants of this process, and its CPU seconds."""
    times: list[float] = []

    async def take(limiter: GcraLimiter, end: float) -> None:
        while (left := end - time.time()) > 0:
            try:
                await limiter.acquire([Limit(key="provider", rate=RATE)], deadline=left)
            except LimitReached:
                return
            times.append(time.time())

    async with open_redis(url or "redis://127.0.0.1:1", connections=WAITERS) as client:
        limiter = GcraLimiter(RedisLedger(client) if url else MemoryLedger())
        if url:
            await client.ping()
        await asyncio.to_thread(start.wait)
        cpu, end = time.process_time(), time.time() + seconds
        async with asyncio.TaskGroup() as taking:
            for _ in range(WAITERS):
                taking.create_task(take(limiter, end))
        return times, time.process_time() - cpu


def together(url: str | None, *, processes: int, seconds: float) -> dict[str, float]:
    """Return rate, worst second and CPU a grant of `processes` under one limit."""
    spawn = multiprocessing.get_context("spawn")
    start, out = spawn.Barrier(processes), spawn.Queue()
    more = {"start": start, "out": out}
    children = [spawn.Process(target=child, args=(url, seconds), kwargs=more) for _ in range(processes)]
    for one in children:
        one.start()
    results = [out.get(timeout=seconds + 60) for _ in children]
    for one in children:
        one.join()
    times = sorted(at for some, _ in results for at in some)
    return {
        "per_second": (len(times) - 1) / (times[-1] - times[0]),
        "worst_second": max(sum(at <= other < at + 1 for other in times) for at in times),
        "cpu_ms_per_grant": sum(cpu for _, cpu in results) / len(times) * 1e3,
    }


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    shape = {"processes": options.processes, "seconds": options.seconds}
    if shutil.which("redis-server") is None:
        found = {"cpu_us_per_grant": asyncio.run(grants(None)), "each its own": together(None, **shape)}
    else:
        with redis_server() as url:
            found = {
                "cpu_us_per_grant": asyncio.run(grants(url)),
                "redis (bars 9.5-10, 12)": together(url, **shape),
                "each its own": together(None, **shape),
            }
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, rows in found.items():
        print(name)
        for what, value in rows.items():
            print(f"  {what:<20}{value:>9.2f}")


if __name__ == "__main__":
    main()
