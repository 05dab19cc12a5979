"""What the gateway reads of a request and of an answer; it changes neither."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

_TAIL: Final = 4096
_TOKENS_PER_BYTE: Final = 0.25
_USUAL_ANSWER: Final = 1024
_DONE: Final = re.compile(rb"^data: ?\[DONE\]", re.MULTILINE)
_FINISHED: Final = re.compile(rb'"finish_reason": ?"')
_ERROR: Final = re.compile(rb'^data: ?(\{"error".*)', re.MULTILINE)
_PROMPT: Final = re.compile(rb'"prompt_tokens": ?(\d{1,12})')
_COMPLETION: Final = re.compile(rb'"completion_tokens": ?(\d{1,12})')


class NotAsked(ValueError):
    """The body is not a JSON object."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Peeked:
    """What a request says of itself; `tokens` is what it may cost, prompt and answer."""

    model: str
    stream: bool
    session: str
    prompt_tokens: int
    tokens: int


def peek(body: bytes, *, session: str) -> Peeked:
    """Return what a request says; `session` is what its headers named. Raises `NotAsked`."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotAsked("the body is not JSON") from error
    if not isinstance(value, dict):
        raise NotAsked("the body is not a JSON object")
    prompt = round(len(body) * _TOKENS_PER_BYTE) + 1
    most = value.get("max_completion_tokens") or value.get("max_tokens") or _USUAL_ANSWER
    answer = most if isinstance(most, int) and most > 0 else _USUAL_ANSWER
    return Peeked(
        model=_text(value.get("model")),
        stream=value.get("stream") is True,
        session=session or _conversation(value),
        prompt_tokens=prompt,
        tokens=prompt + (0 if "input" in value else answer),
    )


def _conversation(value: dict[str, Any]) -> str:
    """Return a name for the conversation: its user, its system message and its first user message.

    Those stay the same from turn to turn, and two conversations with one system prompt differ.
    """
    messages = value.get("messages")
    if not isinstance(messages, list):
        prompt = _text(value.get("prompt"))
        return hashlib.sha256(prompt[:1024].encode("utf-8", "replace")).hexdigest()[:32] if prompt else ""
    digest = hashlib.sha256(_text(value.get("user")).encode("utf-8", "replace"))
    for message in messages:
        digest.update(orjson.dumps(message))
        if not isinstance(message, dict) or message.get("role") == "user":
            break
    return digest.hexdigest()[:32]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def before_error(chunk: bytes) -> bytes:
    """Return the part of a stream that comes before the error in it."""
    found = _ERROR.search(chunk)
    return chunk if found is None else chunk[: found.start()]


class Tail:
    """The end of a stream of events: whether it is whole, and what it says it took."""

    __slots__ = ("_events", "_kept")

    def __init__(self) -> None:
        self._kept = b""
        self._events = 0

    def take(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._events += chunk.count(b"data:")
        self._kept = chunk[-_TAIL:] if len(chunk) >= _TAIL else (self._kept + chunk)[-_TAIL:]

    @property
    def whole(self) -> bool:
        """Whether the stream said that it is over, or why its answer is."""
        return self.done or _FINISHED.search(self._kept) is not None

    @property
    def done(self) -> bool:
        """Whether nothing more is to come."""
        return b"[DONE]" in self._kept and _DONE.search(self._kept) is not None

    @property
    def error(self) -> bytes:
        """The error that the server reports in its stream, empty where there is none."""
        found = _ERROR.search(self._kept) if b'{"error"' in self._kept else None
        return found[1] if found is not None else b""

    def tokens(self, prompt_tokens: int) -> int:
        """Return what the answer took: as counted by the server, else a guess, an event a token."""
        return counted(self._kept) or prompt_tokens + self._events


def counted(answer: bytes) -> int:
    """Return the tokens that an answer says it took, 0 where it does not say."""
    prompt, completion = _PROMPT.search(answer), _COMPLETION.search(answer)
    if prompt is None:
        return 0
    return int(prompt[1]) + (int(completion[1]) if completion is not None else 0)
