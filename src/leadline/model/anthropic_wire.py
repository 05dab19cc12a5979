"""Requests and answers of Anthropic's messages API, as JSON on the wire.

https://docs.anthropic.com/en/api/messages and .../messages-streaming. Thinking blocks carry a
signature over their text: they go back exactly as they came, in the order in which they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from leadline.codec import encode
from leadline.domain import Json, Message, ModelAnswer, ModelRequest, ToolCall, Usage
from leadline.model.openai_wire import ANTHROPIC_BLOCKS, UNREADABLE
from leadline.text.repair import NotJson, parse_json
from leadline.text.think import Piece

ANSWER_TOOL: Final = "answer"
"""A JSON answer is asked for as the arguments of this tool, which is then not shown as a call."""

_FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
}
_THINKING: Final = frozenset({"thinking", "redacted_thinking"})
# Where the pieces of a block are, by the kind of event.
_FIELDS: Final[Mapping[str, str]] = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
}
_EPHEMERAL: Final[Mapping[str, Json]] = {"cache_control": {"type": "ephemeral"}}


def asks_by_tool(request: ModelRequest, *, thinking: int | None) -> bool:
    """Whether the schema travels as a tool: not beside other tools, nor with thinking, which forbids force."""
    return request.schema is not None and not request.tools and thinking is None


def body(
    request: ModelRequest,
    *,
    thinking: int | None = None,
    cache: bool = True,
    extra: Mapping[str, Json] | None = None,
) -> bytes:
    """Return the request as JSON bytes.

    `thinking` is how many tokens a model may think; `cache` marks the ends of the system prompt and
    of the conversation for the server's prompt cache.
    """
    value: dict[str, Any] = {
        "model": request.model,
        "stream": True,
        "max_tokens": request.max_tokens + (thinking or 0),
        "messages": _messages(request.messages),
    }
    system = [{"type": "text", "text": m.content} for m in request.messages if m.role == "system" and m.content.strip()]
    if request.schema is not None and not asks_by_tool(request, thinking=thinking):
        system.append({"type": "text", "text": _schema_in_words(request.schema)})
    if system:
        value["system"] = system
    if thinking is not None:
        value["thinking"] = {"type": "enabled", "budget_tokens": thinking}
    else:
        value["temperature"] = min(1.0, request.temperature)  # newer models refuse top_p beside it
    tools = _tools(request, thinking=thinking)
    if tools:
        value["tools"] = tools
    if asks_by_tool(request, thinking=thinking):
        value["tool_choice"] = {"type": "tool", "name": ANSWER_TOOL}
    if request.stop:
        value["stop_sequences"] = list(request.stop)
    if cache:
        _mark(value)
    if extra:
        value.update(extra)
    return encode(value)


def _tools(request: ModelRequest, *, thinking: int | None) -> list[dict[str, Any]]:
    tools: list[dict[str, Any]] = [
        {"name": tool.name, "description": tool.description, "input_schema": tool.parameters} for tool in request.tools
    ]
    if asks_by_tool(request, thinking=thinking):
        tools.append({"name": ANSWER_TOOL, "description": "Give the answer.", "input_schema": request.schema})
    return tools


def _schema_in_words(schema: Mapping[str, Json]) -> str:
    return f"Answer with one JSON value of this JSON schema and nothing else:\n{encode(schema).decode()}"


def _mark(value: dict[str, Any]) -> None:
    """Mark the last system block and the last block of the conversation: what comes before is the same next time."""
    for blocks in (value.get("system"), value["messages"][-1]["content"] if value["messages"] else None):
        if blocks and blocks[-1].get("type") not in _THINKING:
            blocks[-1] = {**blocks[-1], **_EPHEMERAL}


def _messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the conversation; the API wants roles to alternate, so neighbours of one role become one."""
    found: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _assistant(message) if role == "assistant" else _user(message)
        if not blocks:
            continue
        if found and found[-1]["role"] == role:
            found[-1]["content"] += blocks
        else:
            found.append({"role": role, "content": blocks})
    _without_last_space(found)
    return found


def _without_last_space(messages: list[dict[str, Any]]) -> None:
    """An answer that is to be continued must not end in white space."""
    if messages and messages[-1]["role"] == "assistant" and messages[-1]["content"][-1]["type"] == "text":
        last = messages[-1]["content"][-1]
        messages[-1]["content"][-1] = {**last, "text": last["text"].rstrip()}


def _user(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [{"type": "tool_result", "tool_use_id": message.call_id or "", "content": message.content}]
    return [{"type": "text", "text": message.content}] if message.content.strip() else []


def _assistant(message: Message) -> list[dict[str, Any]]:
    kept = message.opaque.get(ANTHROPIC_BLOCKS) if isinstance(message.opaque, dict) else None
    blocks: list[dict[str, Any]] = (
        [block for block in kept if isinstance(block, dict)] if isinstance(kept, list) else []
    )
    calls = [block.get("id") for block in blocks if block.get("type") == "tool_use"]
    if blocks and calls == [call.id for call in message.tool_calls]:
        return blocks
    blocks = [block for block in blocks if block.get("type") in _THINKING]
    if message.content.strip():
        blocks.append({"type": "text", "text": message.content})
    blocks += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in message.tool_calls
    ]
    return blocks


class Assembly:
    """Puts an answer together from the events of a stream, or from one whole message."""

    def __init__(self, *, by_tool: bool = False) -> None:
        self.finish = ""
        self.model = ""
        self.usage: Usage | None = None
        self._by_tool = by_tool
        self._blocks: dict[int, dict[str, Any]] = {}
        self._parts: dict[int, list[str]] = {}
        self._counts: dict[str, int] = {}

    @property
    def begun(self) -> bool:
        """Whether anything of the answer itself has arrived."""
        return bool(self._blocks or self.finish)

    @property
    def written(self) -> list[str]:
        """All that the model wrote."""
        return ["".join(parts) for parts in self._parts.values()]

    def take(self, chunk: dict[str, Any]) -> list[Piece]:
        """Take an event, or a whole message; return the pieces that just arrived."""
        kind = chunk.get("type")
        if kind == "message_start" and isinstance(chunk.get("message"), dict):
            self._head(chunk["message"])
        elif kind == "content_block_start" and isinstance(chunk.get("content_block"), dict):
            return self._start(_index(chunk), chunk["content_block"])
        elif kind == "content_block_delta" and isinstance(chunk.get("delta"), dict):
            return self._delta(_index(chunk), chunk["delta"])
        elif kind == "message_delta":
            self._tail(chunk.get("delta"), chunk.get("usage"))
        elif kind == "message":
            return self._whole(chunk)
        return []

    def close(self) -> list[Piece]:
        """Return what was held back: nothing, since this API has no tags in text."""
        return []

    def answer(self, *, usage: Usage) -> ModelAnswer:
        """Return the whole answer."""
        blocks = [self._finished(at) for at in sorted(self._blocks)]
        text = "".join(block["text"] for block in blocks if block.get("type") == "text")
        calls = [block for block in blocks if block.get("type") == "tool_use"]
        finish = self.finish
        if self._by_tool and calls:
            text, calls = encode(calls[0]["input"]).decode(), []
            finish = "stop" if finish == "tool_calls" else finish
        thoughts = [block["thinking"] for block in blocks if block.get("type") == "thinking"]
        signed = any(block.get("type") in _THINKING for block in blocks)
        return ModelAnswer(
            text=text,
            finish=finish,
            reasoning="\n".join(thought for thought in thoughts if thought),
            tool_calls=tuple(ToolCall(id=c["id"], name=c["name"], arguments=c["input"]) for c in calls),
            usage=usage,
            model=self.model,
            opaque={ANTHROPIC_BLOCKS: list(blocks)} if signed else None,
        )

    # --- events ---

    def _head(self, message: dict[str, Any]) -> None:
        model = message.get("model")
        self.model = model if isinstance(model, str) else ""
        self._count(message.get("usage"))

    def _tail(self, delta: object, usage: object) -> None:
        reason = delta.get("stop_reason") if isinstance(delta, dict) else None
        if isinstance(reason, str) and reason:
            self.finish = _FINISH.get(reason, reason)
        self._count(usage)

    def _whole(self, message: dict[str, Any]) -> list[Piece]:
        self._head(message)
        content = message.get("content")
        pieces: list[Piece] = []
        for at, block in enumerate(content if isinstance(content, list) else []):
            if isinstance(block, dict):
                pieces += self._start(at, block)
        self._tail(message, None)
        return pieces

    def _start(self, at: int, block: dict[str, Any]) -> list[Piece]:
        """Take a block's beginning, which in a whole message is all of it."""
        self._blocks[at] = dict(block)
        self._parts[at] = []
        kind = block.get("type")
        if kind == "text":
            return self._delta(at, {"type": "text_delta", "text": block.get("text")})
        if kind == "thinking":
            return self._delta(at, {"type": "thinking_delta", "thinking": block.get("thinking")})
        if kind == "tool_use" and block.get("input"):
            self._parts[at].append(encode(block["input"]).decode())
        return []

    def _delta(self, at: int, delta: dict[str, Any]) -> list[Piece]:
        block = self._blocks.setdefault(at, {"type": "text"})
        parts = self._parts.setdefault(at, [])
        kind = delta.get("type")
        if kind == "signature_delta":
            block["signature"] = block.get("signature", "") + str(delta.get("signature") or "")
            return []
        piece = delta.get(_FIELDS.get(str(kind), ""))
        if not isinstance(piece, str) or not piece:
            return []
        parts.append(piece)
        if kind == "thinking_delta":
            return [Piece("reasoning", piece)]
        return [Piece("text", piece)] if kind == "text_delta" or self._by_tool else []

    def _finished(self, at: int) -> dict[str, Any]:
        """Return a block as it goes back: what was sent, with its pieces put together."""
        block, whole = self._blocks[at], "".join(self._parts[at])
        kind = block.get("type")
        if kind in {"text", "thinking"}:
            return {**block, kind: whole}
        if kind == "tool_use":
            name, call_id = block.get("name"), block.get("id")
            return {**block, "id": str(call_id or ""), "name": str(name or ""), "input": _input(whole)}
        return block

    def _count(self, usage: object) -> None:
        """Take counts; those of the answer grow from event to event, the last one holds."""
        if not isinstance(usage, dict):
            return
        for key, found in usage.items():
            if isinstance(found, int) and not isinstance(found, bool):
                self._counts[key] = max(0, found)
        cached = self._counts.get("cache_read_input_tokens", 0)
        prompt = self._counts.get("input_tokens", 0) + cached + self._counts.get("cache_creation_input_tokens", 0)
        completion = self._counts.get("output_tokens", 0)
        if prompt or completion:
            self.usage = Usage(model_calls=1, prompt_tokens=prompt, completion_tokens=completion, cached_tokens=cached)


def _index(chunk: dict[str, Any]) -> int:
    index = chunk.get("index")
    return index if isinstance(index, int) else 0


def _input(raw: str) -> dict[str, Json]:
    if not raw.strip():
        return {}
    try:
        value = parse_json(raw)
    except NotJson:
        return {UNREADABLE: raw}
    return value if isinstance(value, dict) else {UNREADABLE: raw}
