"""What is shown of runs and events names no machine."""

from __future__ import annotations

from leadline.domain import Failure, Options, Question, RunState, StopReason
from leadline.events import Record, RunFinished, RunHandedOver, RunResumed, ToolAnswered
from leadline.ports import Run
from leadline.service.shown import iso, record_shown, run_shown
from leadline.service.streams import chunk_of

OWNER = "host-7:4711:deadbeef"
INNER = Failure(code="settings_error", message="cannot read /etc/leadline/key")
OUTER = Failure(code="model_timeout", message="the model took too long")


def record(event: RunFinished | RunHandedOver | RunResumed | ToolAnswered) -> Record:
    return Record(seq=7, at=1.5, branch="", event=event)


def test_owners_are_left_out() -> None:
    handed = record(RunHandedOver(owner=OWNER, reason="drain"))
    resumed = record(RunResumed(owner=OWNER, attempt=1, engine="1"))
    for one in (handed, resumed):
        assert OWNER not in chunk_of(one).decode()
        assert OWNER not in str(record_shown(one))


def test_failures_of_the_machine_keep_their_code_alone() -> None:
    finished = record(RunFinished(state=RunState.FAILED, stop_reason=StopReason.ERROR, failure=INNER))
    shown = record_shown(finished).event
    assert isinstance(shown, RunFinished)
    assert shown.failure is not None
    assert (shown.failure.code, "/etc" in shown.failure.message) == ("settings_error", False)
    answered = record(ToolAnswered(call="c", tool="visit", failure=INNER))
    assert "/etc" not in chunk_of(answered).decode()


def test_failures_of_others_are_told_as_they_are() -> None:
    one = record(RunFinished(state=RunState.FAILED, stop_reason=StopReason.ERROR, failure=OUTER))
    assert record_shown(one) is one


def test_an_event_is_one_line_of_data_with_its_number() -> None:
    lines = chunk_of(record(ToolAnswered(call="c", tool="visit", value="a\nb\r\nid: 9\n\n"))).decode().split("\n")
    assert lines[0] == "id: 7"
    assert lines[1] == "event: tool_answered"
    assert lines[2].startswith("data: {")
    assert lines[3:] == ["", ""]


def test_a_run_tells_its_corpora_without_their_versions() -> None:
    run = Run(
        id="r1",
        tenant="acme",
        question=Question(text="q", language="en"),
        options=Options(corpora=("c1@3",)),
        seed=1,
        state=RunState.FAILED,
        engine="1",
        priority=0,
        created_at=0.0,
        updated_at=0.0,
        attempts=0,
        fence=1,
        owner=OWNER,
        failure=INNER,
    )
    shown = run_shown(run).model_dump_json()
    assert '"corpora":["c1"]' in shown
    assert OWNER not in shown
    assert "/etc" not in shown


def test_times_are_utc() -> None:
    assert iso(1_795_392_000.25) == "2026-11-23T00:00:00.250Z"
