"""Webhooks as one more log that the journal is shipped to: its events become deliveries, each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import orjson

from leadline.ports import Message
from leadline.ports.holdings import Deliveries

NAME: Final = ":webhooks"
"""The name under which the store knows how far the deliveries are; no log of the operator's has it."""

_TOLD: Final[Mapping[str, str]] = MappingProxyType({"run_started": "run_started", "run_finished": "run_finished"})
_ASKED: Final[Mapping[str, str]] = MappingProxyType({"plan": "plan_proposed", "question": "question_asked"})
_WANTED: Final = tuple(f'"type":"{name}"'.encode() for name in (*_TOLD, "run_waiting"))


class WebhookOutbox:
    """An `EventSink` that notes deliveries.

    It takes envelopes of `eventlog.envelope` without bodies: ids, states and figures, no text that
    a person, a model or a page wrote.
    """

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries

    async def deliver(self, messages: Sequence[Message]) -> None:
        """See `EventSink.deliver`; what was noted before is noted no second time."""
        for message in messages:
            if any(name in message.value for name in _WANTED):
                await self._note(orjson.loads(message.value))

    async def _note(self, envelope: Mapping[str, Any]) -> None:
        event = told_as(envelope)
        if event is not None:
            await self._deliveries.enqueue(
                envelope["tenant"],
                event=event,
                run_id=envelope["run"],
                body=body_of(event, envelope),
                at=envelope["at"],
            )


def told_as(envelope: Mapping[str, Any]) -> str | None:
    """Return under which name webhooks are told of an event, `None` where they are not."""
    if envelope["type"] == "run_waiting":
        return _ASKED.get(envelope["fields"].get("asks_for", ""))
    return _TOLD.get(envelope["type"])


def body_of(event: str, envelope: Mapping[str, Any]) -> bytes:
    """Return what a webhook is sent: `type`, `timestamp` and `data`, as Standard Webhooks has them."""
    at = datetime.fromtimestamp(envelope["at"], UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    data = {"run_id": envelope["run"], "event": envelope["seq"], **envelope["fields"]}
    return orjson.dumps({"type": event, "timestamp": at, "data": data})
