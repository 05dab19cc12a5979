"""Real worker processes over a real PostgreSQL: killed, stopped, drained, and the database away. Nothing is lost or paid twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.support.postgres import Postgres, running_postgres

from leadline import Leadline
from leadline.domain import RunState, StrategyName, ToolCall
from leadline.errors import StoreUnavailable
from leadline.events import ModelAnswered, ModelAsked, Record, RunFinished, RunHandedOver, RunResumed
from leadline.settings import ModelSettings, Settings, TaskSettings
from leadline.testing import ScriptedServer
from leadline.testing.script import Asked, Chooser, Reply, Rule

pytestmark = [pytest.mark.server("postgres"), pytest.mark.xdist_group("postgres")]

LEASE = 1.5
LONG = 45.0
"""Seconds that a model takes whose answer nobody waits for: its worker dies before."""
DOCUMENT = "The first lighthouse on the Eddystone was lit in 1698. The third was lit in 1759 by John Smeaton.\n"


class Paced:
    """A model that searches, visits, answers and writes; `delay` seconds a turn, as the test sets it."""

    def __init__(self, document: Path, *, delay: float) -> None:
        self.delay = delay
        self._chooser = Chooser(
            [
                Rule(system="numbered excerpts", reply=Reply(text="ANSWER: The first lighthouse was lit in 1698 [1].")),
                Rule(turn=0, reply=_calling("search", query="Eddystone first")),
                Rule(turn=1, reply=_calling("visit", url=document.as_uri())),
                Rule(turn=2, reply=Reply(text="<answer>1698.</answer>")),
            ]
        )

    def __call__(self, asked: Asked) -> Reply:
        return replace(self._chooser.reply(asked), first_delay=self.delay)


def _calling(name: str, **arguments: str) -> Reply:
    return Reply(tool_calls=(ToolCall(name=name, arguments=dict(arguments), id=name),))


@dataclass
class Cluster:
    """What workers and the asking process share."""

    engine: Leadline
    environment: Mapping[str, str]
    model: ScriptedServer
    corpus: str
    pace: Paced

    async def ask(self, count: int) -> list[str]:
        """Queue runs."""
        options = self.engine.options(strategy=StrategyName.REACT, corpora=(self.corpus,))
        return [
            await self.engine.start(f"When was the first lighthouse lit? ({n})", options=options, carry=False)
            for n in range(count)
        ]

    async def held(self, count: int) -> None:
        """Wait until workers hold so many runs."""

        async def all_held() -> bool:
            return (await self.engine.depth()).running >= count

        await until(all_held, within=30)

    @asynccontextmanager
    async def worker(self, slots: int) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start `leadline worker`; it does not outlive the context."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from leadline.cli.main import main; raise SystemExit(main())"),
            *("worker", "--concurrency", str(slots)),
            env={**os.environ, **self.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        assert b"at a time" in await asyncio.wait_for(process.stdout.readline(), 30)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def journals(self, runs: Sequence[str]) -> dict[str, Sequence[Record]]:
        return {run: await self.engine.records(run) for run in runs}

    async def all_end(self, runs: Sequence[str], *, within: float) -> dict[str, Sequence[Record]]:
        """Wait for the end of all runs; each ended once, in a report, and its journal has no gap."""

        async def ended() -> bool:
            try:
                return all([(await self.engine.run(run)).state.ended for run in runs])
            except StoreUnavailable:
                return False

        await until(ended, within=within)
        found = await self.journals(runs)
        for run, records in found.items():
            row = await self.engine.run(run)
            assert row.state is RunState.DONE, row.failure
            assert [r.seq for r in records] == list(range(1, len(records) + 1))
            assert Counter(type(r.event) for r in records)[RunFinished] == 1
            assert (await self.engine.report(run)).claims
        return found


async def until(true: Callable[[], Awaitable[bool]], *, within: float) -> None:
    """Wait until it is so; what changes is another process's affair, which nobody is told of."""
    end = time.monotonic() + within
    while not await true():
        assert time.monotonic() < end
        await asyncio.sleep(0.1)


def asked(journals: Mapping[str, Sequence[Record]]) -> int:
    return sum(isinstance(r.event, ModelAsked) for records in journals.values() for r in records)


def in_flight(journals: Mapping[str, Sequence[Record]]) -> int:
    """Return how many calls were asked and not answered."""
    return sum(
        len(
            {r.event.call for r in records if isinstance(r.event, ModelAsked)}
            - {r.event.call for r in records if isinstance(r.event, ModelAnswered)}
        )
        for records in journals.values()
    )


def resumed_at(journals: Mapping[str, Sequence[Record]]) -> list[float]:
    return [
        next(r.at for r in records if isinstance(r.event, RunResumed))
        for records in journals.values()
        if any(isinstance(r.event, RunResumed) for r in records)
    ]


@asynccontextmanager
async def cluster(
    folder: Path, url: str, *, delay: float, lease: float = LEASE, engine: str = "postgres"
) -> AsyncIterator[Cluster]:
    documents = folder / "documents"
    documents.mkdir()
    document = documents / "eddystone.txt"
    document.write_text(DOCUMENT)
    pace = Paced(document, delay=delay)
    async with ScriptedServer(pace) as model:
        settings = Settings(
            data_dir=folder / "data",
            store=url,
            engine=engine,
            model=ModelSettings(urls=(f"{model.url}",), name="scripted", free=True),
            tasks=TaskSettings(lease_seconds=lease),
        )
        environment = {
            "LEADLINE_DATA_DIR": str(folder / "data"),
            "LEADLINE_STORE": url,
            "LEADLINE_ENGINE": engine,
            "LEADLINE_MODEL__URLS": model.url,
            "LEADLINE_MODEL__NAME": "scripted",
            "LEADLINE_MODEL__FREE": "true",
            "LEADLINE_TASKS__LEASE_SECONDS": str(lease),
            "LEADLINE_CPU__WORKERS": "1",
        }
        async with Leadline(settings) as asking:
            corpus = await asking.corpus([documents])
            yield Cluster(engine=asking, environment=environment, model=model, corpus=corpus, pace=pace)


@pytest.mark.parametrize(
    "runs", [pytest.param(12), pytest.param(200, marks=[pytest.mark.soak, pytest.mark.timeout(300)])]
)
async def test_a_killed_workers_runs_go_on_elsewhere(tmp_path: Path, postgres: Postgres, runs: int) -> None:
    async with cluster(tmp_path, postgres.store(), delay=LONG) as world, world.worker(runs) as first:
        names = await world.ask(runs)
        await world.held(runs)
        async with world.worker(runs):
            await asyncio.sleep(LEASE)  # it has just connected: until now it leaves expired runs alone
            first.send_signal(signal.SIGKILL)
            killed = time.time()
            await first.wait()
            lost = in_flight(await world.journals(names))
            world.pace.delay = 0.2
            journals = await world.all_end(names, within=120)
        assert len(resumed_at(journals)) == runs
        after = sorted(at - killed for at in resumed_at(journals))
        assert after[-1] < LEASE + 3, after
        assert len(world.model.requests) <= asked(journals) + lost
        assert lost <= runs


async def test_a_drained_workers_runs_go_on_at_once(tmp_path: Path, postgres: Postgres) -> None:
    async with cluster(tmp_path, postgres.store(), delay=LONG, lease=60) as world, world.worker(8) as first:
        names = await world.ask(8)
        await world.held(8)
        async with world.worker(8):
            first.send_signal(signal.SIGTERM)
            stopped = time.time()
            world.pace.delay = 0.2
            assert await asyncio.wait_for(first.wait(), 15) == 0
            journals = await world.all_end(names, within=40)
        handed = [r.at for records in journals.values() for r in records if isinstance(r.event, RunHandedOver)]
        assert len(handed) == len(resumed_at(journals)) == 8
        assert max(resumed_at(journals)) - stopped < 3
        assert {(await world.engine.run(name)).attempts for name in names} == {0}


@pytest.mark.parametrize(
    ("runs", "away"),
    [
        pytest.param(10, 5.0),
        pytest.param(100, 20.0, marks=[pytest.mark.soak, pytest.mark.timeout(300)]),
    ],
)
async def test_a_database_that_is_away_costs_nothing(tmp_path: Path, runs: int, away: float) -> None:
    with running_postgres() as server:
        async with (
            cluster(tmp_path, server.store(), delay=1.0, lease=4.0) as world,
            world.worker(runs),
            world.worker(runs),
        ):
            names = await world.ask(runs)
            await world.held(runs)
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(away)
            await asyncio.to_thread(server.start)
            journals = await world.all_end(names, within=120)
            assert len(world.model.requests) == asked(journals)
            assert resumed_at(journals) == []


@pytest.mark.parametrize(
    "runs", [pytest.param(6), pytest.param(50, marks=[pytest.mark.soak, pytest.mark.timeout(300)])]
)
async def test_a_stopped_worker_that_wakes_writes_nothing(tmp_path: Path, postgres: Postgres, runs: int) -> None:
    async with cluster(tmp_path, postgres.store(), delay=LONG) as world, world.worker(runs) as zombie:
        names = await world.ask(runs)
        await world.held(runs)
        async with world.worker(runs):
            await asyncio.sleep(LEASE)
            zombie.send_signal(signal.SIGSTOP)
            lost = in_flight(await world.journals(names))
            world.pace.delay = 1.0

            async def taken_over() -> bool:
                return len(resumed_at(await world.journals(names))) == runs

            await until(taken_over, within=15)
            zombie.send_signal(signal.SIGCONT)
            journals = await world.all_end(names, within=60)
        assert zombie.returncode is None  # it lost its runs and lives on
        assert len(world.model.requests) <= asked(journals) + lost
        assert {(await world.engine.run(name)).attempts for name in names} == {1}
