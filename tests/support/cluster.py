"""Runs over several real processes: who asks, `leadline worker` as often as wanted, and a model that takes its time.

    async with cluster(tmp_path, url, delay=1.0) as there, there.worker(8) as first:
        names = await there.ask(8)
        await there.held(8)

What befalls the processes and servers is the test's affair; `all_end` then says that nothing was lost.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from leadline import Leadline
from leadline.domain import RunState, StrategyName, ToolCall
from leadline.errors import StoreError
from leadline.events import ModelAnswered, ModelAsked, Record, RunFinished, RunResumed, ToolAnswered, ToolAsked
from leadline.settings import load
from leadline.testing import ScriptedServer
from leadline.testing.script import Asked, Chooser, Reply, Rule

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

    async def queued(self) -> list[str]:
        """Return the runs that wait."""
        return [run.id for run in await self.engine.runs(state=RunState.QUEUED, limit=1_000)]

    async def held(self, count: int) -> None:
        """Wait until workers hold so many runs."""

        async def all_held() -> bool:
            return (await self.engine.depth()).running >= count

        await until(all_held, within=120)

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

    @asynccontextmanager
    async def streams(self, runs: Sequence[str]) -> AsyncIterator[None]:
        """Follow runs until they end, as clients do: again from where they were when the store went away.

        On leaving, each stream has every event of its journal, once and in order.
        """
        seen: dict[str, list[int]] = {run: [] for run in runs}

        async def follow(run: str) -> None:
            await until(lambda: self._followed(run, seen[run]), within=300)

        async with asyncio.TaskGroup() as group:
            for run in runs:
                group.create_task(follow(run), name=f"follow {run}")
            yield
        for run, numbers in seen.items():
            assert numbers == [record.seq for record in await self.engine.records(run)]

    async def _followed(self, run: str, seen: list[int]) -> bool:
        """Follow a run from where its stream broke off; return whether that came to the end."""
        try:
            async for item in self.engine.stream(run, after=len(seen)):
                if isinstance(item, Record):
                    seen.append(item.seq)  # noqa: PERF401 what came before the stream broke off counts
        except StoreError:
            return False
        return True

    async def journals(self, runs: Sequence[str]) -> dict[str, Sequence[Record]]:
        return {run: await self.engine.records(run) for run in runs}

    async def all_end(self, runs: Sequence[str], *, within: float) -> dict[str, Sequence[Record]]:
        """Wait for the end of all runs; each ended once, in a report, and its journal has no gap."""

        async def ended() -> bool:
            try:
                depth = await self.engine.depth()
                return depth.queued == depth.running == 0
            except StoreError:
                return False

        await until(ended, within=within)
        found = await self.journals(runs)
        for run, records in found.items():
            row = await self.engine.run(run)
            assert row.state is RunState.DONE, row.failure
            assert [r.seq for r in records] == list(range(1, len(records) + 1))
            kinds = Counter(type(r.event) for r in records)
            assert kinds[RunFinished] == 1
            assert kinds[ToolAsked] == kinds[ToolAnswered]
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
    folder: Path,
    url: str,
    *,
    delay: float,
    lease: float = LEASE,
    engine: str = "postgres",
    more: Mapping[str, str] | None = None,
) -> AsyncIterator[Cluster]:
    """Open who asks, a model and a corpus; `more` are settings of all processes."""
    documents = folder / "documents"
    documents.mkdir()
    document = documents / "eddystone.txt"
    document.write_text(DOCUMENT)
    pace = Paced(document, delay=delay)
    async with ScriptedServer(pace) as model:
        values = {
            "LEADLINE_DATA_DIR": str(folder / "data"),
            "LEADLINE_STORE": url,
            "LEADLINE_ENGINE": engine,
            "LEADLINE_MODEL__URLS": model.url,
            "LEADLINE_MODEL__NAME": "scripted",
            "LEADLINE_MODEL__FREE": "true",
            "LEADLINE_TASKS__LEASE_SECONDS": str(lease),
            "LEADLINE_CPU__WORKERS": "1",
            **(more or {}),
        }
        settings = await asyncio.to_thread(lambda: load(environ=values))
        async with Leadline(settings) as asking:
            corpus = await asking.corpus([documents])
            yield Cluster(engine=asking, environment=values, model=model, corpus=corpus, pace=pace)
