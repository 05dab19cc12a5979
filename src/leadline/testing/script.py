"""What a scripted model server says: replies, and rules that choose among them.

A script is data, so that a server process can read it from a file. Rules that go by the
conversation itself (`turn`, `last`, `system`) give the same answer to the same request however
often and in whatever order it comes: what a test needs that kills a run and resumes it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

from leadline.codec import decode, encode
from leadline.domain import Json, ToolCall


class Fault(StrEnum):
    """What goes wrong with a reply."""

    NONE = "none"
    DEAD = "dead"  # the connection is closed before any answer
    HANG_BEFORE_HEADERS = "hang_before_headers"  # nothing ever comes
    HANG_AFTER_HEADERS = "hang_after_headers"  # headers, then nothing
    HANG_MIDWAY = "hang_midway"  # half of the text, then nothing
    CUT = "cut"  # half of the text, then the connection is reset
    CLEAN_CUT = "clean_cut"  # half of the text, then the body ends as if it were whole
    NO_FINISH = "no_finish"  # all of the text and [DONE], but no finish reason
    NO_END = "no_end"  # finish reason, but the connection stays open
    KEEPALIVE = "keepalive"  # comments for ever, never an event
    GARBAGE = "garbage"  # bytes that are no HTTP
    WRONG_JSON = "wrong_json"  # an event that is no JSON
    HTML = "html"  # a page of a proxy, with status 200
    ERROR_EVENT = "error_event"  # half of the text, then an error object, then [DONE]
    ENDLESS_REASONING = "endless_reasoning"  # reasoning until the client leaves
    HUGE_LINE = "huge_line"  # one line without an end


HALVED: Final = frozenset({Fault.HANG_MIDWAY, Fault.CUT, Fault.CLEAN_CUT, Fault.ERROR_EVENT, Fault.WRONG_JSON})
"""Faults that strike in midst of the text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One answer of the server.

    `text` is sent in pieces of `chunk` characters, `delay` seconds apart, the first after
    `first_delay`, and once `gate` is set, where there is one (of the server's loop). `reasoning`
    goes into `reasoning_field`: `reasoning_content`, `reasoning`, or `think` for tags in the text.
    `finish` is derived where it is `None`. `usage`: `count` by characters, `null`, or `none` at
    all; `cached_tokens` is reported with it. `body`, where set or where `status` is not 200, is the
    whole answer. `streams` false answers as one JSON document.
    """

    text: str = ""
    reasoning: str = ""
    reasoning_field: str = "reasoning_content"
    tool_calls: tuple[ToolCall, ...] = ()
    finish: str | None = None
    usage: str = "count"
    cached_tokens: int = 0
    chunk: int = 16
    first_delay: float = 0.0
    gate: asyncio.Event | None = None
    delay: float = 0.0
    fault: Fault = Fault.NONE
    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    streams: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Gives `reply` to requests that fit all that is set.

    `turn` is the number of assistant messages in the conversation, `last` and `system` patterns
    searched in the last message and in the system message, `times` how often the rule serves
    before the next one that fits takes over.
    """

    reply: Reply
    turn: int | None = None
    last: str | None = None
    system: str | None = None
    times: int | None = None

    def fits(self, request: Asked) -> bool:
        """Return whether the request is one of this rule's."""
        return (
            (self.turn is None or self.turn == request.turn)
            and (self.last is None or re.search(self.last, request.last) is not None)
            and (self.system is None or re.search(self.system, request.system) is not None)
        )


@dataclass(slots=True)
class Asked:
    """A request as the server received it.

    `hash` is that of its body. `began` and `ended` are the server's loop time in seconds; `left`
    is when the client went away before the answer was complete, `None` if it stayed. `peer` is
    the connection that it came by. `over` is set once the answer is complete or the client gone.
    """

    body: dict[str, Any]
    headers: Mapping[str, str]
    hash: str
    began: float
    peer: str = ""
    ended: float | None = None
    left: float | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages, as they came."""
        found = self.body.get("messages")
        return found if isinstance(found, list) else []

    @property
    def turn(self) -> int:
        """How many assistant messages the conversation has."""
        return sum(1 for message in self.messages if message.get("role") == "assistant")

    @property
    def last(self) -> str:
        """The last message's content."""
        return _content(self.messages[-1]) if self.messages else ""

    @property
    def system(self) -> str:
        """The system message's content; Anthropic's API has it beside the messages."""
        beside = _content({"content": self.body.get("system")})
        return beside + "".join(_content(m) for m in self.messages if m.get("role") == "system")


Script: TypeAlias = Sequence[Reply | str] | Sequence[Rule] | Callable[[Asked], Reply]
"""Replies in order of arrival (a text is a `Reply` of it), rules of which the first that fits
serves, or a function."""


def load_script(path: Path) -> list[Reply] | list[Rule]:
    """Return the script in a JSON file: `{"replies": [...]}` or `{"rules": [...]}`.

    Fields are those of `Reply` and `Rule`. Raises `ValueError` for another shape.
    """
    value = decode(_File, path.read_bytes())
    return list(value.rules) or list(value.replies)


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    replies: tuple[Reply, ...] = ()
    rules: tuple[Rule, ...] = ()


class Chooser:
    """Finds the reply to a request, and counts what has been used."""

    def __init__(self, script: Script) -> None:
        self._function = script if callable(script) else None
        entries = [] if callable(script) else list(script)
        self._rules = [entry for entry in entries if isinstance(entry, Rule)]
        self._replies = [
            Reply(text=entry) if isinstance(entry, str) else entry for entry in entries if not isinstance(entry, Rule)
        ]
        self._served = 0
        self._used = [0] * len(self._rules)

    def reply(self, request: Asked) -> Reply:
        """Return what to answer; 500 with a reason where the script has nothing."""
        if self._function is not None:
            return self._function(request)
        if self._rules:
            return self._by_rule(request)
        self._served += 1
        if self._served > len(self._replies):
            return refusal(500, f"the script has no reply number {self._served}")
        return self._replies[self._served - 1]

    def _by_rule(self, request: Asked) -> Reply:
        for at, rule in enumerate(self._rules):
            if rule.fits(request) and (rule.times is None or self._used[at] < rule.times):
                self._used[at] += 1
                return rule.reply
        return refusal(500, f"no rule fits turn {request.turn}: {request.last[:200]}")


def refusal(
    status: int,
    message: str,
    *,
    code: Json = None,
    type: str = "server_error",
    retry_after: str | None = None,
) -> Reply:
    """Return an error in the shape of OpenAI's API."""
    value = {"error": {"message": message, "type": type, "param": None, "code": code}}
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Reply(status=status, body=encode(value).decode(), headers=headers)


def _content(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(_content({"content": b.get("text") or b.get("content")}) for b in content if isinstance(b, dict))
    return content if isinstance(content, str) else ""
