"""What a run asks of a person: on a terminal, from a file, and where nobody is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from tests.unit.cli.conftest import FakeEngine, Program, Script

from leadline.cli import person
from leadline.domain import Json
from leadline.errors import RunWaits, UnknownRun, WrongState

PLAN: dict[str, Json] = {"for": "plan", "plan": ["first?", "second?"]}
QUESTION: dict[str, Json] = {"for": "question", "question": "Which one?\x1b[31m"}


@pytest.fixture
def waiting(script: Script, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the next run wait for these, one after the other; replies are calls of the script."""
    asks: list[Mapping[str, Json]] = []

    async def result(self: FakeEngine, run_id: str) -> Any:
        if asks:
            raise RunWaits(f"run {run_id} waits for a person", run_id=run_id, asks=asks[0])
        return await self.report(run_id)

    async def reply(self: FakeEngine, run_id: str, said: Mapping[str, Json]) -> None:
        if not asks:
            raise WrongState(f"run {run_id} does not wait")
        script.calls.append(("reply", run_id, dict(said)))
        asks.pop(0)

    monkeypatch.setattr(FakeEngine, "result", result)
    monkeypatch.setattr(FakeEngine, "reply", reply, raising=False)
    return lambda *wanted: asks.extend(wanted)


def terminal(monkeypatch: pytest.MonkeyPatch, *typed: str, edited: str | None = None) -> list[str]:
    """Play a person at a terminal who types these, and what an editor gives back."""
    answers = list(typed)
    shown: list[str] = []

    def prompt(text: str, **_: Any) -> str:
        shown.append(text)
        if not answers:
            raise click.Abort
        return answers.pop(0)

    monkeypatch.setattr(person, "at_terminal", lambda: True)
    monkeypatch.setattr(click, "prompt", prompt)
    monkeypatch.setattr(click, "edit", lambda text: edited)
    return shown


ASK = ("ask", "Compare oak and granite", "--docs", "a")


def test_where_nobody_is_there_it_says_how_to_go_on(leadline: Program, waiting: Callable[..., None]) -> None:
    waiting(PLAN)
    result = leadline(*ASK, "--approve")
    assert (result.code, result.out) == (10, "")
    assert "waits for a person" in result.err


@pytest.mark.parametrize(
    ("typed", "edited", "reply"),
    [
        (("y",), None, {"plan": ["first?", "second?"]}),
        (("no",), None, {"reject": True}),
        (("edit", "y"), "one?\n\n  two?  \n", {"plan": ["one?", "two?"]}),
        (("edit", "y"), None, {"plan": ["first?", "second?"]}),
        (("edit", "y"), "\n", {"plan": ["first?", "second?"]}),
    ],
)
def test_a_plan_is_approved_edited_or_rejected_at_the_terminal(
    leadline: Program,
    script: Script,
    waiting: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    typed: tuple[str, ...],
    edited: str | None,
    reply: dict[str, Json],
) -> None:
    waiting(PLAN)
    terminal(monkeypatch, *typed, edited=edited)
    result = leadline(*ASK, "--approve")
    assert script.called("reply") == [("r1001", reply)]
    assert result.out.startswith("md report")
    assert "1. first?" in result.err


def test_question_and_plan_come_one_after_the_other(
    leadline: Program, script: Script, waiting: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(QUESTION, PLAN)
    terminal(monkeypatch, "this one", "y")
    result = leadline(*ASK, "--approve", "--clarify")
    assert [said for _, said in script.called("reply")] == [{"answer": "this one"}, {"plan": ["first?", "second?"]}]
    assert "Which one?" in result.err
    assert "\x1b" not in result.err


def test_who_leaves_the_prompt_is_told_how_to_go_on(
    leadline: Program, script: Script, waiting: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(PLAN)
    terminal(monkeypatch)
    result = leadline(*ASK, "--approve")
    assert (result.code, script.called("reply")) == (10, [])


@pytest.mark.parametrize("flag", ["--quiet", "--json-events"])
def test_a_program_is_never_asked(
    leadline: Program, waiting: Callable[..., None], monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    waiting(PLAN)
    terminal(monkeypatch, "y")
    assert leadline(*ASK, "--approve", flag).code == 10


# --- approve --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "reply"),
    [
        ((), {"approve": True}),
        (("--answer", ""), {"answer": ""}),
        (("--answer", "this"), {"answer": "this"}),
        (("--reject",), {"reject": True}),
    ],
)
def test_a_waiting_run_is_answered(
    leadline: Program,
    script: Script,
    waiting: Callable[..., None],
    arguments: tuple[str, ...],
    reply: dict[str, Json],
) -> None:
    waiting(PLAN)
    assert leadline(*ASK).code == 10
    result = leadline("approve", "last", *arguments)
    assert script.called("reply") == [("r1001", reply)]
    assert result.code == 0
    assert ("stopped" in result.err) is ("--reject" in arguments)


@pytest.mark.parametrize("text", ["one?\n two? \n\n", '["one?", "two?"]', "\ufeffone?\r\ntwo?"])
def test_a_plan_comes_from_a_file(
    leadline: Program, script: Script, waiting: Callable[..., None], tmp_path: Path, text: str
) -> None:
    waiting(PLAN)
    leadline(*ASK)
    path = tmp_path / "plan.txt"
    path.write_text(text, encoding="utf-8")
    assert leadline("approve", "last", "--plan", str(path)).code == 0
    assert script.called("reply") == [("r1001", {"plan": ["one?", "two?"]})]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--plan", "missing.txt"), "cannot read"),
        (("--reject", "--answer", "x"), "one of"),
    ],
)
def test_what_cannot_be_an_answer_is_refused(
    leadline: Program, waiting: Callable[..., None], arguments: tuple[str, ...], told: str
) -> None:
    waiting(PLAN)
    leadline(*ASK)
    result = leadline("approve", "last", *arguments)
    assert result.code == 2
    assert told in result.err


def test_a_run_that_does_not_wait_takes_no_answer(leadline: Program, waiting: Callable[..., None]) -> None:
    waiting()
    leadline(*ASK)
    assert leadline("approve", "last").code == WrongState.exit_code
    assert leadline("approve", "nobody").code == UnknownRun.exit_code


# --- wishes ---------------------------------------------------------------------------------


def test_wishes_reach_the_engine(leadline: Program, script: Script, tmp_path: Path) -> None:
    wishes, schema = tmp_path / "wishes.txt", tmp_path / "schema.json"
    wishes.write_text("For sailors. 给水手。", encoding="utf-8")
    schema.write_text(json.dumps({"type": "object"}), encoding="utf-8")
    result = leadline(
        *(*ASK, "--strategy", "heavy", "--researchers", "4", "--approve", "--clarify"),
        *("--instructions", str(wishes), "--schema", str(schema)),
    )
    options = script.called("start")[0][2]
    assert (options.strategy, options.researchers, options.approve, options.clarify) == ("heavy", 4, True, True)
    assert options.instructions == "For sailors. 给水手。"
    assert options.schema == {"type": "object"}
    assert result.out.startswith('{"run_id"')  # a structured answer is in the JSON report alone


@pytest.mark.parametrize(("text", "told"), [("{", "is no JSON"), ("[]", "is no object"), (None, "cannot read")])
def test_a_schema_that_is_none_is_refused(leadline: Program, tmp_path: Path, text: str | None, told: str) -> None:
    path = tmp_path / "schema.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    result = leadline(*ASK, "--schema", str(path))
    assert result.code == 2
    assert told in result.err


def test_a_dry_run_names_the_strategy_and_why(leadline: Program) -> None:
    assert "strategy     react (one question)" in leadline(*ASK, "--dry-run").out
