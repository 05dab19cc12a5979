"""Measure the whole platform under load: a service, PostgreSQL and two workers, as many runs at once as wanted.

    python benchmarks/load.py [--runs 256 1000] [--model-seconds 2.0] [--json]

All runs are asked over HTTP, one after the other from 16 connections; two `leadline worker` processes with
a slot for each half carry them against a scripted model in a process of its own, ten turns with searches and
visits of a small web, and a report of five claims, verified. `ideal` is what as many runs would take that each
took no longer than one alone. A page of the API is looked at all the while. Every process shares this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from _agent import pages, script, served

from leadline.testing import SmallWeb, WebPage

TURNS = 10
SENDERS = 16
QUESTION = "When did the bathyscaphe Trieste reach the bottom?"
PROGRAM = "from leadline.cli.main import main; raise SystemExit(main())"
UNBOUNDED = ("KEY_RATE", "RATE", "KEY_RUNS", "KEY_WAITING", "RUNS", "WAITING")
LONGEST = 1_800.0


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What one load came to. Milliseconds and MiB are of workers and their processes, a run."""

    runs: int
    seconds: float
    alone_seconds: float
    throughput_of_ideal: float
    cpu_ms: float
    mib: float
    ask_p50_ms: float
    ask_p99_ms: float
    look_p50_ms: float
    look_p99_ms: float
    load_average: float


@dataclass
class Site:
    """The platform, and how it is asked."""

    url: str
    session: aiohttp.ClientSession
    workers: Sequence[psutil.Process]
    asked: list[float] = field(default_factory=list)
    looked: list[float] = field(default_factory=list)

    async def ask(self, number: int) -> str:
        """Start a run and return its id."""
        body = {"question": f"{QUESTION} ({number})", "strategy": "react", "web": True}
        began = time.perf_counter()
        async with self.session.post(f"{self.url}/v1/research", json=body) as reply:
            told = await reply.json()
        self.asked.append(time.perf_counter() - began)
        if reply.status != 202:
            raise RuntimeError(f"the service refused: {told}")
        return str(told["id"])

    async def look(self, path: str) -> dict[str, Any]:
        """Look at something."""
        began = time.perf_counter()
        async with self.session.get(f"{self.url}{path}") as reply:
            told: dict[str, Any] = await reply.json()
        self.looked.append(time.perf_counter() - began)
        return told

    async def carried(self, count: int) -> float:
        """Start runs, look at them all the while, and return the seconds to the last one's end."""
        began, numbers, names = time.perf_counter(), iter(range(count)), list[str]()

        async def sender() -> None:
            for number in numbers:
                names.append(await self.ask(number))

        async with asyncio.timeout(LONGEST):
            async with asyncio.TaskGroup() as group:
                for _ in range(SENDERS):
                    group.create_task(sender())
            while await self._any("queued") or await self._any("running"):  # in this order: none slips between
                for name in random.sample(names, min(5, count)):
                    await self.look(f"/v1/research/{name}")
                await asyncio.sleep(0.02)
        seconds = time.perf_counter() - began
        if await self._any("failed"):
            raise RuntimeError("a run did not end in a report")
        return seconds

    async def _any(self, state: str) -> bool:
        return bool((await self.look(f"/v1/research?state={state}&limit=1"))["items"])


class Meter:
    """CPU seconds and memory of processes and those that they started."""

    def __init__(self, roots: Sequence[psutil.Process]) -> None:
        self._roots = roots
        self._idle = self.memory()
        self._cpu = self.cpu()
        self.peak = self._idle

    def _all(self) -> list[psutil.Process]:
        return [one for root in self._roots for one in (root, *root.children(recursive=True))]

    def cpu(self) -> float:
        """Return the CPU seconds so far."""
        times = [one.cpu_times() for one in self._all()]
        return sum(each.user + each.system for each in times)

    def memory(self) -> int:
        """Return the bytes that these processes alone have."""
        return sum(one.memory_full_info().uss for one in self._all())

    async def watch(self) -> None:
        """Note the most memory, until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            self.peak = max(self.peak, await asyncio.to_thread(self.memory))

    def spent(self) -> tuple[float, int]:
        """Return the CPU seconds and the growth since the start."""
        return self.cpu() - self._cpu, self.peak - self._idle


async def measured(site: Site, runs: int, alone: float) -> Loaded:
    """Carry runs and say what it took."""
    site.asked.clear()
    site.looked.clear()
    meter = Meter(site.workers)
    watching = asyncio.get_running_loop().create_task(meter.watch())
    seconds = await site.carried(runs)
    watching.cancel()
    cpu, grown = meter.spent()
    return Loaded(
        runs=runs,
        seconds=seconds,
        alone_seconds=alone,
        throughput_of_ideal=alone / seconds,
        cpu_ms=cpu / runs * 1_000,
        mib=grown / runs / (1 << 20),
        ask_p50_ms=_percentile(site.asked, 0.5),
        ask_p99_ms=_percentile(site.asked, 0.99),
        look_p50_ms=_percentile(site.looked, 0.5),
        look_p99_ms=_percentile(site.looked, 0.99),
        load_average=os.getloadavg()[0],
    )


def _percentile(seconds: list[float], share: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))] * 1_000


async def command(environment: dict[str, str], *words: str) -> str:
    """Run a command of ours and return what it prints."""
    ours = (sys.executable, "-c", PROGRAM, *words)
    done = await asyncio.to_thread(
        subprocess.run, ours, env={**os.environ, **environment}, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


@asynccontextmanager
async def started(environment: dict[str, str], *words: str) -> AsyncIterator[tuple[psutil.Process, str]]:
    """Start a program of ours; yield its process and the first line that it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, *words),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        if process.stdout is None:
            raise RuntimeError("the program has no output")
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        yield psutil.Process(process.pid), line.decode().strip()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def site(environment: dict[str, str], *, key: str, slots: int) -> AsyncIterator[Site]:
    """Start a service and two workers."""
    async with AsyncExitStack() as stack:
        _, line = await stack.enter_async_context(started(environment, "serve", "--port", "0"))
        workers = [
            (await stack.enter_async_context(started(environment, "worker", "--concurrency", str(slots))))[0]
            for _ in range(2)
        ]
        headers = {"Authorization": f"Bearer {key}"}
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        yield Site(url=line, session=session, workers=workers)


@contextmanager
def database() -> Iterator[str]:
    """Yield an empty store on a server of its own, which waits for the disk at every commit."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.support.postgres import running_postgres  # noqa: PLC0415 found only from here on

    with running_postgres(durable=True) as server:
        yield server.store()


async def load(sizes: Sequence[int], store: str, folder: Path, *, model_seconds: float) -> list[Loaded]:
    """Measure one load after the other, each on fresh workers."""
    texts = pages()
    web = {
        f"/{number}": WebPage(
            body=f"Trieste {number}\n\n{texts[number % len(texts)]}".encode(), content_type="text/plain"
        )
        for number in range(TURNS)
    }
    async with AsyncExitStack() as stack:
        small = await stack.enter_async_context(SmallWeb(web))
        rules = script(TURNS, delay=model_seconds, site=f"http://127.0.0.1:{small.port}")
        model = stack.enter_context(served(rules, folder))
        environment = {
            **small.environment,
            "LEADLINE_DATA_DIR": str(folder / "data"),
            "LEADLINE_STORE": store,
            "LEADLINE_ENGINE": "postgres",
            "LEADLINE_MODEL__URLS": model,
            "LEADLINE_MODEL__NAME": "scripted",
            "LEADLINE_MODEL__CONTEXT": "200000",
            "LEADLINE_MODEL__AT_ONCE": "2000",
            "LEADLINE_MODEL__FREE": "true",
            "LEADLINE_SANDBOX": "off",
            "LEADLINE_CPU__WORKERS": "1",
            **{f"LEADLINE_ADMISSION__{name}": "none" for name in UNBOUNDED},
        }
        await command(environment, "migrate", "up")
        key = (await command(environment, "keys", "create", "--name", "bench", "--role", "researcher")).split()[-1]
        found = []
        for runs in sizes:
            async with site(environment, key=key, slots=(runs + 1) // 2) as made:
                await made.carried(4)  # processes are started, pages are known
                alone = min([await made.carried(1) for _ in range(3)])
                found.append(await measured(made, runs, alone))
        return found


def measure(sizes: Sequence[int], seconds: float) -> list[Loaded]:
    """Bring everything up and measure."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(database())
        return asyncio.run(load(sizes, store, folder, model_seconds=seconds))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=[256, 1_000])
    parser.add_argument("--model-seconds", type=float, default=2.0, help="to the first token of an answer")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for found in measure(options.runs, options.model_seconds):
        if options.json:
            print(json.dumps(asdict(found)))
            continue
        for name, value in asdict(found).items():
            print(f"{name:24} {value:10.3f}")
        print()


if __name__ == "__main__":
    main()
