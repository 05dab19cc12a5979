"""What is shipped of an event."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from leadline.codec import encode
from leadline.domain import Failure, Flag, Options, Question, RunState, StopReason, Usage
from leadline.eventlog.envelope import FIELDS, Envelopes
from leadline.events import EVENTS, Event, FlagSeen, RunFinished, RunStarted, ToolAnswered, ToolAsked
from leadline.ports import Fed


def fed(event: Event | None, *, type: str = "", body: bytes | None = None) -> Fed:
    return Fed(
        place="9",
        run_id="r深",
        tenant="acme",
        seq=7,
        at=1.5,
        branch="gather",
        type=type or (event.type if event else ""),
        body=body if event is None else encode(event),
    )


def envelope(row: Fed, **options: Any) -> dict[str, Any]:
    message = Envelopes(**options).write(row)
    assert message.key == "r深".encode()
    found: dict[str, Any] = orjson.loads(message.value)
    return found


def test_every_event_has_its_fields_chosen() -> None:
    assert set(FIELDS) == set(EVENTS)


def test_an_envelope_says_who_when_and_what() -> None:
    found = envelope(fed(FlagSeen(round=2, flag=Flag.FINISH)))
    assert found == {
        "schema": "leadline.event/1",
        "type": "flag_seen",
        "run": "r深",
        "seq": 7,
        "tenant": "acme",
        "at": 1.5,
        "branch": "gather",
        "fields": {"round": 2, "flag": "finish"},
    }


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (
            RunStarted(question=Question(text="secret", language="en"), options=Options(), seed=5, engine="1"),
            {"engine": "1", "software": "", "options_strategy": "auto", "options_length": "normal"},
        ),
        (
            ToolAsked(call="c", tool="search", arguments={"queries": ["secret"]}, request="h"),
            {"call": "c", "tool": "search"},
        ),
        (
            RunFinished(
                state=RunState.FAILED,
                stop_reason=StopReason.ERROR,
                failure=Failure(code="model", message="secret"),
                usage=Usage(model_calls=2),
            ),
            {"state": "failed", "stop_reason": "error", "failure_code": "model"},
        ),
    ],
    ids=lambda value: getattr(value, "type", ""),
)
def test_fields_hold_names_and_figures_but_no_texts(event: Event, fields: dict[str, Any]) -> None:
    found = envelope(fed(event))["fields"]
    usage = found.pop("usage", None)
    assert found == fields
    assert usage is None or usage["model_calls"] == 2
    assert "secret" not in str(found)


def test_bodies_are_shipped_where_they_are_asked_for_and_not_too_large() -> None:
    event = ToolAnswered(call="c", tool="visit", value={"text": "x" * 1000})
    assert "body" not in envelope(fed(event))
    assert envelope(fed(event), bodies=True)["body"]["value"] == {"text": "x" * 1000}
    small = envelope(fed(event), bodies=True, most=500)
    assert "body" not in small
    assert small["body_bytes"] == len(encode(event))


@pytest.mark.parametrize("body", [None, b"rubbish", b"[1]", b"null"])
def test_a_damaged_body_and_a_strange_type_hold_nothing_up(body: bytes | None) -> None:
    assert envelope(fed(None, type="run_finished", body=body))["fields"] == {}
    assert envelope(fed(None, type="made_up_later", body=body))["type"] == "made_up_later"
