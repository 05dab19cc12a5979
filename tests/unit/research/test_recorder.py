from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.engine import (
    ANSWER,
    PAGES,
    REPORT,
    ROUNDS,
    SEARCH,
    VISIT,
    WITH_MODEL,
    WITHOUT,
    Engine,
    Gate,
    PageTool,
    fake_clock,
    rig,
    turn,
)
from tests.support.quick import within

from leadline.domain import Flag, Json, ModelAnswer, RunState, ToolCall, ToolResult, Usage
from leadline.errors import (
    Diverged,
    LeaseLost,
    ModelUnavailable,
    RecordIncomplete,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from leadline.events import (
    ClaimChecked,
    Entry,
    FlagSeen,
    ModelAnswered,
    ModelAsked,
    RunFinished,
    RunHandedOver,
    RunResumed,
    SourceStored,
    ToolAnswered,
    ToolAsked,
)
from leadline.research.pipeline import conduct
from leadline.research.recorder import Recorder
from leadline.testing import ScriptedModel


def acts(*numbers: int) -> ModelAnswer:
    return turn("", *(ToolCall(name="act", arguments={"n": n}, id=f"c{n}") for n in numbers))


# --- intents and outcomes --------------------------------------------------------------------


async def test_a_call_starts_after_its_intent_is_durable(tmp_path: Path) -> None:
    async with rig(tmp_path) as engine:
        durable: list[set[str]] = []
        complete = engine.means.model.complete  # type: ignore[union-attr]  # the rig sets one

        async def watched(*arguments: Any, **keywords: Any) -> ModelAnswer:
            records = await engine.store.records(engine.runs[0])
            durable.append({r.event.call for r in records if isinstance(r.event, ModelAsked)})
            return await complete(*arguments, **keywords)

        engine.means.model.complete = watched  # type: ignore[union-attr, method-assign]  # as above
        told = await engine.ask()
    asked = [e.call for e in told.of(ModelAsked)]
    assert durable == [set(asked[: n + 1]) for n in range(len(asked))]


async def test_outcomes_are_taken_in_call_order_whatever_the_order_of_their_arrival(tmp_path: Path) -> None:
    """Prices that are not exact in binary add up to other totals in another order."""
    costs = [0.1, 1e16, -1e16, 0.3]
    orders = []
    for name, order in (("a", [0, 1, 2, 3]), ("b", [3, 1, 0, 2])):
        turns = [asyncio.Event() for _ in order]
        turns[order[0]].set()

        async def work(arguments: Mapping[str, Json], order: list[int] = order, turns: Any = turns) -> ToolResult:
            n = int(str(arguments["n"]))
            await turns[n].wait()
            place = order.index(n)
            if place + 1 < len(order):
                asyncio.get_running_loop().call_later(0.005, turns[order[place + 1]].set)
            return ToolResult(value=f"result {n}", cost_usd=costs[n])

        model = ScriptedModel([acts(0, 1, 2, 3), ANSWER])
        folder = tmp_path / name
        folder.mkdir()
        async with rig(folder, model=model, tools=[PageTool(work)]) as engine:
            told = await engine.ask()
        arrived = [e.value for e in told.of(ToolAnswered)]
        assert arrived == [f"result {n}" for n in order]
        assert [m.content.splitlines()[1] for m in model.requests[1].messages[-4:]] == [f"result {n}" for n in range(4)]
        orders.append(told.run.usage.cost_usd)
    assert orders[0] == orders[1]


async def test_an_outcome_is_written_when_it_is_there_though_another_one_is_not(tmp_path: Path) -> None:
    last = asyncio.Event()
    first = asyncio.Event()

    async def work(arguments: Mapping[str, Json]) -> ToolResult:
        if arguments["n"] == 2:
            await last.wait()
        if arguments["n"] == 1:
            await first.wait()
        return ToolResult(value=str(arguments["n"]))

    async with rig(tmp_path, [acts(0, 1, 2), ANSWER], tools=[PageTool(work)]) as engine:
        writing = asyncio.Event()
        append = engine.store._store.append

        async def slow(run_id: str, fence: int, entries: Any) -> int:
            if any(isinstance(e.event, ToolAnswered) for e in entries):
                writing.set()
                await asyncio.sleep(0.02)
            return await append(run_id, fence, entries)

        engine.store._store.append = slow  # type: ignore[method-assign]  # the store takes its time
        run_id = await engine.begin()
        await writing.wait()
        first.set()  # while the first outcome is being written
        async with asyncio.timeout(15):
            seen = -1
            while sum(isinstance(r.event, ToolAnswered) for r in await engine.store.records(run_id)) < 2:
                seen = await engine.store.changed(seen, timeout=1.0)
        last.set()
        await engine.ended(run_id)


async def test_sources_stand_before_the_call_that_brought_them(tmp_path: Path) -> None:
    async with rig(tmp_path) as engine:
        told = await engine.ask()
    [visit] = [e for e in told.of(ToolAnswered) if e.tool == "visit"]
    place = [r.event for r in told.records].index(visit)
    before = [r.event for r in told.records[place - 2 : place]]
    assert [e.source.id for e in before if isinstance(e, SourceStored)] == list(visit.sources)
    for event in told.of(SourceStored):
        assert await engine.blobs.has("local", event.source.sha256)


# --- replay ----------------------------------------------------------------------------------


async def test_replay_names_the_first_request_that_differs(tmp_path: Path) -> None:
    async with rig(tmp_path) as engine:
        told = await engine.ask()
        spec = engine.means.tools.specs()
        fewer = replace(engine.means, tools=OnlyOne(engine.means.tools, spec[0].name))
        with pytest.raises(Diverged, match=r"call gather/1/model/0 asks something else"):
            await engine.replayed(told.run.id, fewer)


class OnlyOne:
    """Some tools, of which one is shown."""

    def __init__(self, tools: Any, name: str) -> None:
        self._tools = tools
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tools, name)

    def specs(self) -> Any:
        return tuple(spec for spec in self._tools.specs() if spec.name == self._name)


async def test_replay_compares_what_follows_from_outcomes(tmp_path: Path) -> None:
    async with rig(tmp_path) as engine:
        told = await engine.ask()
        notes = [r for r in told.records if r.event.type == "claim_checked"]
        spoilt = replace(notes[0], event=ClaimChecked(claim="c", verdict="contradicted", decided_by="words"))
        recorder = Recorder(run_id=told.run.id, tenant="local", records=told.records, blobs=engine.blobs, outside=None)
        recorder.history.notes["verify"][0] = spoilt
        with pytest.raises(Diverged, match="`claim_checked` differs"):
            await conduct(recorder, engine.means)


async def test_a_record_that_ends_before_the_run_says_where(tmp_path: Path) -> None:
    async with rig(tmp_path) as engine:
        told = await engine.ask()
        for end in range(1, len(told.records) - 1):
            recorder = Recorder(
                run_id="r", tenant="local", records=told.records[:end], blobs=engine.blobs, outside=None
            )
            with pytest.raises((RecordIncomplete, Diverged)):
                await recorder.finish(await conclusion(recorder, engine))


async def conclusion(recorder: Recorder, engine: Engine) -> RunFinished:
    made = await conduct(recorder, engine.means)
    assert made is not None
    raise RecordIncomplete("only the end is missing")


async def test_a_journal_without_its_beginning_is_none(tmp_path: Path) -> None:
    async with rig(tmp_path) as engine:
        with pytest.raises(RecordIncomplete, match="run_started"):
            Recorder(run_id="r", tenant="local", records=[], blobs=engine.blobs, outside=None)


WORDS = st.sampled_from(["search", "visit", "both", "again", "malformed", "unknown", "down", "many"])


def reply(word: str, n: int) -> Any:
    pages = list(PAGES)
    match word:
        case "search":
            return ToolCall(name="search", arguments={"query": f"Eddystone {n}"}, id=f"s{n}")
        case "visit":
            return ToolCall(name="visit", arguments={"url": pages[n % 3], "goal": f"lit {n}"}, id=f"v{n}")
        case "both":
            calls = (reply("search", n + 50), reply("visit", n + 50))
            return turn("", *calls, cost=0.1 * n)
        case "again":
            return SEARCH
        case "malformed":
            return "<tool_call>{oops</tool_call>"
        case "unknown":
            return ToolCall(name="teleport", arguments={}, id=f"u{n}")
        case "many":
            return turn("", *(reply("search", 100 * n + i) for i in range(10)))
        case _:
            return ModelUnavailable("down")


@pytest.mark.parametrize("seed", range(3))
def test_random_runs_lead_to_the_same_bytes(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    @settings(max_examples=8)
    @given(words=st.lists(WORDS, max_size=6), ends=st.sampled_from([ANSWER, "plain words", ""]))
    def runs(words: list[str], ends: str) -> None:
        script = [*(reply(word, n + seed * 10) for n, word in enumerate(words)), ends, REPORT, REPORT, REPORT]

        async def once() -> None:
            async with rig(tmp_path_factory.mktemp("random"), script) as engine:
                await engine.ask(replace(WITH_MODEL, window=3_000, max_tokens=400))

        asyncio.run(once())

    runs()


# --- flags on the way ------------------------------------------------------------------------


async def test_a_flag_that_comes_while_an_intent_is_written_lets_no_call_begin(tmp_path: Path) -> None:
    model = ScriptedModel([*ROUNDS[:2], REPORT])
    async with rig(tmp_path, model=model) as engine:
        append = engine.store._store.append

        async def flagged(run_id: str, fence: int, entries: Any) -> int:
            last = await append(run_id, fence, entries)
            if any(isinstance(e.event, ModelAsked) and e.event.call.startswith("gather/3/") for e in entries):
                engine.worker.flag(run_id, Flag.FINISH)
            return last

        engine.store._store.append = flagged  # type: ignore[method-assign]  # a person is quick
        told = await engine.ask()
    assert [len(r.messages) for r in model.requests][-1] == 2  # the writer's
    assert model.calls == 3
    broken = [e for e in told.of(ModelAnswered) if e.failure is not None]
    assert [(e.call, e.failure.code, e.usage) for e in broken] == [("gather/3/model/0", "interrupted", Usage())]
    assert told.of(FlagSeen)[0].round == 4


@pytest.mark.parametrize("flag", list(Flag))
async def test_a_flag_raised_while_nobody_held_the_run_is_seen_on_resume(tmp_path: Path, flag: Flag) -> None:
    model = Gate(ScriptedModel([*ROUNDS[:2], REPORT]))
    async with rig(tmp_path, model=model, owner="first") as engine:
        run_id = await engine.begin()
        for _ in range(2):
            await model.asked.acquire()
            model.open.release()
        await model.asked.acquire()
        blobs = engine.blobs
    model = Gate(ScriptedModel([REPORT]))
    model.open.release()
    async with rig(tmp_path, model=model, owner="second", blobs=blobs) as engine:
        row = await engine.store.flag(run_id, flag, tenant="local")
        if flag is Flag.CANCEL:
            assert row.state is RunState.CANCELLED  # the store itself ends what nobody holds
            return
        engine.runs.append(run_id)
        await engine.resume(run_id)
        told = await engine.ended(run_id)
    # The call in flight is not made again, what was lost of it is charged, and the report is written.
    assert told.sure.stop_reason == "finished_early"
    [lost] = [e for e in told.of(ModelAsked) if e.call == "gather/3/model/0"]
    paid = sum((e.usage.prompt_tokens for e in told.of(ModelAnswered)), 0)
    assert told.run.usage.prompt_tokens == paid + lost.reserved.prompt_tokens
    assert told.run.usage.model_calls == 3


# --- resume ----------------------------------------------------------------------------------


async def test_a_drained_run_goes_on_where_it_was_and_pays_for_what_was_in_flight(tmp_path: Path) -> None:
    model = Gate(ScriptedModel(ROUNDS))
    async with rig(tmp_path, model=model, owner="first") as engine:
        run_id = await engine.begin()
        await model.asked.acquire()
        model.open.release()
        await model.asked.acquire()
    again = ScriptedModel(ROUNDS[1:])
    async with rig(tmp_path, model=again, owner="second", blobs=engine.blobs) as engine:
        assert (await engine.store.get(run_id, tenant="local")).state is RunState.QUEUED
        engine.runs.append(run_id)
        await engine.resume(run_id)
        told = await engine.ended(run_id)
    assert again.calls == 3
    assert len(told.of(RunHandedOver)) == len(told.of(RunResumed)) == 1
    reserved = told.of(ModelAsked)[1].reserved
    paid = sum((e.usage.completion_tokens for e in told.of(ModelAnswered)), 0)
    assert told.run.usage.completion_tokens == paid + reserved.completion_tokens
    assert told.sure.answer


async def test_what_cannot_be_done_twice_has_an_unknown_outcome(tmp_path: Path) -> None:
    began, done = asyncio.Event(), []

    async def work(arguments: Mapping[str, Json]) -> ToolResult:
        done.append(arguments["n"])
        began.set()
        await asyncio.Event().wait()
        return ToolResult(value="never")

    tool = PageTool(work, idempotent=False)
    async with rig(tmp_path, [VISIT, acts(1)], tools=[tool], owner="first") as engine:
        run_id = await engine.begin()
        await began.wait()
    model = ScriptedModel([ANSWER, REPORT])
    async with rig(tmp_path, model=model, tools=[tool], owner="second", blobs=engine.blobs) as engine:
        engine.runs.append(run_id)
        await engine.resume(run_id)
        told = await engine.ended(run_id)
    assert done == [1]
    assert told.of(ToolAnswered)[-1].failure.code == "unknown_outcome"
    assert "unknown_outcome" in model.requests[0].messages[-1].content


async def test_entries_are_written_once_though_the_worker_leaves_midway(tmp_path: Path) -> None:
    """A drain that comes while an append is under way must neither lose nor repeat its entries."""
    async with rig(tmp_path, owner="first") as engine:
        append = engine.store._store.append
        midway, go_on = asyncio.Event(), asyncio.Event()

        async def slow(run_id: str, fence: int, entries: Any) -> int:
            last = await append(run_id, fence, entries)
            if any(isinstance(e.event, ModelAsked) and e.event.call.startswith("gather/3/") for e in entries):
                midway.set()
                await go_on.wait()  # it is written, and the worker does not know it yet
            return last

        engine.store._store.append = slow  # type: ignore[method-assign]  # the store takes its time
        run_id = await engine.begin()
        await midway.wait()
        asyncio.get_running_loop().call_later(0.05, go_on.set)
    async with rig(tmp_path, ROUNDS[2:], owner="second", blobs=engine.blobs) as second:
        second.runs.append(run_id)
        await second.resume(run_id)
        told = await second.ended(run_id)
    outcomes = [e.call for e in [*told.of(ModelAnswered), *told.of(ToolAnswered)]]
    assert len(outcomes) == len(set(outcomes))
    stored = [(e.call, e.source.id) for e in told.of(SourceStored)]
    assert len(stored) == len(set(stored))
    seen = [r.seq for _, r in (*engine.observer.records, *second.observer.records)]
    assert seen == [r.seq for r in told.records]


# --- stores that fail ------------------------------------------------------------------------


async def test_a_store_that_is_away_is_waited_for(tmp_path: Path) -> None:
    async with rig(tmp_path, clock=fake_auto()) as engine:
        left = [4]

        def away(entries: Any) -> StoreUnavailable | None:
            if any(isinstance(e.event, ToolAnswered) for e in entries) and left[0]:
                left[0] -= 1
                return StoreUnavailable("away")
            return None

        engine.store.fails = away
        told = await engine.ask()
    assert left == [0]
    assert told.sure.answer


def fake_auto() -> Any:
    """Return a clock whose short sleeps return at once; a worker's beats wait."""
    clock = fake_clock()
    sleep = clock.sleep

    async def short(seconds: float) -> None:
        if seconds <= 2.0:
            clock.slept.append(seconds)
            await asyncio.sleep(0)
        else:
            await sleep(seconds)

    clock.sleep = short  # type: ignore[method-assign]  # see above
    return clock


async def test_no_paid_call_begins_after_the_lease_ran_out_until_it_is_confirmed(tmp_path: Path) -> None:
    clock = fake_clock()
    model = Gate(ScriptedModel(ROUNDS))
    async with rig(tmp_path, model=model, clock=clock, lease=30.0, monotonic=clock.monotonic) as engine:
        engine.store.beats = lambda: StoreUnavailable("away")
        run_id = await engine.begin()
        await model.asked.acquire()
        await clock.advance(31.0)  # three beats failed: the lease ran out
        model.open.release()
        for _ in range(50):
            await asyncio.sleep(0.002)
        assert model.asked.locked()  # nothing more was asked
        engine.store.beats = lambda: None
        for _ in range(3):
            model.open.release()
        await clock.advance(10.0)
        async with asyncio.timeout(15):
            told = await engine.ended(run_id)
    assert told.sure.answer


async def test_a_run_that_another_worker_took_is_dropped_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = fake_clock()
    model = Gate(ScriptedModel(ROUNDS))
    caplog.set_level(logging.WARNING, "leadline.worker")
    async with rig(tmp_path, model=model, clock=clock, lease=0.3) as engine:
        run_id = await engine.begin()
        await model.asked.acquire()
        await asyncio.sleep(0.35)
        other = await engine.store.claim("other", lease=30.0, engines=("1",), run_id=run_id)
        assert other is not None
        await clock.advance(0.11)  # one beat
        with within(1), pytest.raises(LeaseLost):
            await engine.worker.wait(run_id)
        told = await engine.told(run_id)
    assert told.run.owner == "other"
    assert told.run.state is RunState.RUNNING
    assert [e.type for e in (r.event for r in told.records)][-1] == "run_resumed"
    assert [record.message for record in caplog.records] == ["run_lost"]


async def test_a_zombies_outcome_is_refused(tmp_path: Path) -> None:
    model = Gate(ScriptedModel(ROUNDS))
    async with rig(tmp_path, model=model, lease=0.3, clock=fake_clock()) as engine:
        run_id = await engine.begin()
        await model.asked.acquire()
        await asyncio.sleep(0.35)
        assert await engine.store.claim("other", lease=30.0, engines=("1",), run_id=run_id)
        before = await engine.store.records(run_id)
        model.open.release()
        with pytest.raises(LeaseLost):
            await engine.worker.wait(run_id)
        assert await engine.store.records(run_id) == before


@pytest.mark.parametrize("where", ["journal", "blobs"])
async def test_a_full_store_is_told_and_the_run_can_go_on(tmp_path: Path, where: str) -> None:
    async with rig(tmp_path, owner="first", lease=0.3, clock=fake_clock()) as engine:
        put = engine.blobs.put

        async def full(tenant: str, data: bytes) -> str:
            raise StoreFull("no space left")

        if where == "blobs":
            engine.blobs.put = full  # type: ignore[method-assign]  # the disk is full
        else:
            sources = (SourceStored, ToolAnswered)
            engine.store.fails = lambda entries: (
                StoreFull("no space left") if any(isinstance(e.event, sources) for e in entries) else None
            )
        run_id = await engine.begin()
        with pytest.raises(StoreFull):
            await engine.worker.wait(run_id)
        assert (await engine.told(run_id)).run.state is RunState.RUNNING
        engine.blobs.put = put  # type: ignore[method-assign]  # somebody tidied up
    script = ROUNDS[1:] if where == "journal" else ROUNDS[2:]
    async with rig(tmp_path, script, owner="second", blobs=engine.blobs) as engine:
        engine.runs.append(run_id)
        async with asyncio.timeout(15):
            while (claimed := await engine.store.claim("second", lease=30.0, engines=("1",), run_id=run_id)) is None:
                await engine.store.changed(-1, timeout=0.0)  # a lease's end wakes nobody
        engine.worker.take(claimed)
        told = await engine.ended(run_id)
    assert told.sure.answer
    asked = [e.call for e in [*told.of(ModelAsked), *told.of(ToolAsked)]]
    assert len(asked) == len(set(asked))


async def test_a_worker_of_the_queue_waits_until_a_full_store_has_room(tmp_path: Path) -> None:
    refused = 0

    def full(entries: Sequence[Entry]) -> StoreError | None:
        nonlocal refused
        if refused >= 3 or not any(isinstance(entry.event, ToolAnswered) for entry in entries):
            return None
        refused += 1
        return StoreFull("no space left")

    async with rig(tmp_path) as engine:
        engine.store.fails = full
        told = await engine.ended(await engine.begin(patient=True))
    assert refused == 3
    assert told.sure.answer
    assert len(told.of(ToolAsked)) == len(told.of(ToolAnswered))


async def test_two_runs_of_one_worker_do_not_meet(tmp_path: Path) -> None:
    async with rig(tmp_path) as engine:
        ids = [await engine.begin(WITHOUT) for _ in range(5)]
        told = [await engine.ended(run_id) for run_id in ids]
    assert len({t.text for t in told}) == 1
