"""A worker that kills itself with SIGKILL before or after one of its appends.

    python -m tests.support.crash_child '{"folder": ..., "model": ..., "kill_at": 3, "when": "before"}'

Without `kill_at` it takes the run up as soon as its lease ran out and carries it through. Every
call of a tool is one line in `calls.log`: what a killed process wrote there stays.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from leadline.blobs.directory import DirectoryBlobs
from leadline.cpu import InlineCpu
from leadline.domain import Fetched, Options, Question, StrategyName
from leadline.events import ENGINE, Entry
from leadline.model.openai_api import OpenAIModel
from leadline.ports import Found, NewRun, Query, Run
from leadline.research.study import Means
from leadline.resilience import SystemClock
from leadline.tasks.sqlite.store import SqliteStore
from leadline.testing.search import CannedReader, hit
from leadline.tools.registry import ToolSet
from leadline.tools.search import SearchTool
from leadline.tools.visit import VisitTool
from leadline.worker import Worker

LEASE = 10.0
RUN = "crash-run"
PAGES = {
    "https://one.test/": "The first lighthouse was lit in 1698. It stood on the Eddystone rocks.",
    "https://two.test/": "The second lighthouse was finished in 1709. It was built of oak.",
    "https://three.test/": "The third lighthouse was lit in 1759. John Smeaton built it of granite.",
}


class Killing:
    """A store whose `append` number `kill_at` ends the process, before or after it is durable."""

    def __init__(self, store: SqliteStore, *, kill_at: int | None, when: str) -> None:
        self._store = store
        self._kill_at = kill_at
        self._when = when
        self._appends = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, run_id: str, fence: int, entries: Sequence[Entry]) -> int:
        """Append, or die."""
        self._appends += 1
        if self._appends == self._kill_at and self._when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        last = await self._store.append(run_id, fence, entries)
        if self._appends == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return last


class Counted:
    """A search and a reader that write down each call."""

    name = "counted"

    def __init__(self, log: Path) -> None:
        self._log = log
        self._pages = CannedReader(PAGES)

    def _count(self, line: str) -> None:
        handle = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(handle, (line + "\n").encode())
        os.close(handle)

    async def search(self, query: Query, *, deadline: float) -> Found:
        """Find every page."""
        del deadline
        self._count(f"search {query.text}")
        return Found(hits=tuple(hit(uri, title=uri, rank=i) for i, uri in enumerate(PAGES, 1)))

    def reads(self, uri: str) -> bool:
        """Return whether the page is known."""
        return self._pages.reads(uri)

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        """Read a page."""
        self._count(f"read {uri}")
        return await self._pages.read(uri, deadline=deadline)


def options(strategy: StrategyName) -> Options:
    """Return the options of the scripted run; with `resum` its window is full after two rounds."""
    model = None if strategy is StrategyName.EXTRACTIVE else "scripted"
    window, max_tokens = (4_000, 3_400) if strategy is StrategyName.RESUM else (16_000, 1_000)
    return Options(strategy=strategy, model=model, web=True, window=window, max_tokens=max_tokens)


async def run(wish: dict[str, Any]) -> None:
    """Create the run, or take it up, and carry it as far as it goes."""
    folder = Path(wish["folder"])
    counted = Counted(folder / "calls.log")
    cpu = InlineCpu()
    async with (
        SqliteStore.open(folder / "runs.db") as sqlite,
        DirectoryBlobs(folder / "blobs") as blobs,
        OpenAIModel(wish["model"]) as model,
    ):
        store = Killing(sqlite, kill_at=wish.get("kill_at"), when=wish.get("when", "after"))
        tools = ToolSet([SearchTool([counted]), VisitTool([counted], cpu=cpu)])

        @asynccontextmanager
        async def provides(run: Run) -> AsyncIterator[Means]:
            yield Means(tools=tools, cpu=cpu, model=model if run.options.model else None)

        worker = Worker(
            store=store,
            blobs=blobs,
            clock=SystemClock(),
            provides=provides,
            owner=f"child-{os.getpid()}",
            lease=LEASE,
        )
        async with worker.working():
            worker.take(await _claimed(sqlite, worker.owner, StrategyName(wish["strategy"]), fresh=wish["fresh"]))
            await worker.wait(RUN)


async def _claimed(store: SqliteStore, owner: str, strategy: StrategyName, *, fresh: bool) -> Run:
    if fresh:
        question = Question(text="When were the lighthouses on the Eddystone lit?", language="en")
        new = NewRun(id=RUN, tenant="local", question=question, options=options(strategy), seed=7)
        return await store.create(new, owner=owner, lease=LEASE)
    while True:
        claimed = await store.claim(owner, lease=LEASE, engines=(ENGINE,), run_id=RUN)
        if claimed is not None:
            return claimed
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(run(json.loads(sys.argv[1])))
