from __future__ import annotations

import fcntl
import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leadline.cli.batch_files import Answers, Row
from leadline.cli.batch_run import Purse
from leadline.domain import Failure, RunState
from leadline.errors import BudgetError, ModelBroken, PriceUnknown


def asked(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return asked(
        tmp_path / "q.jsonl",
        {"id": "a", "question": "A?"},
        {"id": 2, "question": "B?", "more": "is ignored"},
        {"id": "c", "question": "C?"},
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def test_every_question_gets_its_line(leadline: Any, questions: Path, out: Path) -> None:
    result = leadline("batch", str(questions), "--out", str(out), "--docs", "d", "--concurrency", "1")
    assert result.code == 0
    rows = lines(out)
    assert [row["id"] for row in rows] == ["a", 2, "c"]
    assert next(iter(rows[0])) == "id"
    assert rows[0]["run_id"] == "r1001"
    assert "3 answered, 0 failed, 0 left" in result.out
    assert "[1/3] a: answered" in result.err
    assert {path.name for path in out.parent.iterdir()} == {"q.jsonl", "out.jsonl"}


def test_documents_are_scanned_once(leadline: Any, script: Any, questions: Path, out: Path) -> None:
    leadline("batch", str(questions), "--out", str(out), "--docs", "d", "--concurrency", "3")
    started = script.called("start")
    assert sorted(docs for _, docs, *_ in started) == [(), (), (Path("d"),)]
    assert {run.options.corpora for run in script.runs.values()} == {("c1",)}


def test_each_question_is_asked_as_ask_would(leadline: Any, script: Any, questions: Path, out: Path) -> None:
    wishes, schema = out.with_name("wishes.txt"), out.with_name("schema.json")
    wishes.write_text("For sailors.", encoding="utf-8")
    schema.write_text('{"type": "object"}', encoding="utf-8")
    result = leadline(
        *("batch", str(questions), "--out", str(out), "--docs", "d", "--mcp", "notes", "--corpus", "c9"),
        *("--instructions", str(wishes), "--schema", str(schema), "--length", "short", "--lang", "zh"),
    )
    assert result.code == 0, result.err
    assert script.servers == [("notes",)] * 3
    assert {language for *_, language in script.called("start")} == {"zh"}
    options = [run.options for run in script.runs.values()]
    assert {each.instructions for each in options} == {"For sailors."}
    assert all(each.schema == {"type": "object"} for each in options)
    assert script.settings.length == "short"


def test_a_corpus_of_the_service_is_enough(leadline: Any, script: Any, questions: Path, out: Path) -> None:
    assert leadline("batch", str(questions), "--out", str(out), "--corpus", "c9").code == 0
    assert {run.options.corpora for run in script.runs.values()} == {("c9",)}


def test_what_is_answered_is_not_asked_again(leadline: Any, script: Any, questions: Path, out: Path) -> None:
    asked(out, {"id": "a", "usage": {"cost_usd": 0.5}})
    with out.open("a", encoding="utf-8") as file:
        file.write('{"id": 2, "run_')
    result = leadline("batch", str(questions), "--out", str(out), "--docs", "d")
    assert [question for question, *_ in script.called("start")] == ["B?", "C?"]
    assert [row["id"] for row in lines(out)] == ["a", 2, "c"]
    assert "$0.5200" in result.out
    leadline("batch", str(questions), "--out", str(out), "--docs", "d")
    assert len(script.called("start")) == 2


def test_a_failure_is_a_row_and_is_asked_again_on_request(
    leadline: Any, script: Any, questions: Path, out: Path
) -> None:
    script.failures["B?"] = ModelBroken("rubbish")
    arguments = ("batch", str(questions), "--out", str(out), "--docs", "d", "--concurrency", "1")
    result = leadline(*arguments)
    assert result.code == 1
    assert "--retry-failed" in result.err
    error = {"code": "model_broken", "message": "rubbish"}
    assert lines(out)[1] == {"id": 2, "run_id": "r2002", "error": error}
    script.failures.clear()
    assert leadline(*arguments).code == 1
    assert leadline(*arguments, "--retry-failed").code == 0
    assert [row["id"] for row in lines(out)] == ["a", "c", 2]
    assert len(script.called("start")) == 4


def test_a_report_after_a_failure_is_no_answer_and_is_asked_again_on_request(
    leadline: Any, script: Any, questions: Path, out: Path
) -> None:
    script.spoilt["B?"] = Failure(code="model_unavailable", message="no server at the_model answers")
    arguments = ("batch", str(questions), "--out", str(out), "--docs", "d", "--concurrency", "1")
    result = leadline(*arguments)
    assert result.code == 1
    assert "[2/3] 2: answered: this report is what could be done after a failure: no server at the_model" in result.err
    assert "2 answered, 1 failed, 0 left; $0.0300" in result.out
    assert lines(out)[1]["failure"] == {"code": "model_unavailable", "message": "no server at the_model answers"}
    assert lines(out)[1]["stop_reason"] == "answered"
    again = leadline(*arguments)
    assert (again.code, "2 answered, 1 failed, 0 left; $0.0300" in again.out) == (1, True)
    script.spoilt.clear()
    assert leadline(*arguments, "--retry-failed").code == 0
    assert [row["id"] for row in lines(out)] == ["a", "c", 2]


def test_a_report_that_ended_by_an_error_is_no_answer(leadline: Any, questions: Path, out: Path) -> None:
    asked(out, *({"id": id_, "stop_reason": stop} for id_, stop in (("a", "error"), (2, "steps"), ("c", "answered"))))
    result = leadline("batch", str(questions), "--out", str(out), "--docs", "d")
    assert (result.code, "2 answered, 1 failed, 0 left" in result.out) == (1, True)


def test_what_every_row_would_meet_ends_the_batch(leadline: Any, script: Any, questions: Path, out: Path) -> None:
    script.failures["A?"] = PriceUnknown("no price")
    result = leadline("batch", str(questions), "--out", str(out), "--docs", "d", "--concurrency", "1")
    assert (result.code, "no price" in result.err) == (7, True)
    assert lines(out) == []
    script.failures.clear()
    assert leadline("batch", str(questions), "--out", str(out), "--docs", "d").code == 0
    assert script.called("resume") == [("r1001",)]
    assert [question for question, *_ in script.called("start")] == ["A?", "B?", "C?"]


def test_a_run_that_had_ended_is_not_paid_twice(leadline: Any, script: Any, questions: Path, out: Path) -> None:
    with Answers(out) as answers:
        answers.begin(Row(id="a", question="A?"), "r1001")
        answers.begin(Row(id=2, question="another question then"), "r9")
    leadline("ask", "A?", "--docs", "d")
    script.calls.clear()
    leadline("batch", str(questions), "--out", str(out), "--docs", "d")
    assert [question for question, *_ in script.called("start")] == ["B?", "C?"]
    assert script.called("resume") == []
    assert {row["id"]: row["run_id"] for row in lines(out)}["a"] == "r1001"


def test_a_cancelled_run_of_an_earlier_batch_is_asked_anew(
    leadline: Any, script: Any, questions: Path, out: Path
) -> None:
    leadline("ask", "A?", "--docs", "d")
    script.runs["r1001"] = replace(script.runs["r1001"], state=RunState.CANCELLED)
    with Answers(out) as answers:
        answers.begin(Row(id="a", question="A?"), "r1001")
    leadline("batch", str(questions), "--out", str(out), "--docs", "d")
    assert {row["id"]: row["run_id"] for row in lines(out)}["a"] != "r1001"


def test_ctrl_c_begins_no_more_and_writes_what_is_at_work(
    leadline: Any, script: Any, questions: Path, out: Path
) -> None:
    script.during = lambda *_: signal.raise_signal(signal.SIGINT)
    result = leadline("batch", str(questions), "--out", str(out), "--docs", "d", "--concurrency", "1")
    assert result.code == 130
    assert len(lines(out)) < 3
    script.during = None
    assert leadline("batch", str(questions), "--out", str(out), "--docs", "d").code == 0
    assert len(lines(out)) == 3


def test_all_answers_together_cost_no_more_than_was_said(
    leadline: Any, script: Any, questions: Path, out: Path
) -> None:
    script.cost = 0.6
    arguments = ("batch", str(questions), "--out", str(out), "--docs", "d", "--concurrency", "1")
    result = leadline(*arguments, "--total-budget-usd", "1.2", "--budget-usd", "0.7")
    assert result.code == 7
    assert "1 question not asked" in result.err
    limits = [options.budget.usd for _, _, options, _ in script.called("start")]
    assert limits == pytest.approx([0.7, 0.6])
    assert leadline(*arguments, "--total-budget-usd", "1.2").code == 7
    assert leadline(*arguments, "--total-budget-usd", "5").code == 0
    assert len(script.called("start")) == 3


def test_two_batches_do_not_share_an_output(leadline: Any, questions: Path, out: Path) -> None:
    with out.with_name("out.jsonl.runs").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        result = leadline("batch", str(questions), "--out", str(out), "--docs", "d")
    assert (result.code, "another batch" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no question"),
        ("{", "line 1: not JSON"),
        ('{"id": "a"}', "line 1: not of the form"),
        ("[1]", "not of the form"),
        ('{"id": true, "question": "x"}', "`id` must be"),
        ('{"id": "a", "question": " "}', "the question is empty"),
        ('{"id": "a", "question": "x"}\n\n{"id": "a", "question": "y"}', "line 3: the id"),
    ],
)
def test_wrong_questions_are_named_by_line(leadline: Any, tmp_path: Path, out: Path, text: str, says: str) -> None:
    (tmp_path / "q.jsonl").write_text(text, encoding="utf-8")
    result = leadline("batch", str(tmp_path / "q.jsonl"), "--out", str(out), "--docs", "d")
    assert result.code == 2
    assert says in result.err


def test_an_output_that_is_none_is_left_alone(leadline: Any, questions: Path, out: Path) -> None:
    out.write_text("my diary\n", encoding="utf-8")
    result = leadline("batch", str(questions), "--out", str(out), "--docs", "d")
    assert (result.code, "not a batch's output" in result.err) == (2, True)
    assert out.read_text(encoding="utf-8") == "my diary\n"


def test_a_missing_file_is_named(leadline: Any, tmp_path: Path, out: Path) -> None:
    result = leadline("batch", str(tmp_path / "none.jsonl"), "--out", str(out), "--docs", "d")
    assert (result.code, "none.jsonl" in result.err) == (2, True)


def test_rows_are_events(leadline: Any, questions: Path, out: Path) -> None:
    result = leadline("batch", str(questions), "--out", str(out), "--docs", "d", "--json-events")
    events = [json.loads(line) for line in result.err.splitlines()]
    assert {event["type"] for event in events} == {"row", "indexing"}
    assert {event.get("id") for event in events} == {"a", 2, "c", None}


def test_money_is_shared_among_idle_slots_and_given_back() -> None:
    purse = Purse(total=1.0, each=None, spent=0.0)
    assert purse.grant("a", 4) == pytest.approx(0.25)
    assert purse.grant("b", 3) == pytest.approx(0.25)
    purse.settle("a", 0.05)
    assert purse.grant("c", 1) == pytest.approx(0.7)
    with pytest.raises(BudgetError):
        purse.grant("d", 1)
    assert Purse(total=None, each=0.3, spent=9.0).grant("a", 1) == pytest.approx(0.3)
