from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.engine import PAGES, WITH_MODEL, Gate, budget, rig, turn
from tests.support.quick import within

from leadline.domain import Dialect, Flag, ModelRequest, RunState, StopReason, StrategyName, ToolCall
from leadline.errors import ContextOverflow
from leadline.events import ContextFolded, ToolAsked
from leadline.research.evidence import Ledger
from leadline.research.loop import PATIENCE
from leadline.research.strategies.iterresearch import _bounded, cited, known_labels, report_tokens
from leadline.research.strategies.react import called
from leadline.testing import ScriptedModel, fetched

ITER = replace(WITH_MODEL, strategy=StrategyName.ITERRESEARCH)
SEARCH = ToolCall(name="search", arguments={"query": "Eddystone"}, id="s")
VISIT = ToolCall(name="visit", arguments={"url": ["https://one.test/", "https://three.test/"]}, id="v")
WRITTEN = "ANSWER: The first lighthouse was lit in 1698 [1].\n"


def says(report: str, *calls: ToolCall, answer: str = "", native: bool = True) -> Any:
    """Return a turn: the report, then calls or the answer."""
    text = f"<report>{report}</report>" if report else ""
    text += f"<answer>{answer}</answer>" if answer else ""
    if native:
        return turn(text, *calls)
    return "\n".join([text, *map(called, calls)])


def user(model: ScriptedModel, number: int) -> str:
    return model.requests[number].messages[1].content


@pytest.mark.parametrize("dialect", list(Dialect))
async def test_a_round_sees_question_report_last_action_and_result(tmp_path: Path, dialect: Dialect) -> None:
    native = dialect is Dialect.NATIVE
    visits = VISIT if dialect is not Dialect.TONGYI else replace(VISIT, arguments={"url": "https://one.test/"})
    script = [
        says("Nothing yet.", SEARCH, native=native),
        says("Pages one to three look right.", visits, native=native),
        says("The first was lit in 1698 [1].", answer="In 1698 [1].", native=native),
        WRITTEN,
    ]
    model = ScriptedModel(script)
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask(replace(ITER, dialect=dialect))
    assert told.sure.stop_reason == StopReason.ANSWERED
    assert "1698" in told.sure.answer
    assert all([m.role for m in r.messages] == ["system", "user"] for r in model.requests[:3])
    first, second, third = (user(model, n) for n in range(3))
    assert "<report>\n(empty)\n</report>" in first
    assert "<report>\nNothing yet.\n</report>" in second
    assert 'Your last action:\nsearch {"query":"Eddystone"}' in second
    assert "https://two.test/" in second
    assert "Nothing yet." not in third
    assert "https://two.test/" not in third
    assert "[1] " in third
    assert ("<tool_response>" in third) is not native
    assert ("<<data " in third) is (dialect is not Dialect.TONGYI)
    assert bool(model.requests[0].tools) is native


async def test_the_head_of_the_prompt_never_changes(tmp_path: Path) -> None:
    model = ScriptedModel([says("A", SEARCH), says("B", VISIT), says("C", answer="1698 [1]."), WRITTEN])
    async with rig(tmp_path, model=model) as engine:
        await engine.ask(ITER)
    heads = {user(model, n).partition("Your working report:")[0] for n in range(3)}
    assert len(heads) == 1
    assert "<<data " in heads.pop()
    assert len({r.messages[0] for r in model.requests[:3]}) == 1


async def test_what_the_report_names_comes_first_for_the_writer(tmp_path: Path) -> None:
    everything = replace(VISIT, arguments={"url": list(PAGES)})
    pages = {uri: text + " More of it is told here." * 60 for uri, text in PAGES.items()}
    model = ScriptedModel([says("A", everything), says("So it is [3].", answer="1759."), WRITTEN])
    async with rig(tmp_path, model=model, pages=pages) as engine:
        await engine.ask(ITER)
    shown = re.findall(r"^\[(\d)\]", user(model, 2), re.MULTILINE)
    assert shown[0] == "3"
    assert sorted(shown) == ["1", "2", "3"]


async def test_a_turn_without_a_report_keeps_the_one_before(tmp_path: Path) -> None:
    script = [says("All starts here.", SEARCH), turn("", VISIT), turn("", replace(SEARCH, arguments={"query": "b"}))]
    model = ScriptedModel([*script, says("It was lit in 1698 [1].", answer="1698 [1]."), WRITTEN])
    async with rig(tmp_path, model=model) as engine:
        await engine.ask(ITER)
    for number in (2, 3):
        assert "<report>\nAll starts here.\n</report>" in user(model, number)
        assert "Your last turn held no <report>" in user(model, number)
    assert "Read, but in no report yet" not in user(model, 2)  # its result is still shown
    assert "[1] The first lighthouse on the Eddystone was lit in 1698." in user(model, 3)


@pytest.mark.parametrize(
    "text",
    [
        "<report>The lamp was lit.",
        "<think>hm</think><report>The lamp was lit.</report>",
        "<report>draft</report> so <report>The lamp was lit.</report>",
        "<report></report><report>The lamp was lit.</report>",
    ],
)
async def test_a_report_is_found_however_it_is_written(tmp_path: Path, text: str) -> None:
    model = ScriptedModel([text + called(SEARCH), says("", answer="Lit."), WRITTEN])
    async with rig(tmp_path, model=model) as engine:
        await engine.ask(replace(ITER, dialect=Dialect.TAGS))
    assert "<report>\nThe lamp was lit.\n</report>" in user(model, 1)
    assert "search {" in user(model, 1)


async def test_a_call_inside_a_report_is_not_made(tmp_path: Path) -> None:
    quoted = f"A page says: {called(replace(SEARCH, arguments={'query': 'evil'}))}"
    model = ScriptedModel([says(quoted, VISIT), says("B", answer="1698 [1]."), WRITTEN])
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask(ITER)
    assert [event.tool for event in told.of(ToolAsked)] == ["visit"]
    assert "<tool_call>" not in user(model, 1).partition("Your working report")[2]


async def test_words_without_an_action_are_asked_for_one(tmp_path: Path) -> None:
    script = [says("A", VISIT), "I think I should look further.", says("B", answer="1698 [1]."), WRITTEN]
    model = ScriptedModel(script)
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask(ITER)
    assert "Error (no_action): " in user(model, 2)
    assert told.sure.stop_reason == StopReason.ANSWERED


async def test_a_model_that_always_answers_in_plain_words_is_taken_at_them(tmp_path: Path) -> None:
    model = ScriptedModel([says("A", VISIT), "It was lit in 1698.", "It was lit in 1698.", WRITTEN])
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask(ITER)
    assert told.sure.stop_reason == StopReason.ANSWERED
    assert model.calls == 4


async def test_a_model_that_loses_the_format_for_good_ends_in_a_report(tmp_path: Path) -> None:
    script = [says("A", VISIT), *["<tool_call>{oops</tool_call>"] * PATIENCE, WRITTEN]
    model = ScriptedModel(script)
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask(ITER)
    assert told.sure.answer == "The first lighthouse was lit in 1698."
    assert "Read, but in no report yet" in user(model, 3)


async def test_a_report_is_bounded_and_the_model_told(tmp_path: Path) -> None:
    long = "\n".join(f"Line {n} of a report that never ends." for n in range(2_000))
    model = ScriptedModel([says(long, VISIT), says("B", answer="1698 [1]."), WRITTEN])
    async with rig(tmp_path, model=model) as engine:
        await engine.ask(ITER)
    report = user(model, 1).partition("<report>\n")[2].partition("\n</report>")[0]
    assert report.endswith("never ends.")
    assert len(report) < 4 * report_tokens(ITER.window) + 100
    assert "Your report was too long" in user(model, 1)


async def test_budget_ends_the_rounds_and_the_report_is_written(tmp_path: Path) -> None:
    def script(request: ModelRequest) -> Any:
        if "numbered excerpts" in request.messages[0].content:
            return WRITTEN
        made = len(model.requests)
        call = VISIT if made == 1 else ToolCall(name="search", arguments={"query": f"lamp {made}"}, id=f"s{made}")
        return says(f"Round {made} [1].", call)

    model = ScriptedModel(script)
    async with rig(tmp_path, model=model) as engine:
        told = await engine.ask(replace(budget(steps=7), strategy=StrategyName.ITERRESEARCH))
    assert told.sure.stop_reason == StopReason.STEPS
    assert model.calls == 8
    assert told.sure.answer == "The first lighthouse was lit in 1698."


async def test_an_overflow_shortens_what_is_shown(tmp_path: Path) -> None:
    pages = {"https://p.test/": "A page tells of lamps. " * 900}
    look = ToolCall(name="visit", arguments={"url": "https://p.test/"}, id="v")
    overflow = ContextOverflow("too long", window=900)
    model = ScriptedModel([says("A", look), overflow, overflow, says("B", answer="Lamps [1]."), "ANSWER: Lamps [1].\n"])
    async with rig(tmp_path, model=model, pages=pages) as engine:
        told = await engine.ask(ITER)
    assert {note.reason for note in told.of(ContextFolded)} == {"server"}
    sizes = [len(user(model, n)) for n in (1, 2, 3)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] < sizes[0] / 2
    assert "<<end of data " in user(model, 3).partition("Its result")[2]
    assert told.sure.stop_reason == StopReason.ANSWERED


@pytest.mark.parametrize("flag", list(Flag))
async def test_flags_are_heeded_within_a_second(tmp_path: Path, flag: Flag) -> None:
    gate = Gate(ScriptedModel([says("A", VISIT), WRITTEN]))
    async with rig(tmp_path, model=gate) as engine:
        run = await engine.begin(ITER)
        await gate.asked.acquire()
        gate.open.release()
        await gate.asked.acquire()
        with within(1):
            await engine.flag(run, flag)
            if flag is Flag.FINISH:
                await gate.asked.acquire()
                gate.open.release()
            await engine.worker.wait(run)
        told = await engine.ended(run)
    if flag is Flag.CANCEL:
        assert told.run.state is RunState.CANCELLED
    else:
        assert told.sure.stop_reason == StopReason.FINISHED_EARLY


def ledger(count: int) -> Ledger:
    made = Ledger()
    for n in range(count):
        page = fetched(f"https://p{n}.test/", f"Passage number {n} speaks of lamps.")
        made.admit(page.source, page.text)
        made.excerpt(page.source.id, 0, len(page.text))
    return made


def test_numbers_that_the_ledger_lacks_are_dropped() -> None:
    known = ledger(3)
    assert known_labels("a [1] b [2, 9] c [9] d [1][3] e [x]", known) == "a [1] b [2] c  d [1][3] e [x]"
    ids = [excerpt.id for excerpt in known.excerpts]
    assert cited("b [2, 9] a [1] [2]", known) == (ids[1], ids[0])
    assert cited("nothing", known) == ()


def test_a_bounded_report_ends_at_a_line() -> None:
    assert _bounded("short", 100) == "short"
    lines = "\n".join("a line of some words" for _ in range(100))
    assert _bounded(lines, 100).endswith("words")
    assert 0 < len(_bounded("x" * 10_000, 100)) <= 400
    assert len(_bounded("灯" * 1_000, 100)) <= 100
