"""Slots of a worker process: filled from the queue, freed, slowed where nothing can be carried, emptied at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from leadline.api import slots as module
from leadline.api.slots import Slots
from leadline.domain import Options, Question, RunState, StopReason
from leadline.errors import LeadlineError, MissingPath, StoreUnavailable
from leadline.events import Entry, RunFinished, RunHandedOver
from leadline.ports import NewRun, Run
from leadline.tasks.engines import StoreWake
from leadline.tasks.sqlite import SqliteStore
from leadline.worker import Worker


@dataclass
class Hand:
    """Stands for a worker: holds runs until the test lets them go."""

    store: SqliteStore
    owner: str = "w"
    lease: float = 30.0
    held: dict[str, Run] = field(default_factory=dict)
    ended: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    drained: bool = False

    def take(self, run: Run, *, patient: bool) -> None:
        self.held[run.id] = run
        self.taken.append(run.id)
        self.ended[run.id] = asyncio.get_running_loop().create_future()

    async def wait(self, run_id: str) -> None:
        await self.ended[run_id]

    async def finish(self, run_id: str) -> None:
        await self._close(run_id, RunFinished(state=RunState.DONE, stop_reason=StopReason.ANSWERED))
        self.ended[run_id].set_result(None)

    async def refuse(self, run_id: str, error: LeadlineError) -> None:
        await self._close(run_id, RunHandedOver(owner=self.owner, reason="refused"))
        self.ended[run_id].set_exception(error)

    async def drain(self) -> None:
        self.drained = True
        for run_id in list(self.held):
            await self._close(run_id, RunHandedOver(owner=self.owner, reason="drain"))
            self.ended[run_id].set_result(None)

    async def _close(self, run_id: str, event: RunFinished | RunHandedOver) -> None:
        run = self.held.pop(run_id)
        await self.store.append(run_id, run.fence, [Entry(at=1.0, branch="", event=event)])


@dataclass
class World:
    store: SqliteStore
    hand: Hand
    stop: asyncio.Event
    task: asyncio.Task[None]

    async def ask(self, *names: str) -> None:
        for name in names:
            question = Question(text="q", language="en")
            await self.store.create(NewRun(id=name, tenant="t", question=question, options=Options(), seed=1))

    async def until_taken(self, names: Sequence[str]) -> None:
        async with asyncio.timeout(15):
            while self.hand.taken != list(names):  # noqa: ASYNC110 what is waited for is a list of the test's own
                await asyncio.sleep(0.01)


@asynccontextmanager
async def working(folder: Path, *, count: int, store: Any = None) -> AsyncIterator[World]:
    async with SqliteStore.open(folder / "runs.db") as opened:
        hand = Hand(opened)
        serving = Slots(
            worker=cast("Worker", hand), store=store(opened) if store else opened, wake=StoreWake(opened), count=count
        )
        stop = asyncio.Event()
        task = asyncio.get_running_loop().create_task(serving.serve(stop))
        yield World(opened, hand, stop, task)
        stop.set()
        await asyncio.wait_for(task, 20)
        assert serving.idle == count


async def test_slots_are_filled_and_filled_again(tmp_path: Path) -> None:
    async with working(tmp_path, count=2) as world:
        await world.ask("r1", "r2", "r3")
        await world.until_taken(["r1", "r2"])
        await world.hand.finish("r2")
        await world.until_taken(["r1", "r2", "r3"])
        await world.ask("r4")
        await asyncio.sleep(0.1)
        assert world.hand.taken == ["r1", "r2", "r3"]
        await world.hand.finish("r1")
        await world.until_taken(["r1", "r2", "r3", "r4"])


async def test_what_is_held_at_the_end_is_handed_back(tmp_path: Path) -> None:
    async with working(tmp_path, count=4) as world:
        await world.ask("r1", "r2")
        await world.until_taken(["r1", "r2"])
        world.stop.set()
        await asyncio.wait_for(world.task, 20)
        assert world.hand.drained
        assert (await world.store.depth()).claimable == 2


async def test_a_process_that_can_carry_nothing_slows_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.3)
    async with working(tmp_path, count=1) as world:
        await world.ask("r1")
        await world.until_taken(["r1"])
        await world.hand.refuse("r1", MissingPath("no such corpus here"))
        await asyncio.sleep(0.15)
        assert world.hand.taken == ["r1"]
        await world.until_taken(["r1", "r1"])
        await world.hand.finish("r1")
        await world.ask("r2")
        await world.until_taken(["r1", "r1", "r2"])


class Failing:
    """A store that is away for the first claims."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.failures = 2

    async def claim(self, owner: str, **wish: Any) -> Run | None:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("away")
        return await self._store.claim(owner, **wish)


async def test_a_store_that_is_away_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
    async with working(tmp_path, count=1, store=Failing) as world:
        await world.ask("r1")
        await world.until_taken(["r1"])
