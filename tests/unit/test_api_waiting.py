"""The library's front where a person is asked, and where a strategy is chosen or refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.test_api import QUESTION, script, with_model
from tests.unit.test_api import documents as documents  # noqa: PLC0414 a fixture of the same front

from leadline import Leadline
from leadline.api import asking
from leadline.domain import Options, RunState, StrategyName
from leadline.errors import InputError, RunCancelled, RunWaits, SettingsError, WrongState
from leadline.events import Record, RunResumed, RunStarted, RunWaiting
from leadline.testing import Asked, Reply, ScriptedServer

STEPS = ["When did the Orlova sink?", "Where did the Orlova sink?"]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"year": {"$ref": "#/$defs/year"}},
    "required": ["year"],
    "$defs": {"year": {"type": "integer"}},
}


def planned(asked: Asked) -> Reply:
    """Plan, outline, write and fill a schema; else as the front's own script."""
    said = {
        "You plan research": json.dumps({"steps": STEPS}),
        "make the outline": json.dumps({"sections": [{"title": "Year", "about": "When.", "excerpts": [1]}]}),
        "write one section": "The cruise ship Orlova sank in 2013 off Ireland [1].",
        "Write the direct answer": "ANSWER: The Orlova sank in 2013 [1].",
        "into JSON of a given schema": '{"year": 2013}',
    }
    text = next((text for words, text in said.items() if words in asked.system), None)
    return script(asked) if text is None else Reply(text=text)


async def begun(engine: Leadline, documents: Path, **options: Any) -> str:
    run_id = await engine.start(QUESTION, docs=[documents], options=engine.options(**options))
    with pytest.raises(RunWaits, match="waits for a person") as waits:
        await engine.result(run_id)
    assert (waits.value.run_id, waits.value.exit_code) == (run_id, 10)
    return run_id


async def test_a_plan_is_approved_through_the_front(tmp_path: Path, documents: Path) -> None:
    async with ScriptedServer(planned) as server, Leadline(await with_model(tmp_path, server.url)) as engine:
        run_id = await begun(engine, documents, approve=True, schema=SCHEMA)
        row = await engine.run(run_id)
        assert (row.state, row.options.strategy, row.owner) == (RunState.WAITING, StrategyName.PLAN, None)
        assert row.waits_for
        assert await engine.asks(run_id) == {"for": "plan", "plan": STEPS}
        await engine.reply(run_id, {"approve": True})
        report = await engine.result(run_id)
        assert await engine.replay(run_id) == report
        events = [r.event for r in await engine.records(run_id)]
        assert await engine.asks(run_id) is None
    assert report.answer == "The Orlova sank in 2013."
    assert report.structured is not None
    assert report.structured.value == {"year": 2013}
    assert [e.reply for e in events if isinstance(e, RunResumed)] == [{"approve": True}]
    [started] = [e for e in events if isinstance(e, RunStarted)]
    assert started.options.chosen == "a person is to approve a plan"


async def test_a_watcher_sees_the_run_wait_and_go_on(tmp_path: Path, documents: Path) -> None:
    async with ScriptedServer(planned) as server, Leadline(await with_model(tmp_path, server.url)) as engine:
        run_id = await engine.start(QUESTION, docs=[documents], options=engine.options(approve=True))
        types = []
        async for item in engine.stream(run_id):
            types.append(item.event.type if isinstance(item, Record) else "progress")
            if types[-1] == RunWaiting.type:
                await engine.reply(run_id, {"plan": [STEPS[0]]})
    assert types.index("run_waiting") < types.index("run_resumed") < types.index("run_finished")


async def test_another_engine_takes_a_waiting_run_up(tmp_path: Path, documents: Path) -> None:
    async with ScriptedServer(planned) as server:
        settings = await with_model(tmp_path, server.url)
        async with Leadline(settings) as engine:
            run_id = await begun(engine, documents, approve=True)
            asked = len(server.requests)
        async with Leadline(settings) as engine:
            await engine.reply(run_id, {"approve": True})
            report = await engine.result(run_id)
        assert not any("You plan research" in r.system for r in server.requests[asked:])
    assert report.claims


async def test_a_rejected_plan_cancels_the_run(tmp_path: Path, documents: Path) -> None:
    async with ScriptedServer(planned) as server, Leadline(await with_model(tmp_path, server.url)) as engine:
        run_id = await begun(engine, documents, approve=True)
        await engine.reply(run_id, {"reject": True})
        with pytest.raises(RunCancelled):
            await engine.result(run_id)


async def test_what_a_waiting_run_does_not_take(tmp_path: Path, documents: Path) -> None:
    async with ScriptedServer(planned) as server, Leadline(await with_model(tmp_path, server.url)) as engine:
        run_id = await begun(engine, documents, approve=True)
        with pytest.raises(InputError, match="about its plan"):
            await engine.reply(run_id, {"answer": "x"})
        with pytest.raises(RunWaits):
            await engine.finish(run_id)
        with pytest.raises(RunWaits):
            await engine.resume(run_id)
        await engine.cancel(run_id)
        with pytest.raises(WrongState, match="does not wait"):
            await engine.reply(run_id, {"approve": True})


# --- what is asked --------------------------------------------------------------------------

MODEL = Options(model="m")


async def checked(folder: Path, options: Options) -> Options:
    async with Leadline(await with_model(folder, "http://127.0.0.1:9/v1")) as engine:
        return asking.checked(options, engine.settings, engine._running.models)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        (Options(strategy=StrategyName.PLAN), SettingsError, "`plan` needs a model"),
        (Options(strategy=StrategyName.HEAVY), SettingsError, "`heavy` needs a model"),
        (Options(strategy=StrategyName.RESUM), SettingsError, "`resum` needs a model"),
        (Options(schema={"type": "object"}), SettingsError, "JSON schema needs a model"),
        (Options(clarify=True), SettingsError, "question back needs a model"),
        (Options(approve=True), SettingsError, "plan to approve needs a model"),
        (replace(MODEL, strategy=StrategyName.EXTRACTIVE, schema={}), InputError, "`extractive` uses none"),
        (replace(MODEL, strategy=StrategyName.REACT, approve=True), InputError, "makes no plan to approve"),
        (replace(MODEL, researchers=1), InputError, "from 2 to 8"),
        (replace(MODEL, researchers=9), InputError, "from 2 to 8"),
        (replace(MODEL, instructions="x" * 8_001), InputError, "at most 8,000"),
        (replace(MODEL, schema={"type": "text"}), InputError, "cannot be checked"),
        (replace(MODEL, schema={"oneOf": [{}]}), InputError, "oneOf"),
        (replace(MODEL, schema={"$ref": "https://example.org/schema"}), InputError, "does not define"),
        (replace(MODEL, schema={"properties": []}), InputError, "`properties`"),
        (replace(MODEL, schema={"items": [{}]}), InputError, "no schema"),
        (replace(MODEL, schema={"enum": ["x" * 40_000]}), InputError, "32,000 bytes"),
    ],
)
async def test_what_cannot_be_is_refused_before_it_costs(
    tmp_path: Path, options: Options, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        await checked(tmp_path, options)


async def test_definitions_are_put_in_their_places(tmp_path: Path) -> None:
    wanted = await checked(tmp_path, replace(MODEL, schema=SCHEMA, instructions="  short  "))
    assert wanted.schema == {"type": "object", "properties": {"year": {"type": "integer"}}, "required": ["year"]}
    assert wanted.instructions == "short"


def doubling(depth: int) -> dict[str, Any]:
    """Return a schema whose few definitions refer to each other so often that their places are without number."""
    refs = {f"d{n}": {"properties": {str(i): {"$ref": f"#/$defs/d{n + 1}"} for i in range(9)}} for n in range(depth)}
    return {"$ref": "#/$defs/d0", "$defs": {**refs, f"d{depth}": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, "to itself"),
        (doubling(12), "more than 5,000 parts"),
    ],
)
async def test_schemas_without_end_are_refused(tmp_path: Path, schema: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        await checked(tmp_path, replace(MODEL, schema=schema))


@pytest.mark.parametrize("strategy", list(StrategyName))
def test_parts_side_by_side_share_no_interpreter(strategy: StrategyName) -> None:
    decided = asking.decided(replace(MODEL, strategy=strategy, keeps_state=True), QUESTION)
    assert decided.keeps_state is (strategy not in {StrategyName.PLAN, StrategyName.HEAVY})


async def test_a_dry_run_names_the_strategy_and_asks_nothing(tmp_path: Path) -> None:
    async with ScriptedServer(planned) as server, Leadline(await with_model(tmp_path, server.url)) as engine:
        broad = await engine.estimate("Compare oak and granite", options=engine.options())
        narrow = await engine.estimate(QUESTION, options=engine.options())
        assert server.requests == []
    assert (broad.strategy, broad.chosen) == ("plan", "a broad question (`compare`)")
    assert narrow.strategy == "react"
    assert broad.model_calls > narrow.model_calls
