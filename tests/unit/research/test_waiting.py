"""Runs that wait for a person: let go of, answered through the journal, replayed to the byte."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.engine import QUESTION, ROUNDS, WITH_MODEL, Engine, Told, fake_clock, rig
from tests.support.plans import ANGLES, STEPS, Roles, asked_of, role_of

from leadline.domain import Budget, Flag, Json, RunState, StopReason, StrategyName
from leadline.errors import InputError, ModelUnavailable
from leadline.events import PlanMade, RunResumed, RunWaiting
from leadline.research.planning import checked_reply
from leadline.testing import ScriptedModel

APPROVE = replace(WITH_MODEL, strategy=StrategyName.PLAN, approve=True)
CLARIFY = replace(WITH_MODEL, clarify=True)
BACK = "Which Eddystone do you mean?"


async def waits(engine: Engine, options: Any = APPROVE) -> Told:
    """Begin a run and return it once it waits."""
    run_id = await engine.begin(options)
    await engine.worker.wait(run_id)
    told = await engine.told(run_id)
    assert told.run.state is RunState.WAITING, told.run
    assert not engine.worker.holds(run_id)
    return told


async def answer(engine: Engine, reply: Mapping[str, Json], run_id: str = "run-0") -> Told:
    """Answer a run and carry it to its end, and over its record once more."""
    await engine.store.reply(run_id, reply, tenant="local")
    await engine.resume(run_id)
    return await engine.ended(run_id)


async def test_a_plan_waits_for_approval_and_goes_on_where_it_was(tmp_path: Path) -> None:
    roles = Roles()
    async with rig(tmp_path, model=ScriptedModel(roles)) as engine:
        told = await waits(engine)
        assert (told.run.owner, told.run.lease_until) == (None, None)
        assert told.run.waits_for == "Research begins once this plan is approved."
        assert told.of(RunWaiting)[0].asks == {"for": "plan", "plan": list(STEPS)}
        assert told.types[-2:] == ["plan_made", "run_waiting"]
        assert roles.asked == ["plan"]
        told = await answer(engine, {"approve": True})
    assert told.sure.stop_reason == StopReason.ANSWERED
    assert roles.asked.count("plan") == 1
    assert len(told.of(PlanMade)) == 1
    assert [event.reply for event in told.of(RunResumed)] == [{"approve": True}]


async def test_an_edited_plan_is_the_one_that_is_researched(tmp_path: Path) -> None:
    roles = Roles()
    async with rig(tmp_path, model=ScriptedModel(roles)) as engine:
        await waits(engine)
        told = await answer(engine, {"plan": [STEPS[1]]})
    assert [[s.text for s in made.plan.steps] for made in told.of(PlanMade)] == [list(STEPS), [STEPS[1]]]
    assert [part.question for part in told.sure.parts] == [STEPS[1]]


@pytest.mark.parametrize("reply", [{"reject": True}, {}, {"plan": []}, {"approve": "yes"}, {"plan": 3}])
async def test_what_does_not_approve_ends_the_run(tmp_path: Path, reply: dict[str, Json]) -> None:
    async with rig(tmp_path, model=ScriptedModel(Roles())) as engine:
        await waits(engine)
        await engine.store.reply("run-0", reply, tenant="local")
        await engine.resume("run-0")
        await engine.worker.wait("run-0")
        assert (await engine.told("run-0")).run.state is RunState.CANCELLED


async def test_a_plan_that_failed_is_approved_as_one_question(tmp_path: Path) -> None:
    async with rig(tmp_path, model=ScriptedModel(Roles(plan="rubbish"))) as engine:
        told = await waits(engine)
        assert told.of(RunWaiting)[0].asks["plan"] == [QUESTION]
        told = await answer(engine, {"approve": True})
    assert told.sure.claims


async def test_the_angles_of_heavy_can_be_approved(tmp_path: Path) -> None:
    async with rig(tmp_path, model=ScriptedModel(Roles())) as engine:
        told = await waits(engine, replace(APPROVE, strategy=StrategyName.HEAVY))
        assert told.of(RunWaiting)[0].asks["plan"] == list(ANGLES)
        told = await answer(engine, {"plan": [ANGLES[0]]})
    assert len(told.sure.parts) == 2


async def test_taken_up_without_an_answer_it_waits_again(tmp_path: Path) -> None:
    roles = Roles()
    async with rig(tmp_path, model=ScriptedModel(roles)) as engine:
        await waits(engine)
        await engine.resume("run-0")
        await engine.worker.wait("run-0")
        assert (await engine.told("run-0")).run.state is RunState.WAITING
        told = await answer(engine, {"approve": True})
    assert len(told.of(RunWaiting)) == 2
    assert roles.asked.count("plan") == 1


async def test_another_process_goes_on(tmp_path: Path) -> None:
    async with rig(tmp_path, model=ScriptedModel(Roles())) as first:
        await waits(first)
        blobs = first.blobs
    roles = Roles()
    async with rig(tmp_path, model=ScriptedModel(roles), owner="other", blobs=blobs) as engine:
        told = await answer(engine, {"approve": True})
    assert "plan" not in roles.asked
    assert told.sure.claims


async def test_cancelling_a_waiting_run_ends_it_at_once(tmp_path: Path) -> None:
    async with rig(tmp_path, model=ScriptedModel(Roles())) as engine:
        await waits(engine)
        await engine.flag("run-0", Flag.CANCEL)
        told = await engine.told("run-0")
    assert told.run.state is RunState.CANCELLED
    assert told.types[-1] == "run_finished"


async def test_a_cancel_while_the_run_begins_to_wait_ends_it(tmp_path: Path) -> None:
    async with rig(tmp_path, model=ScriptedModel(Roles())) as engine:
        run_id = await engine.begin(APPROVE)
        await engine.flag(run_id, Flag.CANCEL)  # the worker is not told: only the store knows
        await engine.worker.wait(run_id)
        assert (await engine.told(run_id)).run.state is RunState.CANCELLED


async def test_seconds_do_not_count_while_it_waits(tmp_path: Path) -> None:
    clock = fake_clock()
    options = replace(APPROVE, budget=Budget(seconds=600.0))
    async with rig(tmp_path, model=ScriptedModel(Roles()), clock=clock, monotonic=clock.monotonic) as engine:
        await waits(engine, options)
        told = await engine.told("run-0")
    # The store's clock writes `run_resumed`, so a day of waiting is told by moving the record's own times.
    from leadline.events import Record  # noqa: PLC0415 used by this test alone
    from leadline.research.history import Timeline  # noqa: PLC0415 as above

    day = 86_400.0
    timeline = Timeline()
    for record in told.records:
        timeline.see(record)
    last = told.records[-1]
    resumed = RunResumed(owner="w", attempt=0, engine="1", reply={"approve": True})
    timeline.see(Record(seq=last.seq + 1, at=last.at + day, branch="", event=resumed))
    assert timeline.held(last.at + day + 5.0) < 60.0


# --- a question back ------------------------------------------------------------------------


def clarifying(**roles: Any) -> Roles:
    return Roles(clarify=json.dumps({"question": BACK}), **roles)


async def test_one_question_may_be_asked_back(tmp_path: Path) -> None:
    model = ScriptedModel(clarifying())
    async with rig(tmp_path, model=model) as engine:
        told = await waits(engine, CLARIFY)
        assert told.run.waits_for == BACK
        assert told.of(RunWaiting)[0].asks == {"for": "question", "question": BACK}
        told = await answer(engine, {"answer": "The one off Plymouth."})
    assert told.sure.question == QUESTION
    asked = next(asked_of(r) for r in model.requests if role_of(r) == "gather")
    assert asked.startswith(f"{QUESTION}\n\n{BACK}\nThe one off Plymouth.")
    assert [role_of(r) for r in model.requests].count("clarify") == 1


async def test_an_empty_answer_changes_nothing(tmp_path: Path) -> None:
    model = ScriptedModel(clarifying())
    async with rig(tmp_path, model=model) as engine:
        await waits(engine, CLARIFY)
        await answer(engine, {"answer": ""})
    assert BACK not in next(asked_of(r) for r in model.requests if role_of(r) == "gather")


@pytest.mark.parametrize("said", ['{"question": ""}', "no idea", '{"question": 7}', ModelUnavailable("down")])
async def test_a_model_that_asks_nothing_is_not_waited_for(tmp_path: Path, said: Any) -> None:
    async with rig(tmp_path, model=ScriptedModel(Roles(clarify=said))) as engine:
        told = await engine.ask(CLARIFY)
    assert told.of(RunWaiting) == []
    assert told.sure.stop_reason == StopReason.ANSWERED


async def test_question_and_plan_are_answered_one_after_the_other(tmp_path: Path) -> None:
    async with rig(tmp_path, model=ScriptedModel(clarifying())) as engine:
        await waits(engine, replace(APPROVE, clarify=True))
        await engine.store.reply("run-0", {"answer": "Off Plymouth."}, tenant="local")
        await engine.resume("run-0")
        await engine.worker.wait("run-0")
        told = await engine.told("run-0")
        assert told.run.state is RunState.WAITING
        assert [event.asks["for"] for event in told.of(RunWaiting)] == ["question", "plan"]
        told = await answer(engine, {"approve": True})
    assert told.sure.claims


async def test_without_the_option_nothing_is_asked_back(tmp_path: Path) -> None:
    async with rig(tmp_path, ROUNDS) as engine:
        told = await engine.ask()
    assert told.of(RunWaiting) == []


# --- replies --------------------------------------------------------------------------------

PLAN_ASKS: dict[str, Json] = {"for": "plan", "plan": ["a"]}
QUESTION_ASKS: dict[str, Json] = {"for": "question", "question": "which?"}


@pytest.mark.parametrize(
    ("reply", "asks", "kept"),
    [
        ({"approve": True, "more": 1}, PLAN_ASKS, {"approve": True}),
        ({"reject": True}, PLAN_ASKS, {"reject": True}),
        ({"plan": [" a ", "b", "A"]}, PLAN_ASKS, {"plan": ["a", "b"]}),
        ({"answer": " this "}, QUESTION_ASKS, {"answer": "this"}),
        ({"answer": ""}, QUESTION_ASKS, {"answer": ""}),
    ],
)
def test_replies_are_kept_as_they_count(reply: dict[str, Json], asks: dict[str, Json], kept: dict[str, Json]) -> None:
    assert checked_reply(reply, asks) == kept


@pytest.mark.parametrize(
    ("reply", "asks"),
    [
        ({}, PLAN_ASKS),
        ({"answer": "x"}, PLAN_ASKS),
        ({"approve": "true"}, PLAN_ASKS),
        ({"plan": []}, PLAN_ASKS),
        ({"plan": ["a"] * 9}, PLAN_ASKS),
        ({"plan": ["x" * 401]}, PLAN_ASKS),
        ({"plan": [1]}, PLAN_ASKS),
        ({"approve": True}, QUESTION_ASKS),
        ({"answer": "x" * 4_001}, QUESTION_ASKS),
        ({"answer": 3}, QUESTION_ASKS),
    ],
)
def test_replies_to_something_else_are_refused(reply: dict[str, Json], asks: dict[str, Json]) -> None:
    with pytest.raises(InputError):
        checked_reply(reply, asks)
