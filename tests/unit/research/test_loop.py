from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.engine import ANSWER, PAGES, REPORT, ROUNDS, SEARCH, VISIT, WITH_MODEL, PageTool, rig, turn

from leadline.cpu import InlineCpu
from leadline.domain import Dialect, Json, StopReason, ToolCall, ToolResult
from leadline.errors import ContextOverflow, ModelBroken
from leadline.events import ContextFolded, ToolAsked
from leadline.research.loop import CALLS_A_TURN, PATIENCE
from leadline.testing import ScriptedModel


def searches(count: int) -> list[ToolCall]:
    return [ToolCall(name="search", arguments={"query": f"lamp {n}"}, id=f"s{n}") for n in range(count)]


async def test_malformed_calls_go_back_to_the_model(tmp_path: Path) -> None:
    model = ScriptedModel(["<tool_call>{oops</tool_call>", *ROUNDS])
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask()
    assert model.requests[1].messages[-1].content.startswith("Error (broken_call): ")
    assert told.sure.stop_reason == StopReason.ANSWERED


async def test_a_broken_call_among_good_ones_is_named(tmp_path: Path) -> None:
    both = '<tool_call>{"name": "search", "arguments": {"query": "lamp"}}</tool_call><tool_call>oops</tool_call>'
    model = ScriptedModel([both, *ROUNDS[1:]])
    async with rig(tmp_path, model=model) as engine:
        await engine.ask(replace(WITH_MODEL, dialect=Dialect.TAGS))
    last = model.requests[1].messages[-1]
    assert "<tool_response>" in last.content
    assert "Error (malformed_call): " in last.content
    assert model.requests[1].messages[-2].role == "assistant"


async def test_wrong_arguments_and_unknown_tools_are_told(tmp_path: Path) -> None:
    wrong = turn(
        "",
        ToolCall(name="search", arguments={"nonsense": 1}, id="w"),
        ToolCall(name="fly", arguments={}, id="f"),
    )
    model = ScriptedModel([wrong, *ROUNDS])
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask()
    one, two = model.requests[1].messages[-2:]
    assert one.content.splitlines()[1].startswith("Error (invalid_arguments): ")
    assert "query" in one.content
    assert two.content == "Error (unknown_tool): there is no tool `fly`. Tools: search, visit."
    assert [e.tool for e in told.of(ToolAsked)].count("fly") == 0


async def test_a_repeated_call_is_refused(tmp_path: Path) -> None:
    model = ScriptedModel([SEARCH, replace(SEARCH, id="again"), VISIT, ANSWER, REPORT])
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask()
    assert (
        model.requests[2].messages[-1].content.startswith("Error (repeated_call): this very call was made in round 1")
    )
    assert [e.tool for e in told.of(ToolAsked)] == ["search", "visit"]


async def test_a_model_that_repeats_itself_is_stopped(tmp_path: Path) -> None:
    model = ScriptedModel([VISIT, *[replace(VISIT, id=f"v{n}") for n in range(PATIENCE)], REPORT])
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask()
    assert model.calls == PATIENCE + 2
    assert "The model repeated itself" in told.text
    assert told.sure.answer == "The first lighthouse was lit in 1698."


async def test_too_many_calls_of_one_turn_are_told(tmp_path: Path) -> None:
    calls = searches(CALLS_A_TURN + 2)
    model = ScriptedModel([turn("", *calls), *ROUNDS[1:]])
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask()
    answers = model.requests[1].messages[-len(calls) :]
    assert [m.call_id for m in answers] == [call.id for call in calls]
    assert [m.content.startswith("Error (too_many_calls): only 8 calls") for m in answers] == [False] * 8 + [True] * 2
    assert [e.tool for e in told.of(ToolAsked)].count("search") == CALLS_A_TURN


async def test_a_full_window_is_folded_before_it_overflows(tmp_path: Path) -> None:
    pages = {f"https://p{n}.test/": f"Page {n} tells of lamps. " + f"word{n} " * 400 for n in range(12)}
    visits = [ToolCall(name="visit", arguments={"url": uri}, id=uri) for uri in pages]
    model = ScriptedModel([*visits, ANSWER, "ANSWER: Page 1 tells of lamps [2].\n"])
    async with rig(tmp_path, model=model, pages=pages) as engine:
        told = await engine.ask(replace(WITH_MODEL, window=3_000, max_tokens=500))
    folds = told.of(ContextFolded)
    assert folds
    assert all(fold.reason == "window" and fold.after < fold.before for fold in folds)
    assert told.sure.stop_reason == StopReason.ANSWERED
    digest = model.requests[12].messages[1].content
    assert "Earlier rounds were removed" in digest
    assert "https://p1.test/" in digest


async def test_a_long_observation_is_cut_beside_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: dict[str, int] = {}
    run = InlineCpu.run

    async def noted(self: InlineCpu, function: Any, /, *arguments: object, size: int = 0) -> Any:
        sizes[function.__name__] = size
        return await run(self, function, *arguments, size=size)

    monkeypatch.setattr(InlineCpu, "run", noted)

    async def long(_: Mapping[str, Json]) -> ToolResult:
        return ToolResult(value="The lamp was lit in 1759. " + "Nothing else is known. " * 4_000)

    model = ScriptedModel([ToolCall(name="act", arguments={"n": 1}, id="a"), ANSWER])
    async with rig(tmp_path, model=model, tools=[PageTool(long)]) as engine:
        await engine.ask(replace(WITH_MODEL, window=3_000, max_tokens=500))
    assert sizes["cut"] > 90_000
    assert len(model.requests[1].messages[-1].content) < 3_000


async def test_an_overflow_that_only_the_server_knew_of_is_folded_and_goes_on(tmp_path: Path) -> None:
    visits = [ToolCall(name="visit", arguments={"url": uri}, id=uri) for uri in PAGES]
    script: list[Any] = [*visits, ContextOverflow("too long", window=700), ANSWER, REPORT]
    async with rig(tmp_path, script) as engine:
        told = await engine.ask()
    assert told.of(ContextFolded)[0].reason == "server"
    assert (told.sure.stop_reason, told.run.failure) == (StopReason.ANSWERED, None)


async def test_a_window_that_is_too_small_for_anything_ends_in_a_report(tmp_path: Path) -> None:
    async with rig(tmp_path, lambda request: ContextOverflow("too long")) as engine:
        told = await engine.ask()
    assert told.sure.stop_reason == StopReason.ERROR
    assert told.run.failure is not None
    assert told.run.failure.code == "context_overflow"
    assert "1698" in told.text


@pytest.mark.parametrize("count", [1, 2])
async def test_broken_answers_are_asked_for_once_more(tmp_path: Path, count: int) -> None:
    script: list[Any] = [SEARCH, *[ModelBroken("rubbish")] * count, *ROUNDS[1:]]
    async with rig(tmp_path, script) as engine:
        told = await engine.ask()
    assert told.sure.stop_reason == (StopReason.ANSWERED if count == 1 else StopReason.ERROR)


async def test_an_answer_without_evidence_is_no_report(tmp_path: Path) -> None:
    async with rig(tmp_path, ["<answer>I just know: 1700.</answer>"]) as engine:
        told = await engine.ask()
    assert told.sure.stop_reason == StopReason.NOTHING_FOUND
    assert told.sure.claims == ()
    assert "1700" not in told.text
