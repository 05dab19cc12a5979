"""What is done: turns with a model, calls of tools, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from leadline.domain.found import Excerpt, Source
from leadline.domain.values import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What something cost: model calls, tokens, US dollars, seconds held, tool calls by name."""

    model_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    tool_calls: Mapping[str, int] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        tools = dict(self.tool_calls)
        for name, count in other.tool_calls.items():
            tools[name] = tools.get(name, 0) + count
        return Usage(
            model_calls=self.model_calls + other.model_calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
            seconds=self.seconds + other.seconds,
            tool_calls=tools,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolSpec:
    """A tool as it is offered to a model.

    `parameters` is a JSON schema (2020-12) of the arguments object. A call of a tool that is not
    `idempotent` is never issued twice: after a crash its outcome is unknown.
    """

    name: str
    description: str
    parameters: Mapping[str, Json]
    idempotent: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A call that a model, or a strategy without one, asks for. `id` is the model's own or derived."""

    name: str
    arguments: Mapping[str, Json]
    id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message of a conversation with a model.

    `opaque` holds provider blocks (signed thinking and the like) that must go back byte for byte.
    `call_id` names the call that a `tool` message answers.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    opaque: Json = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRequest:
    """Everything that is sent to a model but the address and the key.

    `schema` asks for a JSON answer of that JSON schema. `seed` makes sampling repeatable where
    the server can.
    """

    messages: tuple[Message, ...]
    model: str
    tools: tuple[ToolSpec, ...] = ()
    temperature: float = 0.6
    top_p: float = 0.95
    max_tokens: int = 8192
    stop: tuple[str, ...] = ()
    seed: int | None = None
    schema: Mapping[str, Json] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelAnswer:
    """What a model answered; `text` is without its `reasoning`.

    `finish` is the server's finish reason: `stop`, `length`, `tool_calls` or its own word.
    """

    text: str
    finish: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    opaque: Json = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A typed failure of a call, as recorded: an error's `code` and a message fit for a model.

    Codes of errors are in `errors`; `interrupted` (a flag came), `unknown_outcome` (a call that
    is not idempotent was in flight when its worker died) and `deadline` are the recorder's own.
    """

    code: str
    message: str
    retryable: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """A source with its stored text and, where they may travel, the raw bytes it was made from.

    `links` are the absolute addresses that a page of the web links to, in order.
    """

    source: Source
    text: str
    raw: bytes | None = None
    links: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolResult:
    """What a tool gave: a JSON value that names sources by id, and the sources themselves.

    The text that a model sees is derived from `value` by the tool's own versioned `render`;
    `shown` are the spans of stored text that it shows: what a report may cite first. `usage` is
    what models cost that the tool itself asked, beside `cost_usd`.
    """

    value: Json
    sources: tuple[Fetched, ...] = ()
    shown: tuple[Excerpt, ...] = ()
    cost_usd: float = 0.0
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One entry of a research plan: a sub-question, and what was found for it."""

    text: str
    done: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a strategy means to find out, in order."""

    steps: tuple[Step, ...]
