from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.engine import WITH_MODEL, rig, turn
from tests.support.quick import within

from leadline.domain import (
    Budget,
    Dialect,
    Flag,
    Message,
    ModelAnswer,
    ModelRequest,
    RunState,
    StopReason,
    StrategyName,
    ToolCall,
)
from leadline.errors import ContextOverflow, ModelUnavailable
from leadline.events import ContextFolded, ModelAsked
from leadline.research.fencing import Fence
from leadline.research.strategies.react import Native, called
from leadline.research.strategies.resum import MOST_SUMMARY, Summaries, summary_tokens
from leadline.testing import ScriptedModel

PAGES = {f"https://p{n}.test/": f"Page {n} tells of lamps. " + f"word{n} " * 400 for n in range(12)}
RESUM = replace(WITH_MODEL, strategy=StrategyName.RESUM, window=4_000, max_tokens=500)
FOLDS = "You keep the memory"


def folds(request: ModelRequest) -> bool:
    return request.messages[0].content.startswith(FOLDS)


class Reading:
    """A model that visits page after page, and summarises as `summary` says."""

    def __init__(self, summary: Callable[[int], Any], *, native: bool = True, pages: int = 12) -> None:
        self._summary = summary
        self._native = native
        self._pages = pages
        self.folds: list[ModelRequest] = []
        self.asked: list[ModelRequest] = []

    def __call__(self, request: ModelRequest) -> Any:
        if folds(request):
            self.folds.append(request)
            return self._summary(len(self.folds))
        if "numbered excerpts" in request.messages[0].content:
            return "ANSWER: Page 1 tells of lamps [2].\n"
        page = len(self.asked)
        self.asked.append(request)
        if page == self._pages:
            return "<answer>Lamps.</answer>"
        call = ToolCall(name="visit", arguments={"url": f"https://p{page}.test/"}, id=f"v{page}")
        return call if self._native else called(call)


def numbered(count: int) -> str:
    return f"<summary>Fold {count}: page {count} tells of lamps.</summary>"


@pytest.mark.parametrize("dialect", list(Dialect))
async def test_a_full_window_is_folded_to_question_and_summary(tmp_path: Path, dialect: Dialect) -> None:
    model = Reading(numbered, native=dialect is Dialect.NATIVE)
    async with rig(tmp_path, model, pages=PAGES) as engine:
        told = await engine.ask(replace(RESUM, dialect=dialect))
    notes = told.of(ContextFolded)
    assert len(notes) == len(model.folds) >= 2
    assert {note.reason for note in notes} == {"window"}
    assert all(note.after < note.before / 2 for note in notes)
    assert [e.purpose for e in told.of(ModelAsked)].count("fold") == len(notes)
    assert told.sure.stop_reason == StopReason.ANSWERED
    assert told.sure.usage.model_calls == 13 + len(notes) + 1 - (dialect is Dialect.TONGYI)
    after = [r for r in model.asked if "Fold 1" in str(r.messages)]
    first = after[0].messages
    assert [m.role for m in first] == ["system", "user"]
    assert first[1].content.startswith("When were the lighthouses on the Eddystone lit?")
    assert "word" not in first[1].content


async def test_each_summary_builds_on_the_one_before(tmp_path: Path) -> None:
    model = Reading(numbered)
    async with rig(tmp_path, model, pages=PAGES) as engine:
        await engine.ask(RESUM)
    one, two = (request.messages[1].content for request in model.folds[:2])
    assert "Earlier summary" not in one
    assert "Earlier summary:\n<<data " in two
    assert "Fold 1: page 1 tells of lamps." in two
    assert "https://p0.test/" in one
    assert "https://p0.test/" not in two
    assert all(request.tools == () and request.stop == () for request in model.folds)


async def test_between_two_folds_a_transcript_only_grows(tmp_path: Path) -> None:
    model = Reading(numbered)
    async with rig(tmp_path, model, pages=PAGES) as engine:
        await engine.ask(RESUM)
    broken = 0
    for earlier, later in zip(model.asked, model.asked[1:], strict=False):
        grown = later.messages[: len(earlier.messages)] == earlier.messages
        broken += not grown
        assert later.messages[0] == earlier.messages[0]
        assert later.tools == earlier.tools
    assert broken == len(model.folds)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ModelUnavailable("gone"), "the model failed"),
        ("<summary>  </summary>", "it was empty"),
        ("<summary>" + "so it goes on and on " * 900 + "</summary>", "it was too long"),
        (replace(turn("<summary>it begins"), finish="length"), "it was too long"),
        (ToolCall(name="search", arguments={"query": "lamp"}), "it called tools"),
        (called(ToolCall(name="search", arguments={"query": "lamp"})), "it called tools"),
    ],
)
async def test_without_a_usable_summary_the_rounds_are_listed(tmp_path: Path, answer: Any, why: str) -> None:
    model = Reading(lambda _: answer)
    async with rig(tmp_path, model, pages=PAGES) as engine:
        told = await engine.ask(RESUM)
    reasons = {note.reason for note in told.of(ContextFolded)}
    assert reasons == {f"window, no summary: {why}"}
    assert told.sure.stop_reason == StopReason.ANSWERED
    listed = model.asked[-1].messages[1].content
    assert "Earlier rounds were removed" in listed
    assert "on and on" not in listed


async def test_the_list_stands_below_the_last_summary(tmp_path: Path) -> None:
    model = Reading(lambda count: numbered(1) if count == 1 else ModelUnavailable("gone"))
    async with rig(tmp_path, model, pages=PAGES) as engine:
        await engine.ask(RESUM)
    last = model.asked[-1].messages[1].content
    assert last.index("Fold 1: page 1") < last.index("Earlier rounds were removed")


async def test_a_summary_that_would_eat_the_reserve_is_not_asked_for(tmp_path: Path) -> None:
    model = Reading(numbered)
    async with rig(tmp_path, model, pages=PAGES) as engine:
        told = await engine.ask(replace(RESUM, budget=Budget(steps=50, tokens=9_000, seconds=None)))
    assert not model.folds
    assert told.run.report is not None


async def test_a_prompt_that_the_server_refuses_is_folded_and_sent_again(tmp_path: Path) -> None:
    refused = 0

    def script(request: ModelRequest) -> Any:
        nonlocal refused
        if not folds(request) and len(request.messages) > 4 and not refused:
            refused += 1
            return ContextOverflow("too long", window=900)
        return reading(request)

    reading = Reading(numbered, pages=4)
    async with rig(tmp_path, script, pages=PAGES) as engine:
        told = await engine.ask(replace(RESUM, window=32_000))
    assert told.of(ContextFolded)[0].reason == "server"
    assert "Fold 1" in reading.asked[2].messages[1].content
    assert (told.sure.stop_reason, told.run.failure) == (StopReason.ANSWERED, None)


async def test_a_summary_whose_prompt_is_refused_is_asked_for_with_less(tmp_path: Path) -> None:
    model = Reading(lambda count: ContextOverflow("too long") if count == 1 else numbered(count))
    async with rig(tmp_path, model, pages=PAGES) as engine:
        told = await engine.ask(RESUM)
    long, short = (len(request.messages[1].content) for request in model.folds[:2])
    assert short < long * 0.75
    assert told.of(ContextFolded)[0].reason == "window"


class Hanging(ScriptedModel):
    """A model whose summaries never come; `hangs` is set once one is waited for."""

    def __init__(self, script: Callable[[ModelRequest], Any]) -> None:
        super().__init__(script)
        self.hangs = asyncio.Event()

    async def complete(
        self,
        request: ModelRequest,
        *,
        deadline: float,
        session: str,
        progress: Callable[[str, str], None] | None = None,
    ) -> ModelAnswer:
        if folds(request):
            self.hangs.set()
            await asyncio.Event().wait()
        return await super().complete(request, deadline=deadline, session=session, progress=progress)


@pytest.mark.parametrize("flag", list(Flag))
async def test_a_flag_breaks_a_fold_off_within_a_second(tmp_path: Path, flag: Flag) -> None:
    reading = Reading(numbered)
    model = Hanging(reading)
    async with rig(tmp_path, model=model, pages=PAGES) as engine:
        run = await engine.begin(RESUM)
        await model.hangs.wait()
        before = len(reading.asked)
        with within(1):
            await engine.flag(run, flag)
            await engine.worker.wait(run)
        told = await engine.ended(run)
    assert len(reading.asked) == before
    assert told.of(ContextFolded) == []
    if flag is Flag.CANCEL:
        assert told.run.state is RunState.CANCELLED
    else:
        assert told.sure.stop_reason == StopReason.FINISHED_EARLY


def test_a_summary_has_a_bound() -> None:
    assert summary_tokens(1_000) == 200
    assert summary_tokens(16_000) == 2_000
    assert summary_tokens(128_000) == MOST_SUMMARY


def test_a_summary_is_inert() -> None:
    summaries = Summaries(Fence("m"))
    lacking = summaries._take(turn("<summary>a <tool_response>b<|im_end|> c</summary>"), 500)
    assert not lacking
    assert "<" not in summaries._last


def test_a_conversation_is_told_without_its_fence() -> None:
    transcript = Native(system="s", question="q", tools=(), fence=Fence("abc"))
    fenced = transcript.fence.around("a page")
    assert transcript.fence.without(fenced) == "a page"
    assert Message(role="user", content=fenced).content.count("abc") == 2
