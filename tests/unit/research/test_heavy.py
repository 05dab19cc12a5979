from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.engine import QUESTION, WITH_MODEL, rig
from tests.support.plans import ANGLES, Roles, asked_of, gathered, role_of

from leadline.domain import Budget, ModelRequest, RunState, StopReason, StrategyName, ToolCall, Verdict
from leadline.errors import ModelUnavailable
from leadline.events import ModelAsked, PlanMade
from leadline.testing import ScriptedModel

HEAVY = replace(WITH_MODEL, strategy=StrategyName.HEAVY, researchers=3)


def pages_by_angle(request: ModelRequest) -> Any:
    """Let each researcher read other pages: the first one two, the others one that the first read as well."""
    turns = sum(message.role == "assistant" for message in request.messages)
    if turns == 0:
        return ToolCall(name="search", arguments={"query": "Eddystone"}, id="s")
    if turns == 1:
        asked = asked_of(request)
        mine = ["https://one.test/", "https://three.test/"]
        mine = ["https://three.test/"] if ANGLES[0] in asked else ["https://two.test/"] if ANGLES[1] in asked else mine
        return ToolCall(name="visit", arguments={"url": mine}, id="v")
    return f"<answer>I am sure of {len(asked_of(request))}. See [1].</answer>"


async def test_researchers_work_from_angles_and_one_report_is_fused(tmp_path: Path) -> None:
    roles = Roles(gather=pages_by_angle)
    model = ScriptedModel(roles)
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask(HEAVY)
    report = told.sure
    assert (report.strategy, report.stop_reason) == ("heavy", StopReason.ANSWERED)
    assert {claim.verdict for claim in report.claims} == {Verdict.SUPPORTED}
    assert [step.text for step in told.of(PlanMade)[0].plan.steps] == list(ANGLES)
    asked = {asked_of(r).split("<<")[0] for r in model.requests if role_of(r) == "gather"}
    assert len(asked) == 3
    assert roles.asked.count("fuse") == 1
    seeds = {r.seed for r in model.requests if role_of(r) == "gather" and len(r.messages) == 2}
    assert len(seeds) == 3


async def test_the_overlap_of_what_was_read_is_told(tmp_path: Path) -> None:
    async with rig(tmp_path, model=ScriptedModel(Roles(gather=pages_by_angle))) as engine:
        told = await engine.ask(HEAVY)
    assert [(part.addresses, part.shared) for part in told.sure.parts] == [(2, 1), (1, 1), (1, 0)]
    assert told.sure.parts[0].question == QUESTION
    assert "Researchers side by side: 3. Pages that they read: 3, by more than one: 1." in told.sure.notes


async def test_conclusions_stand_beside_the_excerpts_and_name_them_as_the_ledger_does(tmp_path: Path) -> None:
    model = ScriptedModel(Roles(gather=pages_by_angle))
    async with rig(tmp_path, model=model) as engine:
        await engine.ask(HEAVY)
    [fused] = [r.messages[-1].content for r in model.requests if role_of(r) == "fuse"]
    lines = [line for line in fused.splitlines() if line.startswith("Researcher ")]
    assert [line.split("See ")[1] for line in lines] == ["[1].", "[2].", "[3]."]


async def test_one_dead_researcher_costs_only_its_own_evidence(tmp_path: Path) -> None:
    def gather(request: ModelRequest) -> Any:
        return ModelUnavailable("down") if ANGLES[0] in asked_of(request) else pages_by_angle(request)

    async with rig(tmp_path, model=ScriptedModel(Roles(gather=gather))) as engine:
        told = await engine.ask(HEAVY)
    assert (told.run.failure, told.sure.stop_reason) == (None, StopReason.ANSWERED)
    assert "Researcher 2 ended early (down); what the others found was used." in told.sure.notes
    assert [part.sources for part in told.sure.parts] == [2, 0, 1]


async def test_all_dead_researchers_leave_the_documents(tmp_path: Path) -> None:
    down = ModelUnavailable("down")
    async with rig(tmp_path, model=ScriptedModel(Roles(gather=lambda r: down, angles=down))) as engine:
        told = await engine.ask(HEAVY)
    assert (told.run.state, told.sure.stop_reason) == (RunState.DONE, StopReason.ERROR)
    assert "1698" in told.text


async def test_without_angles_of_the_model_there_are_others(tmp_path: Path) -> None:
    async with rig(tmp_path, model=ScriptedModel(Roles(angles="rubbish"))) as engine:
        told = await engine.ask(HEAVY)
    assert [len(made.plan.steps) for made in told.of(PlanMade)] == [2]


@pytest.mark.parametrize(("steps", "count"), [(3, 2), (30, 4)])
async def test_researchers_are_as_many_as_steps_allow(tmp_path: Path, steps: int, count: int) -> None:
    wished = replace(HEAVY, researchers=4, budget=Budget(steps=steps))
    async with rig(tmp_path, model=ScriptedModel(Roles())) as engine:
        told = await engine.ask(wished)
    assert len(told.sure.parts) == count
    gathering = {
        (r.branch, r.event.call.split("/")[1])
        for r in told.records
        if isinstance(r.event, ModelAsked) and not r.branch.startswith("write")
    }
    assert len(gathering) <= steps


async def test_a_small_window_lets_researchers_fold(tmp_path: Path) -> None:
    async with rig(tmp_path, model=ScriptedModel(Roles())) as engine:
        told = await engine.ask(replace(HEAVY, window=8_000))
    assert told.sure.stop_reason == StopReason.ANSWERED


async def test_it_takes_about_as_long_as_one_researcher(tmp_path: Path) -> None:
    """With answers of one length, waves of them are the time: no researcher's turn is answered before all have asked."""
    rounds = 7
    waves: list[str] = []

    def search_on(request: ModelRequest) -> Any:
        turns = sum(message.role == "assistant" for message in request.messages)
        if 1 < turns < rounds - 1:
            return ToolCall(name="search", arguments={"query": f"Eddystone {turns}"}, id=f"s{turns}")
        return gathered(request)

    class InWaves(ScriptedModel):
        def __init__(self, researchers: int) -> None:
            super().__init__(Roles(gather=search_on))
            self._barrier = asyncio.Barrier(researchers)

        async def complete(self, request: ModelRequest, **rest: Any) -> Any:
            role = role_of(request)
            if role != "gather" or await self._barrier.wait() == 0:
                waves.append(role)
            return await super().complete(request, **rest)

    taken = {}
    for strategy, researchers in ((StrategyName.REACT, 1), (StrategyName.HEAVY, 3)):
        folder = tmp_path / strategy
        folder.mkdir()
        waves.clear()
        async with rig(folder, model=InWaves(researchers)) as engine:
            run_id = await engine.begin(replace(HEAVY, strategy=strategy))
            await asyncio.wait_for(engine.worker.wait(run_id), 10)
            assert (await engine.told(run_id)).sure.stop_reason == StopReason.ANSWERED
        taken[strategy] = len(waves)
    assert taken == {StrategyName.REACT: rounds + 1, StrategyName.HEAVY: rounds + 2}
    assert taken[StrategyName.HEAVY] <= 1.3 * taken[StrategyName.REACT]
