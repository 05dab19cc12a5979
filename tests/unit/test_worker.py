from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.engine import ROUNDS, WITH_MODEL, WITHOUT, Gate, fake_clock, rig

from leadline.domain import RunState
from leadline.errors import LeadlineError, MissingPath, SettingsError, StoreError, StoreUnavailable
from leadline.events import Entry, RunFinished, RunHandedOver, RunResumed, RunStarted
from leadline.ports import Run
from leadline.ports.signals import RunLeft, Signal
from leadline.testing import ScriptedModel


async def test_observers_are_told_each_event_once_and_in_order(tmp_path: Path) -> None:
    async with rig(tmp_path, owner="first", model=Gate(ScriptedModel(ROUNDS))) as engine:
        run_id = await engine.begin()
        await engine.means.model.asked.acquire()  # type: ignore[union-attr]  # the gate's
        first = engine.observer
    async with rig(tmp_path, owner="second", blobs=engine.blobs) as engine:
        engine.runs.append(run_id)
        await engine.resume(run_id)
        told = await engine.ended(run_id)
        await engine.replayed(run_id)
        await engine.told(run_id)
    seen = [record for _, record in (*first.records, *engine.observer.records)]
    assert seen == list(told.records)
    assert first.tenants == {run_id: "local"}
    assert isinstance(engine.observer.records[0][1].event, RunResumed)
    assert isinstance(first.records[0][1].event, RunStarted)


async def test_a_drain_hands_over_every_run_at_once(tmp_path: Path) -> None:
    async with rig(tmp_path, model=Gate(ScriptedModel([]))) as engine:
        ids = [await engine.begin() for _ in range(5)]
        for _ in ids:
            await engine.means.model.asked.acquire()  # type: ignore[union-attr]  # the gate's
        async with asyncio.timeout(15):
            await engine.worker.drain()
        for run_id in ids:
            told = await engine.told(run_id)
            assert (told.run.state, told.run.owner, told.run.attempts) == (RunState.QUEUED, None, 0)
            assert len(told.of(RunHandedOver)) == 1
        row = await engine.store.get(ids[0], tenant="local")
        with pytest.raises(RuntimeError):
            engine.worker.take(row)


@pytest.mark.parametrize("reading", [False, True], ids=["before its first step", "while its journal is read"])
async def test_a_drain_hands_over_a_run_that_was_only_just_taken(tmp_path: Path, reading: bool) -> None:
    async with rig(tmp_path) as engine:
        records, begun = engine.store._store.records, asyncio.Event()

        async def slow(run_id: str, **keywords: int) -> None:
            begun.set()
            await asyncio.Event().wait()

        engine.store._store.records = slow  # type: ignore[method-assign, assignment]  # a store under load
        run_id = await engine.begin()
        if reading:
            await begun.wait()
        async with asyncio.timeout(15):
            await engine.worker.drain()
            await engine.worker.wait(run_id)
        engine.store._store.records = records  # type: ignore[method-assign]  # as it was
        told = await engine.told(run_id)
        assert (told.run.state, told.run.owner, told.run.attempts) == (RunState.QUEUED, None, 0)
        assert len(told.of(RunHandedOver)) == 1


class Left:
    """Signals; how each run was left."""

    def __init__(self) -> None:
        self.how: list[str] = []

    def signal(self, signal: Signal) -> None:
        if isinstance(signal, RunLeft):
            self.how.append(signal.how)


@pytest.mark.parametrize("twice", [False, True], ids=["one drain", "two drains"])
async def test_a_drain_during_a_runs_last_write_lets_it_end(tmp_path: Path, twice: bool) -> None:
    async with rig(tmp_path) as engine:
        append, writing, go = engine.store._store.append, asyncio.Event(), asyncio.Event()
        left = engine.worker._signals = Left()

        async def slow(run_id: str, fence: int, entries: Sequence[Entry]) -> int:
            if any(isinstance(entry.event, RunFinished) for entry in entries):
                writing.set()
                await go.wait()
            return await append(run_id, fence, entries)

        engine.store._store.append = slow  # type: ignore[method-assign]  # a disk that takes its time
        run_id = await engine.begin()
        await writing.wait()
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            drains = [group.create_task(engine.worker.drain()) for _ in range(1 + twice)]
            await asyncio.sleep(0)  # they have begun
            assert not any(drain.done() for drain in drains)
            go.set()
        told = await engine.ended(run_id)
        assert (told.run.state, told.run.owner, left.how) == (RunState.DONE, None, ["finished"])


async def test_whenever_a_worker_drains_near_a_runs_end_nobody_waits_for_its_lease(tmp_path: Path) -> None:
    ends, turns = list[tuple[RunState, bool]](), 0
    while not ends or ends[-1] != (RunState.DONE, True):
        async with rig(tmp_path, owner=f"worker-{turns}", model=Gate(ScriptedModel(ROUNDS))) as engine:
            engine.runs.extend(f"run-{n}" for n in range(turns))
            gate, left = engine.means.model, Left()
            engine.worker._signals = left
            for _ in ROUNDS:
                gate.open.release()  # type: ignore[union-attr]  # the gate's
            run_id = await engine.begin()
            for _ in ROUNDS:
                await gate.asked.acquire()  # type: ignore[union-attr]  # as above
            for _ in range(turns * 4):
                await asyncio.sleep(0)
            over = not engine.worker.holds(run_id)
            await engine.worker.drain()
            run = (await engine.told(run_id)).run
            assert (run.owner, left.how) == (None, ["finished" if run.state is RunState.DONE else "handed_over"])
            ends.append((run.state, over))
            turns += 1
    assert (RunState.QUEUED, False) in ends
    assert (RunState.DONE, False) in ends


async def test_a_drain_waits_a_little_for_a_store_that_is_away_at_a_runs_end(tmp_path: Path) -> None:
    def away(entries: Sequence[Entry]) -> StoreError | None:
        if not any(isinstance(entry.event, RunFinished) for entry in entries):
            return None
        writing.set()
        tries.append(entries)
        return StoreUnavailable("away")

    clock, writing, tries = fake_clock(), asyncio.Event(), list[Sequence[Entry]]()
    async with rig(tmp_path, clock=clock, lease=1_000.0) as engine:
        engine.store.fails = away
        run_id = await engine.begin()
        await writing.wait()
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            draining = group.create_task(engine.worker.drain())
            while not draining.done():
                await clock.advance(0.5)
        assert 2 <= len(tries) <= 10  # in three seconds; a worker that stays tries for ten minutes
        with pytest.raises(StoreUnavailable):
            engine.worker.raise_for(run_id)


async def test_a_drain_does_not_wait_for_a_store_that_is_away(tmp_path: Path) -> None:
    clock = fake_clock()
    async with rig(tmp_path, model=Gate(ScriptedModel([])), clock=clock) as engine:
        run_id = await engine.begin()
        await engine.means.model.asked.acquire()  # type: ignore[union-attr]  # the gate's
        engine.store.fails = lambda entries: StoreUnavailable("away")
        async with asyncio.timeout(15), asyncio.TaskGroup() as group:
            draining = group.create_task(engine.worker.drain())
            while not draining.done():
                await clock.advance(0.5)
        with pytest.raises(StoreUnavailable):
            engine.worker.raise_for(run_id)


@pytest.mark.parametrize("error", [SettingsError("no model is set here"), MissingPath("the index is gone")])
async def test_what_this_process_lacks_does_not_end_the_run(tmp_path: Path, error: LeadlineError) -> None:
    def refuse(run: Run) -> None:
        raise error

    async with rig(tmp_path, refuses=refuse) as engine:
        run_id = await engine.begin()
        with pytest.raises(type(error)):
            await engine.worker.wait(run_id)
        assert (await engine.told(run_id)).run.state is RunState.QUEUED
    async with rig(tmp_path, blobs=engine.blobs) as engine:
        engine.runs.append(run_id)
        await engine.resume(run_id)
        assert (await engine.ended(run_id)).sure.answer


async def test_one_runs_bug_ends_that_run_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def bug(request: object) -> str:
        raise ZeroDivisionError

    caplog.set_level(logging.ERROR, "leadline.worker")
    async with rig(tmp_path, bug) as engine:
        bad = await engine.begin()
        good = await engine.begin(WITHOUT)
        assert (await engine.ended(good)).sure.claims
        told = await engine.ended(bad)
    assert (told.run.state, told.report) == (RunState.FAILED, None)
    assert told.run.failure is not None
    assert (told.run.failure.code, "ZeroDivision" in told.run.failure.message) == ("internal", False)
    assert "run_failed" in [record.message for record in caplog.records]


async def test_a_journal_that_cannot_be_read_is_that_runs_trouble_alone(tmp_path: Path) -> None:
    async with rig(tmp_path) as engine:
        records = engine.store._store.records

        async def spoilt(run_id: str, **keywords: int) -> object:
            found = await records(run_id, **keywords)
            if run_id != "run-0":
                return found
            raise ValueError("unknown event type: run_exploded")

        engine.store._store.records = spoilt  # type: ignore[method-assign, assignment]  # a row of a newer version
        bad = await engine.begin()
        good = await engine.begin(WITHOUT)
        with pytest.raises(StoreError, match="cannot be read: unknown event type"):
            await engine.worker.wait(bad)
        assert (await engine.ended(good)).sure.claims


async def test_a_beat_that_comes_while_a_run_ends_takes_nothing_from_it(tmp_path: Path) -> None:
    clock = fake_clock()
    async with rig(tmp_path, clock=clock) as engine:
        append = engine.store._store.append

        async def beaten(run_id: str, fence: int, entries: object) -> int:
            last = await append(run_id, fence, entries)  # type: ignore[arg-type]  # entries
            if any(isinstance(e.event, RunFinished) for e in entries):  # type: ignore[attr-defined]  # entries
                await clock.advance(11.0)  # the row is not held any more, and the worker does not know it
                await asyncio.sleep(0.02)
            return last

        engine.store._store.append = beaten  # type: ignore[method-assign]  # see above
        told = await engine.ask()
    assert told.sure.answer


async def test_a_taken_run_is_held_until_it_ended(tmp_path: Path) -> None:
    async with rig(tmp_path) as engine:
        run_id = await engine.begin(replace(WITH_MODEL))
        assert engine.worker.holds(run_id)
        await engine.worker.wait(run_id)
        assert not engine.worker.holds(run_id)
        await engine.worker.wait("never heard of")
