"""Requests and answers of the OpenAI chat completions API, as JSON on the wire.

https://platform.openai.com/docs/api-reference/chat. `Assembly` takes the chunks of a stream, or
one whole completion, of any server that speaks it, and tolerates their known liberties.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from leadline.codec import encode
from leadline.domain import Json, Message, ModelAnswer, ModelRequest, ToolCall, Usage
from leadline.text.repair import NotJson, parse_json
from leadline.text.think import Piece, ThinkSplitter

UNREADABLE: Final = "_unreadable"
"""Under this name stand arguments that are no JSON object; no tool has such a parameter."""

ANTHROPIC_BLOCKS: Final = "anthropic_blocks"
"""Under this name `opaque` holds another API's blocks, which mean nothing here."""

_FINISH: Final = {
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Quirks:
    """What a server was found not to take; learnt from its refusals, kept for each model."""

    usage_option: bool = True  # stream_options.include_usage
    schema: bool = True  # response_format of kind json_schema
    json_object: bool = True  # response_format of kind json_object, with a schema beside it (llama.cpp)
    completion_tokens: bool = False  # wants max_completion_tokens in place of max_tokens
    sampling: bool = True  # temperature and top_p

    def after(self, *, status: int, text: str, request: ModelRequest) -> Quirks | None:
        """Return what to try next after a refusal with this reason; `None` where nothing is left."""
        text = text.lower()
        if self.usage_option and ("stream_options" in text or "include_usage" in text):
            return replace(self, usage_option=False)
        if not self.completion_tokens and "max_completion_tokens" in text:
            return replace(self, completion_tokens=True)
        if self.sampling and "unsupported" in text and ("temperature" in text or "top_p" in text):
            return replace(self, sampling=False)
        if request.schema is not None and (self.schema or self.json_object):
            return self.without_schema()
        if self.usage_option and status == 422:
            return replace(self, usage_option=False)  # strict servers name no field
        return None

    def without_schema(self) -> Quirks:
        """Return what to try next where a server does not master a schema in this form."""
        return replace(self, schema=False) if self.schema else replace(self, json_object=False)


def body(
    request: ModelRequest,
    *,
    quirks: Quirks,
    stream: bool = True,
    extra: Mapping[str, Json] | None = None,
) -> bytes:
    """Return the request as JSON bytes; `extra` adds fields that `ModelRequest` has no name for."""
    value: dict[str, Any] = {
        "model": request.model,
        "messages": _messages(request, quirks),
    }
    if stream:
        value["stream"] = True
        if quirks.usage_option:
            value["stream_options"] = {"include_usage": True}
    value["max_completion_tokens" if quirks.completion_tokens else "max_tokens"] = request.max_tokens
    if quirks.sampling:
        value["temperature"] = request.temperature
        value["top_p"] = request.top_p
    if request.tools:
        value["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in request.tools
        ]
    if request.stop:
        value["stop"] = list(request.stop)
    if request.seed is not None:
        value["seed"] = request.seed
    if request.schema is not None and (quirks.schema or quirks.json_object):
        value["response_format"] = _format(request.schema, quirks)
    if extra:
        value.update(extra)
    return encode(value)


def _format(schema: Mapping[str, Json], quirks: Quirks) -> dict[str, Any]:
    if quirks.schema:
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    return {"type": "json_object", "schema": schema}


def _messages(request: ModelRequest, quirks: Quirks) -> list[dict[str, Any]]:
    """Return the conversation; where the server takes no schema, its last words describe it."""
    messages = [_message(message) for message in request.messages]
    if request.schema is None or quirks.schema:
        return messages
    told = f"Answer with one JSON value of this JSON schema and nothing else:\n{encode(request.schema).decode()}"
    if messages and messages[-1]["role"] == "user":
        messages[-1]["content"] += f"\n\n{told}"
    else:
        messages.append({"role": "user", "content": told})
    return messages


def _message(message: Message) -> dict[str, Any]:
    value: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        value["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": encode(call.arguments).decode()},
            }
            for call in message.tool_calls
        ]
        if not message.content:
            value["content"] = None
    if message.call_id is not None:
        value["tool_call_id"] = message.call_id
    if message.role == "assistant" and isinstance(message.opaque, dict) and ANTHROPIC_BLOCKS not in message.opaque:
        value.update(message.opaque)
    return value


@dataclass(slots=True)
class _Call:
    """A tool call as its pieces come in."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class Assembly:
    """Puts an answer together from chunks; `take` returns the pieces that just arrived."""

    def __init__(self) -> None:
        self.finish = ""
        self.model = ""
        self.usage: Usage | None = None
        self._splitter = ThinkSplitter()
        self._reasoning: list[str] = []
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._details: list[Json] = []
        self._closed = False

    @property
    def begun(self) -> bool:
        """Whether anything of the answer itself has arrived."""
        return bool(self._reasoning or self._calls or self._splitter.begun or self.finish)

    def take(self, chunk: dict[str, Any]) -> list[Piece]:
        """Take a `chat.completion.chunk`, or a whole `chat.completion`."""
        if isinstance(chunk.get("usage"), dict):
            self.usage = _usage(chunk["usage"])
        model = chunk.get("model")
        if isinstance(model, str) and model:
            self.model = model
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return []
        choice = choices[0]
        delta = choice.get("delta", choice.get("message"))
        pieces = self._delta(delta) if isinstance(delta, dict) else []
        finish = choice.get("finish_reason")
        if isinstance(finish, str) and finish:
            self.finish = _FINISH.get(finish, finish)
        return pieces

    def close(self) -> list[Piece]:
        """Return text that was held back as the possible beginning of a tag; the answer is over."""
        self._closed = True
        return self._splitter.close()

    def answer(self, *, usage: Usage) -> ModelAnswer:
        """Return the whole answer; call `close` first."""
        calls = tuple(
            ToolCall(id=call.id, name=call.name, arguments=_arguments("".join(call.arguments)))
            for call in self._calls
            if call.name
        )
        thoughts = "".join(self._reasoning)
        inner = self._splitter.reasoning.strip()
        return ModelAnswer(
            text=self._splitter.text,
            finish=self.finish,
            reasoning="\n".join(part for part in (thoughts, inner) if part),
            tool_calls=calls,
            usage=usage,
            model=self.model,
            opaque={"reasoning_details": self._details} if self._details else None,
        )

    @property
    def written(self) -> list[str]:
        """All that the model wrote, for an estimate where the server counts nothing."""
        arguments = ["".join(call.arguments) for call in self._calls]
        return [self._splitter.text, self._splitter.reasoning, *self._reasoning, *arguments]

    def _delta(self, delta: dict[str, Any]) -> list[Piece]:
        pieces: list[Piece] = []
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            self._reasoning.append(thought)
            pieces.append(Piece("reasoning", thought))
        details = delta.get("reasoning_details")
        if isinstance(details, list):
            self._details += details
        content = delta.get("content")
        if isinstance(content, list):
            content = "".join(_part(part) for part in content)
        if isinstance(content, str) and content:
            pieces += self._splitter.feed(content)
        calls = delta.get("tool_calls")
        if isinstance(calls, list):
            for call in calls:
                self._call(call)
        return pieces

    def _call(self, delta: object) -> None:
        if not isinstance(delta, dict) or not isinstance(delta.get("function"), dict):
            return
        function = delta["function"]
        call = self._slot(delta, function)
        if isinstance(delta.get("id"), str) and delta["id"]:
            call.id = delta["id"]
        name = function.get("name")
        if isinstance(name, str) and name and name != call.name:
            call.name += name
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            call.arguments.append(arguments)
        elif isinstance(arguments, dict):  # Ollama's native shape, which proxies let through
            call.arguments.append(encode(arguments).decode())

    def _slot(self, delta: dict[str, Any], function: dict[str, Any]) -> _Call:
        """Return the call that a delta belongs to.

        Some servers give all calls the index 0 or none: another id with a name begins a new one.
        """
        index = delta.get("index")
        known = self._by_index.get(index) if isinstance(index, int) else None
        if known is None and not isinstance(index, int) and self._calls:
            known = self._calls[-1]
        new_id = delta.get("id")
        other = bool(known and new_id and known.id and new_id != known.id and function.get("name"))
        if known is None or other:
            known = _Call()
            self._calls.append(known)
        if isinstance(index, int):
            self._by_index[index] = known
        return known


def _part(part: object) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else ""


def _arguments(raw: str) -> dict[str, Json]:
    """Return the arguments object; what cannot be one is kept for the tool's schema to refuse."""
    if not raw.strip():
        return {}
    try:
        value = parse_json(raw)
    except NotJson:
        return {UNREADABLE: raw}
    if isinstance(value, str):  # encoded twice
        try:
            value = parse_json(value)
        except NotJson:
            return {UNREADABLE: raw}
    return value if isinstance(value, dict) else {UNREADABLE: raw}


def _usage(value: dict[str, Any]) -> Usage | None:
    prompt, completion = _count(value, "prompt_tokens"), _count(value, "completion_tokens")
    if not prompt and not completion:
        return None
    details = value.get("prompt_tokens_details")
    cached = _count(details, "cached_tokens") if isinstance(details, dict) else 0
    if not cached:  # DeepSeek's own field
        cached = _count(value, "prompt_cache_hit_tokens")
    return Usage(
        model_calls=1,
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=min(cached, prompt),
    )


def _count(value: dict[str, Any], key: str) -> int:
    found = value.get(key)
    return max(0, int(found)) if isinstance(found, int | float) else 0
