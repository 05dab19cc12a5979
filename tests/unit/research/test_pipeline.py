from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.engine import (
    ANSWER,
    PAGES,
    QUESTION,
    REPORT,
    ROUNDS,
    SEARCH,
    VISIT,
    WITH_MODEL,
    WITHOUT,
    Gate,
    PageTool,
    budget,
    rig,
    turn,
)
from tests.support.quick import within

from leadline.domain import (
    Dialect,
    Flag,
    ModelRequest,
    NotRead,
    Options,
    Policy,
    Price,
    RunState,
    StopReason,
    StrategyName,
    ToolCall,
    Verdict,
)
from leadline.errors import (
    ContextOverflow,
    ModelDenied,
    ModelError,
    ModelUnavailable,
    NotFound,
    ProviderUnavailable,
    ToolStop,
)
from leadline.events import ClaimChecked, ModelAnswered, ModelAsked, RunFinished, SourceStored, ToolAnswered
from leadline.ports import Found, Query
from leadline.research.strategies.react import called
from leadline.testing import CannedSearch, ScriptedModel


async def test_a_model_searches_reads_and_writes(tmp_path: Path) -> None:
    async with rig(tmp_path) as engine:
        told = await engine.ask()
    assert (told.run.state, told.sure.stop_reason) == (RunState.DONE, StopReason.ANSWERED)
    assert told.sure.answer == "The first lighthouse was lit in 1698."
    assert {claim.verdict for claim in told.sure.claims} == {Verdict.SUPPORTED}
    assert told.sure.models == ("scripted",)
    assert [e.purpose for e in told.of(ModelAsked)] == ["gather", "gather", "gather", "write"]
    assert told.types[-1] == "run_finished"
    assert told.types.count("run_finished") == 1
    assert told.run.usage.model_calls == 4
    assert told.run.usage.tool_calls == {"search": 1, "visit": 1}


async def test_without_a_model_sentences_are_quoted(tmp_path: Path) -> None:
    async with rig(tmp_path) as engine:
        told = await engine.ask(WITHOUT)
    assert told.of(ModelAsked) == []
    assert "No language model wrote this report" in told.text
    assert {claim.verdict for claim in told.sure.claims} == {Verdict.SUPPORTED}
    assert told.sure.claims


# --- models that fail ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        ModelUnavailable("model server m cannot be reached"),
        ModelDenied("model server m refuses the key"),
        ModelError("model server m refuses the request"),
    ],
)
async def test_without_any_answer_the_report_comes_from_the_documents(tmp_path: Path, error: ModelError) -> None:
    async with rig(tmp_path, lambda request: error) as engine:
        told = await engine.ask()
    assert (told.run.state, told.sure.stop_reason) == (RunState.DONE, StopReason.ERROR)
    assert told.run.failure is not None
    assert (told.run.failure.code, told.run.failure.message) == (error.code, str(error))
    assert f"did not answer ({error})" in told.text
    assert "1698" in told.text
    assert told.sure.models == ()


async def test_a_model_that_fails_after_three_rounds_loses_nothing(tmp_path: Path) -> None:
    visit = [ToolCall(name="visit", arguments={"url": uri}, id=uri) for uri in PAGES]
    down = ModelUnavailable("down")
    async with rig(tmp_path, [*visit, down, down]) as engine:
        told = await engine.ask()
    assert told.sure.stop_reason == StopReason.ERROR
    assert told.sure.claims
    assert {e.source.uri for e in told.of(SourceStored)} == set(PAGES)


async def test_one_failure_is_forgiven(tmp_path: Path) -> None:
    async with rig(tmp_path, [SEARCH, ModelUnavailable("busy"), *ROUNDS[1:]]) as engine:
        told = await engine.ask()
    assert (told.sure.stop_reason, told.run.failure) == (StopReason.ANSWERED, None)
    assert told.sure.models == ("scripted",)


async def test_a_model_that_fails_at_writing_is_told_so(tmp_path: Path) -> None:
    async with rig(tmp_path, [*ROUNDS[:3], ModelUnavailable("gone")]) as engine:
        told = await engine.ask()
    assert told.sure.stop_reason == StopReason.ERROR
    assert "did not answer (gone)" in told.text
    assert "1698" in told.text


@pytest.mark.parametrize("rubbish", ["", "<think>never ends", "<tool_call>{{{</tool_call>"])
async def test_a_model_that_talks_rubbish_is_a_model_that_failed(tmp_path: Path, rubbish: str) -> None:
    async with rig(tmp_path, lambda request: rubbish) as engine:
        told = await engine.ask()
    assert told.sure.stop_reason == StopReason.ERROR
    assert told.run.failure is not None
    assert told.run.failure.code == "model_broken"
    assert "1698" in told.text


@pytest.mark.parametrize("empty", ["", "## Only a title", "<tool_call>{}</tool_call>"])
async def test_a_writer_that_writes_nothing_is_replaced(tmp_path: Path, empty: str) -> None:
    async with rig(tmp_path, [*ROUNDS[:3], empty]) as engine:
        told = await engine.ask()
    assert "1698" in told.text
    assert told.sure.claims


async def test_a_writer_whose_server_takes_less_gets_less(tmp_path: Path) -> None:
    pages = {f"https://p{i}.test/": f"Lamp {i} on the Eddystone was lit. " + f"word{i} " * 900 for i in range(8)}
    visit = ToolCall(name="visit", arguments={"url": list(pages)}, id="v")
    script: list[Any] = [visit, ANSWER, ContextOverflow("too long"), "ANSWER: Lamp 1 was lit [1].\n"]
    model = ScriptedModel(script)
    async with rig(tmp_path, model=model, pages=pages) as engine:
        told = await engine.ask(replace(WITH_MODEL, window=3_000, max_tokens=500))
    first, second = (len(r.messages[-1].content) for r in model.requests[2:])
    assert second < first
    assert (told.run.failure, told.sure.stop_reason) == (None, StopReason.ANSWERED)


async def test_a_tool_that_stops_the_run_leaves_what_was_found(tmp_path: Path) -> None:
    async def stop(arguments: Any) -> Any:
        raise ToolStop("the account is closed")

    act = ToolCall(name="act", arguments={}, id="a")
    async with rig(tmp_path, [VISIT, act], tools=[PageTool(stop)]) as engine:
        told = await engine.ask()
    assert told.sure.stop_reason == StopReason.ERROR
    assert told.run.failure is not None
    assert told.run.failure.code == "tool_stop"
    assert "1698" in told.text


async def test_a_page_that_could_not_be_read_is_named(tmp_path: Path) -> None:
    pages: dict[str, Any] = {**PAGES, "https://gone.test/": NotFound("404")}
    visit = ToolCall(name="visit", arguments={"url": [*VISIT.arguments["url"], "https://gone.test/"]}, id="v")  # type: ignore[misc]  # a list of JSON
    async with rig(tmp_path, [SEARCH, visit, ANSWER, REPORT], pages=pages) as engine:
        told = await engine.ask()
    assert any("https://gone.test/" in line and "404" in line for line in told.sure.unexamined)


# --- writing and checking --------------------------------------------------------------------


async def test_evidence_that_does_not_exist_is_dropped_and_counted(tmp_path: Path) -> None:
    report = "ANSWER: The first lighthouse was lit in 1698 [1][77].\n\nThe third was lit in 1759 [99].\n"
    async with rig(tmp_path, [*ROUNDS[:3], report]) as engine:
        told = await engine.ask()
    assert any(note.startswith("2 citations named evidence that does not exist") for note in told.sure.notes)


WRONG = "ANSWER: The first lighthouse was lit in 1698 [1].\n\nThe third lighthouse was lit in 1802 [2].\n"


async def test_policies(tmp_path: Path) -> None:
    async with rig(tmp_path, [*ROUNDS[:3], WRONG] * 3) as engine:
        mark = await engine.ask()
        drop = await engine.ask(replace(WITH_MODEL, policy=Policy.DROP))
        again = await engine.ask(replace(WITH_MODEL, policy=Policy.RESEARCH))
    shown = {claim.text: claim.verdict for claim in mark.sure.claims}
    assert shown["The third lighthouse was lit in 1802."] is not Verdict.SUPPORTED
    assert all("1802" not in claim.text for claim in drop.sure.claims)
    assert any("left out" in note for note in drop.sure.notes)
    assert any(claim.text.endswith("1802.") for claim in again.sure.claims)


async def test_policy_research_looks_for_what_is_not_supported(tmp_path: Path) -> None:
    report = "ANSWER: The second lighthouse was finished in 1709.\n"
    script = [SEARCH, ToolCall(name="visit", arguments={"url": "https://one.test/"}, id="v"), ANSWER, report]
    async with rig(tmp_path, script) as engine:
        told = await engine.ask(replace(WITH_MODEL, policy=Policy.RESEARCH))
    [claim] = told.sure.claims
    assert claim.verdict is Verdict.SUPPORTED
    assert claim.checks.bound_by == "retrieval"
    assert len(told.of(ClaimChecked)) == 2
    assert "https://two.test/" in engine.reader.read_uris


JUDGED = (
    "ANSWER: The first lighthouse was lit in 1698 [1].\n\nMariners long feared those jagged rocks offshore [1].\n"
    "Smeaton used granite for endurance and fame [2].\n"
)


def judge(verdict: str = "unsupported") -> ScriptedModel:
    return ScriptedModel(lambda request: f'{{"verdict": "{verdict}", "reason": "it does not say so"}}')


async def test_a_judge_sees_what_words_leave_open(tmp_path: Path) -> None:
    model = judge()
    async with rig(tmp_path, [*ROUNDS[:3], JUDGED], judge=model) as engine:
        told = await engine.ask(replace(WITH_MODEL, judge="judge"))
    assert model.calls
    judged = [claim for claim in told.sure.claims if claim.checks.decided_by == "judge"]
    assert judged
    assert {claim.verdict for claim in judged} == {Verdict.UNSUPPORTED}
    assert all("Question" not in message.content for r in model.requests for message in r.messages)


async def test_a_judge_gets_its_share_of_the_budget_and_no_more(tmp_path: Path) -> None:
    model = judge()
    options = replace(budget(tokens=4_000), judge="judge", window=4_000, max_tokens=300)
    async with rig(tmp_path, [*ROUNDS[:3], JUDGED], judge=model) as engine:
        told = await engine.ask(options)
    assert model.calls == 0
    assert any("budget" in claim.checks.reasons for claim in told.sure.claims)


async def test_a_judge_that_fails_changes_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path, [*ROUNDS[:3], JUDGED], judge=ScriptedModel([])) as engine:
        told = await engine.ask(replace(WITH_MODEL, judge="judge"))
    assert told.sure.stop_reason == StopReason.ANSWERED
    assert all(claim.checks.decided_by != "judge" for claim in told.sure.claims)


async def test_a_report_in_chinese(tmp_path: Path) -> None:
    pages = {"https://zh.test/": "赵州桥建于隋代，由工匠李春设计。桥的净跨度为37.02米。"}
    visit = ToolCall(name="visit", arguments={"url": "https://zh.test/"}, id="v")
    script: list[Any] = [
        visit,
        "<answer>李春</answer>",
        "ANSWER: 赵州桥由工匠李春设计 [1]。\n\n## 未找到的内容\n造价未见记载。\n",
    ]
    model = ScriptedModel(script)
    async with rig(tmp_path, model=model, pages=pages) as engine:
        told = await engine.ask(question="谁设计了赵州桥？", language="zh")
    assert told.sure.language == "zh"
    assert told.sure.answer == "赵州桥由工匠李春设计。"
    assert "Chinese (中文)" in model.requests[0].messages[0].content
    assert "未找到的内容" in model.requests[-1].messages[0].content
    assert [claim.text for claim in told.sure.claims] == ["赵州桥由工匠李春设计。"]


# --- an earlier run --------------------------------------------------------------------------


async def test_a_run_goes_on_with_the_evidence_of_another(tmp_path: Path) -> None:
    async with rig(tmp_path, [*ROUNDS, ANSWER, REPORT]) as engine:
        first = await engine.ask()
        read = len(engine.reader.read_uris)
        second = await engine.ask(replace(WITH_MODEL, ledger_of=first.run.id))
    assert len(engine.reader.read_uris) == read
    assert second.sure.answer == first.sure.answer
    assert [e.tool for e in second.of(ToolAnswered)] == ["recall"]


async def test_the_same_question_again_says_what_changed(tmp_path: Path) -> None:
    later = "ANSWER: The first lighthouse was lit in 1689 [1].\n\n## More\nIt stood on the rocks [1].\n"
    async with rig(tmp_path, [*ROUNDS, ANSWER, later, ANSWER, REPORT]) as engine:
        first = await engine.ask()
        second = await engine.ask(replace(WITH_MODEL, ledger_of=first.run.id))
        other = await engine.ask(replace(WITH_MODEL, ledger_of=first.run.id), question="Something else?")
    assert (first.sure.changes, other.sure.changes) == (None, None)
    changes = second.sure.changes
    assert changes is not None
    assert (changes.earlier, changes.earlier_at) == (first.run.id, first.sure.created_at)
    told = {claim.id: claim.text for claim in second.sure.claims}
    (changed,) = changes.changed_claims
    assert (told[changed.claim_id], changed.before.text) == (
        "The first lighthouse was lit in 1689.",
        "The first lighthouse was lit in 1698.",
    )
    assert [told[key] for key in changes.new_claims] == ["It stood on the rocks."]
    assert [gone.text for gone in changes.gone_claims] == ["The third lighthouse was lit in 1759."]
    assert [gone.uri for gone in changes.gone_sources] == ["https://three.test/"]
    (ended,) = second.of(RunFinished)
    assert ended.changes == changes.tally
    assert first.of(RunFinished)[0].changes is None


async def test_evidence_that_cannot_be_had_fails_the_run(tmp_path: Path) -> None:
    async with rig(tmp_path, ROUNDS) as engine:
        told = await engine.ask(replace(WITH_MODEL, ledger_of="no-such-run"))
    assert (told.run.state, told.report) == (RunState.FAILED, None)
    assert told.run.failure is not None
    assert told.run.failure.code == "tool_stop"
    assert "no-such-run" in told.run.failure.message


# --- nothing found ---------------------------------------------------------------------------


class Failing:
    """A search that never answers: it tells that it was asked, and waits or fails."""

    name = "failing"

    def __init__(self, *, waits: bool) -> None:
        self.asked = asyncio.Event()
        self._waits = waits

    async def search(self, query: Query, *, deadline: float) -> Found:
        del query, deadline
        self.asked.set()
        if self._waits:
            await asyncio.Event().wait()
        raise ProviderUnavailable("`h.example` cannot be reached: no connection")


async def test_a_report_that_was_asked_for_before_anything_was_found_says_so(tmp_path: Path) -> None:
    search = Failing(waits=True)
    async with rig(tmp_path, searching=search) as engine:
        run_id = await engine.begin(Options(strategy=StrategyName.EXTRACTIVE, corpora=("c",)))
        await search.asked.wait()
        await engine.flag(run_id, Flag.FINISH)
        told = await engine.ended(run_id)
    assert told.sure.stop_reason == StopReason.FINISHED_EARLY
    [missing] = [s.text for part in told.sure.sections for s in part.sentences]
    assert "stopped before anything was found" in missing
    assert any("stopped by request" in note for note in told.sure.notes)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (Options(web=True), "No search was answered"),
        (Options(corpora=("c",), not_read=NotRead(count=1, all=True)), "There was no document to search"),
    ],
)
async def test_nothing_is_said_of_documents_that_were_not_searched(tmp_path: Path, options: Options, says: str) -> None:
    async with rig(tmp_path, searching=Failing(waits=False)) as engine:
        run_id = await engine.begin(replace(options, strategy=StrategyName.EXTRACTIVE))
        told = await engine.ended(run_id)
    assert told.sure.stop_reason == StopReason.NOTHING_FOUND
    assert says in told.sure.sections[0].sentences[0].text


# --- flags -----------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [1, 2, 3])
async def test_finish_breaks_gathering_off_and_writes(tmp_path: Path, phase: int) -> None:
    model = Gate(ScriptedModel([*ROUNDS[: phase - 1], REPORT]))
    async with rig(tmp_path, model=model) as engine:
        run_id = await engine.begin()
        await let_through(model, phase)
        with within(1):
            await engine.flag(run_id, Flag.FINISH)
            if phase == 3:  # something was read: the model writes
                await model.asked.acquire()
                model.open.release()
            await engine.worker.wait(run_id)
        told = await engine.ended(run_id)
    assert told.sure.stop_reason == StopReason.FINISHED_EARLY
    assert bool(told.sure.claims) is (phase == 3)
    assert told.of(ModelAnswered)[phase - 1].failure.code == "interrupted"


async def test_a_persons_wish_goes_before_a_budget_that_is_used_up(tmp_path: Path) -> None:
    model = Gate(ScriptedModel([]))
    async with rig(tmp_path, model=model) as engine:
        run_id = await engine.begin(budget(steps=1))
        await model.asked.acquire()
        await engine.flag(run_id, Flag.FINISH)
        told = await engine.ended(run_id)
    assert told.sure.stop_reason == StopReason.FINISHED_EARLY


async def test_a_model_that_worked_writes_though_its_last_call_failed(tmp_path: Path) -> None:
    async with rig(tmp_path, [VISIT, ModelUnavailable("busy"), REPORT]) as engine:
        told = await engine.ask(budget(steps=2))
    assert (told.sure.stop_reason, told.run.failure) == (StopReason.STEPS, None)
    assert told.sure.models == ("scripted",)


@pytest.mark.parametrize("phase", [1, 2, 3, 4])
async def test_cancel_ends_every_phase_within_a_second(tmp_path: Path, phase: int) -> None:
    model = Gate(ScriptedModel(ROUNDS))
    async with rig(tmp_path, model=model) as engine:
        run_id = await engine.begin()
        await let_through(model, phase)
        with within(1):
            await engine.flag(run_id, Flag.CANCEL)
            await engine.worker.wait(run_id)
        told = await engine.ended(run_id)
    assert (told.run.state, told.report) == (RunState.CANCELLED, None)
    assert told.of(RunFinished)[0].stop_reason == StopReason.CANCELLED


async def let_through(model: Gate, phase: int) -> None:
    """Answer the calls before the one of this number, and return when that one was asked."""
    for _ in range(phase - 1):
        await model.asked.acquire()
        model.open.release()
    await model.asked.acquire()


async def test_finish_does_not_break_writing_off(tmp_path: Path) -> None:
    model = Gate(ScriptedModel(ROUNDS))
    async with rig(tmp_path, model=model) as engine:
        run_id = await engine.begin()
        await let_through(model, 4)
        await engine.flag(run_id, Flag.FINISH)
        engine.worker.flag(run_id, Flag.FINISH)
        await asyncio.sleep(0)
        model.open.release()
        told = await engine.ended(run_id)
    assert told.sure.answer == "The first lighthouse was lit in 1698."


async def test_cancel_ends_a_judge(tmp_path: Path) -> None:
    model = Gate(judge())
    async with rig(tmp_path, [*ROUNDS[:3], JUDGED], judge=model) as engine:
        run_id = await engine.begin(replace(WITH_MODEL, judge="judge"))
        await model.asked.acquire()
        with within(1):
            await engine.flag(run_id, Flag.CANCEL)
            await engine.worker.wait(run_id)
        assert (await engine.told(run_id)).run.state is RunState.CANCELLED


async def test_finish_leaves_the_judge_out(tmp_path: Path) -> None:
    model = Gate(judge())
    async with rig(tmp_path, [*ROUNDS[:3], JUDGED], judge=model) as engine:
        run_id = await engine.begin(replace(WITH_MODEL, judge="judge"))
        await model.asked.acquire()
        await engine.flag(run_id, Flag.FINISH)
        told = await engine.ended(run_id)
    assert told.sure.claims
    assert all(claim.checks.decided_by != "judge" for claim in told.sure.claims)


async def test_a_tool_is_broken_off_too(tmp_path: Path) -> None:
    began = asyncio.Event()

    async def hang(arguments: Any) -> Any:
        began.set()
        await asyncio.Event().wait()

    async with rig(
        tmp_path, [VISIT, ToolCall(name="act", arguments={}, id="a"), REPORT], tools=[PageTool(hang)]
    ) as engine:
        run_id = await engine.begin()
        await began.wait()
        with within(1):
            await engine.flag(run_id, Flag.FINISH)
            told = await engine.ended(run_id)
    assert told.sure.stop_reason == StopReason.FINISHED_EARLY
    assert "1698" in told.text


# --- dialects --------------------------------------------------------------------------------


async def test_tags_are_called_and_answered_in_text(tmp_path: Path) -> None:
    model = ScriptedModel(["I look.\n" + called(SEARCH), called(VISIT), ANSWER, REPORT])
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask(replace(WITH_MODEL, dialect=Dialect.TAGS))
    assert told.sure.answer
    last: ModelRequest = model.requests[2]
    assert [m.role for m in last.messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert last.tools == ()
    assert last.messages[3].content.startswith("<tool_response>\n")
    assert '"name":"search"' in last.messages[0].content


async def test_tongyi_speaks_as_it_was_trained(tmp_path: Path) -> None:
    two = called(SEARCH) + "\n" + called(VISIT)
    script = [
        turn(two, reasoning="Let me search."),
        turn(called(VISIT) + "\n<tool_response>\nmade up", reasoning="Read them."),
        turn("<answer>The first lighthouse was lit in 1698. The third lighthouse was lit in 1759.</answer>"),
    ]
    model = ScriptedModel(script)
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask(replace(WITH_MODEL, dialect=Dialect.TONGYI))
    system, question, first, response, second, _ = model.requests[2].messages
    assert (system.role, question.role, question.content) == ("system", "user", QUESTION)
    assert "<tools>\n" in system.content
    assert "Current date: " in system.content
    assert first.content == f"<think>\nLet me search.\n</think>\n{two}"
    assert (first.role, first.tool_calls, first.opaque) == ("assistant", (), None)
    assert response.role == "user"
    assert response.content.startswith("<tool_response>\n")
    assert response.content.endswith("\n</tool_response>")
    assert "only one call a turn is made" in response.content
    assert second.content == f"<think>\nRead them.\n</think>\n{called(VISIT)}"
    assert model.requests[0].stop == ("\n<tool_response>", "<tool_response>")
    assert told.run.usage.tool_calls == {"search": 1, "visit": 1}
    # The answer itself is the draft: cut into claims, each bound by retrieval.
    assert model.calls == 3
    assert {claim.checks.bound_by for claim in told.sure.claims} == {"retrieval"}
    assert {claim.verdict for claim in told.sure.claims} == {Verdict.SUPPORTED}


async def test_tongyi_is_forced_to_answer_within_the_reserve(tmp_path: Path) -> None:
    script = [called(SEARCH), called(VISIT), "<answer>It was lit in 1698.</answer>"]
    model = ScriptedModel(script)
    options = replace(budget(steps=2), dialect=Dialect.TONGYI)
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask(options)
    assert told.sure.stop_reason == StopReason.STEPS
    assert [m.role for m in model.requests[2].messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert "You have reached the limit" in model.requests[2].messages[-1].content
    assert "1698" in told.text
    assert told.sure.models == ("scripted",)


async def test_native_calls_are_answered_by_id(tmp_path: Path) -> None:
    model = ScriptedModel([turn("", SEARCH, VISIT, reasoning="hm", opaque={"signature": "x"}), ANSWER, REPORT])
    async with rig(tmp_path, model=model) as engine:
        await engine.ask()
    _, _, said, one, two = model.requests[1].messages
    assert (said.tool_calls, said.opaque) == ((SEARCH, VISIT), {"signature": "x"})
    assert [(m.role, m.call_id) for m in (one, two)] == [("tool", "s"), ("tool", "v")]
    assert {spec.name for spec in model.requests[0].tools} == {"search", "visit"}


async def test_progress_is_told_before_the_first_answer_is_there(tmp_path: Path) -> None:
    async with rig(tmp_path, [turn("", SEARCH, reasoning="Where to look?"), *ROUNDS[1:]]) as engine:
        told = await engine.ask()
    assert engine.observer.text("reasoning") == "Where to look?"
    assert "1698" in engine.observer.text()
    assert [r.seq for _, r in engine.observer.records] == [r.seq for r in told.records]


async def test_money_is_added_up_by_the_price(tmp_path: Path) -> None:
    script = [turn("", SEARCH, tokens=1_000), turn("", VISIT, tokens=2_000), turn(ANSWER, tokens=3_000), turn(REPORT)]
    options = replace(budget(usd=1.0), price=Price(prompt=10.0, completion=100.0))
    async with rig(tmp_path, script) as engine:
        told = await engine.ask(options)
    assert told.run.usage.cost_usd == pytest.approx((6_100 * 10 + 40 * 100) / 1e6)


async def test_a_search_that_failed_is_told_in_the_report(tmp_path: Path) -> None:
    away = CannedSearch({"": ProviderUnavailable("the search cannot be reached")})
    async with rig(tmp_path, searching=away) as engine:
        told = await engine.ask(WITHOUT)
    assert told.sure.stop_reason == StopReason.NOTHING_FOUND
    [gap] = told.sure.unexamined
    assert gap.startswith(f"Not searched: {QUESTION}")
    assert gap.count("the search cannot be reached") == 1
