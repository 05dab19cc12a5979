"""What is shipped of an event: who, when, what kind, and figures; texts only where they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from leadline.ports import Fed, Message

SCHEMA: Final = "leadline.event/1"

_CALL: Final = ("call",)
_ANSWERED: Final = ("usage", "failure.code")

# Names, ids and figures. What a person, a model or a page wrote is in none of them.
FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "run_started": ("engine", "software", "options.strategy", "options.length"),
        "run_waiting": ("asks.for",),
        "plan_made": (),
        "model_asked": (*_CALL, "model", "purpose"),
        "model_answered": (*_CALL, *_ANSWERED),
        "tool_asked": (*_CALL, "tool"),
        "tool_answered": (*_CALL, "tool", "sources", *_ANSWERED),
        "source_stored": (*_CALL, "source.id", "source.sha256"),
        "context_folded": ("round", "before", "after"),
        "flag_seen": ("round", "flag"),
        "claim_checked": ("claim", "verdict", "decided_by"),
        "run_handed_over": (),
        "run_resumed": ("attempt", "engine"),
        "run_finished": ("state", "stop_reason", "report", "changes", *_ANSWERED),
    }
)
"""The fields that an envelope has, by the event's type; `a.b` is `b` of the event's `a`, under the name `a_b`."""


class Envelopes:
    """Writes envelopes. `bodies`: with the whole event, where its JSON has at most `most` bytes."""

    def __init__(self, *, bodies: bool = False, most: int = 262_144) -> None:
        self._bodies = bodies
        self._most = most

    def write(self, fed: Fed) -> Message:
        """Return the message of a row: its key is the run, and (run, seq) tells it from all others.

        A damaged body and one of a type that this version does not know have no fields.
        """
        envelope: dict[str, Any] = {
            "schema": SCHEMA,
            "type": fed.type,
            "run": fed.run_id,
            "seq": fed.seq,
            "tenant": fed.tenant,
            "at": fed.at,
            "branch": fed.branch,
            "fields": _fields(fed),
        }
        if self._bodies and fed.body is not None:
            if len(fed.body) <= self._most:
                envelope["body"] = orjson.Fragment(fed.body)
            else:
                envelope["body_bytes"] = len(fed.body)
        return Message(fed.run_id.encode(), orjson.dumps(envelope))


def _fields(fed: Fed) -> dict[str, Any]:
    wanted = FIELDS.get(fed.type, ())
    if not wanted or fed.body is None:
        return {}
    try:
        body = orjson.loads(fed.body)
    except orjson.JSONDecodeError:
        return {}
    found = {path.replace(".", "_"): _at(body, path) for path in wanted}
    return {name: value for name, value in found.items() if value is not None}


def _at(value: Any, path: str) -> Any:  # noqa: ANN401 parsed JSON
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
