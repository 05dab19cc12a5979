"""What of the journal webhooks are told, and in which words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from leadline.eventlog.envelope import Envelopes
from leadline.eventlog.webhooks import WebhookOutbox
from leadline.ports import Fed
from leadline.ports.holdings import Delivery


@dataclass
class Noted:
    """Deliveries that are only counted."""

    all: list[dict[str, Any]] = field(default_factory=list)

    async def enqueue(self, tenant: str, **noted: Any) -> int:
        self.all.append({"tenant": tenant, **noted})
        return 1

    async def claim(self, owner: str, *, lease: float, limit: int = 20) -> Sequence[Delivery]:
        raise AssertionError("an outbox sends nothing")

    async def delivered(self, delivery: Delivery, *, status: int) -> None:
        raise AssertionError("an outbox sends nothing")

    async def failed(self, delivery: Delivery, *, problem: str, status: int | None, retry_in: float | None) -> None:
        raise AssertionError("an outbox sends nothing")

    async def list(self, tenant: str, webhook_id: str, *, limit: int = 50) -> Sequence[Delivery]:
        raise AssertionError("an outbox lists nothing")


async def noted(kind: str, body: Any) -> list[dict[str, Any]]:
    """Return what is noted of an event."""
    found = Noted()
    fed = Fed(place="1", run_id="r1", tenant="acme", seq=7, at=86_400.5, branch="", type=kind, body=orjson.dumps(body))
    await WebhookOutbox(found).deliver([Envelopes().write(fed)])
    return found.all


async def test_the_end_of_a_run_is_told_without_any_text_of_it() -> None:
    failure = {"code": "model_unavailable", "message": "http://10.0.0.1 is away"}
    (found,) = await noted("run_finished", {"state": "failed", "stop_reason": "error", "failure": failure})
    assert (found["tenant"], found["event"], found["run_id"], found["at"]) == ("acme", "run_finished", "r1", 86_400.5)
    assert json.loads(found["body"]) == {
        "type": "run_finished",
        "timestamp": "1970-01-02T00:00:00.500Z",
        "data": {
            "run_id": "r1",
            "event": 7,
            "state": "failed",
            "stop_reason": "error",
            "failure_code": "model_unavailable",
        },
    }


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("run_started", {"question": {"text": "run_finished"}}, ["run_started"]),
        ("run_waiting", {"reason": "?", "asks": {"for": "plan", "plan": ["a"]}}, ["plan_proposed"]),
        ("run_waiting", {"reason": "?", "asks": {"for": "question", "question": "a"}}, ["question_asked"]),
        ("run_waiting", {"reason": "?", "asks": {"for": "money"}}, []),
        ("run_waiting", {"reason": "?"}, []),
        ("tool_answered", {"tool": '"type":"run_finished"'}, []),
        ("of_a_later_version", {}, []),
    ],
)
async def test_only_some_events_are_told(kind: str, body: Any, told: list[str]) -> None:
    assert [one["event"] for one in await noted(kind, body)] == told
