from __future__ import annotations

from dataclasses import MISSING, fields

import pytest
from tests.support.reports import a_source

from leadline import codec
from leadline.domain import (
    Failure,
    Flag,
    ModelAnswer,
    Options,
    Plan,
    Question,
    RunState,
    Step,
    StopReason,
    ToolCall,
    Usage,
)
from leadline.errors import LeadlineError, ModelRateLimited, RunCancelled, RunFailed, family_of
from leadline.events import (
    EVENTS,
    ClaimChecked,
    ContextFolded,
    Event,
    FlagSeen,
    ModelAnswered,
    ModelAsked,
    PlanMade,
    RunFinished,
    RunHandedOver,
    RunResumed,
    RunStarted,
    RunWaiting,
    SourceStored,
    ToolAnswered,
    ToolAsked,
    event_from,
)

CALL = "gather/1/model/0"
ALL: tuple[Event, ...] = (
    RunStarted(question=Question(text="q", language="zh"), options=Options(model="m"), seed=3, engine="1"),
    RunWaiting(reason="approval"),
    PlanMade(plan=Plan(steps=(Step(text="find", done=True),))),
    ModelAsked(call=CALL, model="m", request="ab", purpose="gather", reserved=Usage(prompt_tokens=9)),
    ModelAnswered(
        call=CALL,
        answer=ModelAnswer(
            text="t", finish="stop", tool_calls=(ToolCall(name="n", arguments={"a": [1]}),), opaque={"s": 1}
        ),
        usage=Usage(tool_calls={"x": 1}),
    ),
    ToolAsked(call=CALL, tool="t", arguments={"q": ["a"]}, request="cd", idempotent=False),
    ToolAnswered(call=CALL, tool="t", failure=Failure(code="deadline", message="late", retryable=True)),
    SourceStored(call=CALL, source=a_source("text")),
    ContextFolded(round=1, before=9, after=2, reason="window"),
    FlagSeen(round=2, flag=Flag.FINISH),
    ClaimChecked(claim="c", verdict="supported", decided_by="quote"),
    RunHandedOver(owner="o", reason="drain"),
    RunResumed(owner="o", attempt=1, engine="1"),
    RunFinished(state=RunState.DONE, stop_reason=StopReason.ANSWERED, report="ef"),
)


def test_every_event_has_its_example_and_name() -> None:
    assert {type(event) for event in ALL} == set(EVENTS.values())
    for name, kind in EVENTS.items():
        assert name == "".join(f"_{c.lower()}" if c.isupper() else c for c in kind.__name__).lstrip("_")


@pytest.mark.parametrize("event", ALL, ids=lambda event: event.type)
def test_events_come_back_from_the_journal(event: Event) -> None:
    assert event_from(event.type, codec.orjson_tree(event)) == event


@pytest.mark.parametrize("event", ALL, ids=lambda event: event.type)
def test_what_an_event_needs_is_demanded(event: Event) -> None:
    body = codec.orjson_tree(event)
    for item in fields(event):
        if item.default is MISSING and item.default_factory is MISSING:
            rest = {name: value for name, value in body.items() if name != item.name}
            with pytest.raises(ValueError, match=item.name):
                event_from(event.type, rest)


def test_an_unknown_event_is_named() -> None:
    with pytest.raises(ValueError, match="unknown event type: run_exploded"):
        event_from("run_exploded", {})


def test_a_runs_failure_has_the_family_of_what_failed() -> None:
    failed = RunFailed("run r failed", cause=ModelRateLimited.code)
    assert (failed.family, failed.family.exit_code) == (ModelRateLimited, 4)
    assert RunFailed("x", cause="internal").family is LeadlineError
    assert (RunCancelled("x").family, RunCancelled.exit_code) == (RunCancelled, 130)


def test_every_failure_is_found_by_its_code() -> None:
    waiting, seen = [LeadlineError], set()
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("leadline.errors."):
            seen.add(kind.code)
            assert family_of(kind.code) is kind
    assert len(seen) > 30
