"""A model that plans, researches, outlines and writes, by what it is asked: the same whatever the order of arrival."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from leadline.domain import ModelAnswer, ModelRequest, ToolCall
from leadline.errors import ModelError
from leadline.testing.script import Asked
from leadline.testing.script import Reply as ServerReply

STEPS = ("When was the first lighthouse on the Eddystone lit?", "When was the third lighthouse on the Eddystone lit?")
ANGLES = ("Look at who built them.", "Look at what they were built of.")
PAGE_OF: Mapping[str, str] = {"first": "https://one.test/", "third": "https://three.test/"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "year": {"type": "integer"},
        "builder": {"type": "string"},
        "summary": {"type": "string"},
        "sure": {"type": "boolean"},
    },
    "required": ["year"],
    "additionalProperties": False,
}
STRUCTURED = {
    "year": 1698,
    "builder": "John Smeaton",
    "summary": "The first lighthouse on the Eddystone was lit in 1698.",
    "sure": True,
}

Reply = str | ModelAnswer | ToolCall | ModelError


@dataclass
class Roles:
    """What each role says; a test replaces what it is about. `asked` are the roles in order of their requests."""

    plan: Any = field(default_factory=lambda: json.dumps({"steps": list(STEPS)}))
    angles: Any = field(default_factory=lambda: json.dumps({"steps": list(ANGLES)}))
    clarify: Any = '{"question": ""}'
    outline: Any = field(default_factory=lambda: json.dumps({"sections": [section("First", 1), section("Third", 2)]}))
    section: Callable[[ModelRequest], Reply] | str | None = None
    answer: Any = "ANSWER: The first was lit in 1698 [1], the third in 1759 [2]."
    fuse: Any = (
        "ANSWER: The first lighthouse was lit in 1698 [1].\n\n## More\nThe third lighthouse was lit in 1759 [2].\n"
    )
    writer: Any = "ANSWER: The first lighthouse was lit in 1698 [1].\n"
    structure: Any = field(default_factory=lambda: json.dumps(STRUCTURED))
    gather: Callable[[ModelRequest], Reply] | None = None
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: ModelRequest) -> Reply:
        """Answer a request by its role."""
        role = role_of(request)
        self.asked.append(role)
        said = getattr(self, role)
        if callable(said):
            reply: Reply = said(request)
            return reply
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        if said is None:
            return gathered(request) if role == "gather" else written(request)
        chosen: Reply = said
        return chosen


def section(title: str, *labels: int, about: str = "It says when.") -> dict[str, Any]:
    return {"title": title, "about": about, "excerpts": list(labels)}


_ROLES = {
    "You plan research": "plan",
    "Give each an angle": "angles",
    "one question back": "clarify",
    "make the outline": "outline",
    "write one section": "section",
    "Write the direct answer": "answer",
    "You write one report": "fuse",
    "into JSON of a given schema": "structure",
    "You write a research report": "writer",
}


def role_of(request: ModelRequest) -> str:
    """Return what a request is about, by its rules."""
    system = request.messages[0].content
    return next((role for words, role in _ROLES.items() if words in system), "gather")


def asked_of(request: ModelRequest) -> str:
    """Return the question that a gathering conversation is about."""
    return request.messages[1].content


def gathered(request: ModelRequest) -> Reply:
    """Search, read the page that the question is about, answer."""
    turns = sum(message.role == "assistant" for message in request.messages)
    if turns == 0:
        return ToolCall(name="search", arguments={"query": "Eddystone"}, id="s")
    if turns == 1:
        found = [uri for word, uri in PAGE_OF.items() if word in asked_of(request)]
        return ToolCall(name="visit", arguments={"url": found or list(PAGE_OF.values())}, id="v")
    return "<answer>It was lit.</answer>"


def written(request: ModelRequest) -> Reply:
    """Write a sentence for every excerpt that is shown."""
    labels = re.findall(r"^\[(\d+)\]", request.messages[-1].content, re.MULTILINE)
    quotes = re.findall(r"^\[\d+\].*\n(.+?)\.", request.messages[-1].content, re.MULTILINE)
    return "\n".join(f"{quote} [{label}]." for label, quote in zip(labels, quotes, strict=False))


# --- the same at a server -------------------------------------------------------------------


def served(asked: Asked) -> ServerReply:
    """Answer at a scripted server, by the role that a request is about: each part reads a page of its own."""
    role = next((role for words, role in _ROLES.items() if words in asked.system), "gather")
    if role == "gather":
        return _served_turn(asked)
    texts = {
        "plan": json.dumps({"steps": list(STEPS)}),
        "angles": json.dumps({"steps": list(ANGLES)}),
        "outline": json.dumps({"sections": [section("First", 1), section("Third", 2)]}),
        "section": "It was lit in 1698 [1]." if "Your section: First" in asked.last else "It was lit in 1759 [2].",
        "answer": "ANSWER: The first was lit in 1698 [1], the third in 1759 [2].",
        "fuse": "ANSWER: The first lighthouse was lit in 1698 [1]. The third was lit in 1759 [2].",
    }
    return ServerReply(text=texts.get(role, "ANSWER: It was lit in 1698 [1]."), first_delay=_delay(asked))


def _served_turn(asked: Asked) -> ServerReply:
    question = str(asked.messages[1].get("content"))
    number = next((n for n, words in enumerate(("third", *ANGLES), 1) if words in question), 0)
    page = ("https://one.test/", "https://three.test/", "https://two.test/", "https://three.test/")[number]
    turns: tuple[ToolCall, ...] = (
        ToolCall(name="search", arguments={"query": f"Eddystone part {number}"}, id=f"s{number}"),
        ToolCall(name="visit", arguments={"url": page}, id=f"v{number}"),
    )
    if asked.turn < len(turns):
        return ServerReply(tool_calls=(turns[asked.turn],), first_delay=_delay(asked))
    return ServerReply(text="<answer>It was lit.</answer>", first_delay=_delay(asked))


def _delay(asked: Asked) -> float:
    """Return a delay that differs from request to request and is always the same for one."""
    return int(asked.hash[:2], 16) / 255 * 0.02
