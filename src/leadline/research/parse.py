"""Model text to a typed turn: calls, an answer, or what is wrong with it. Pure; never raises.

Understood, by the order of tags in the text:

    <think>...</think>                        set aside as `thought`, closed or not
    <tool_call>{json}</tool_call>             any number; the close tag is optional
    <tool_call>{json}<code>...</code>         a program kept out of the JSON (`arguments.code`)
    <tool_call><function=name>...             parameters as tags
    <answer>...</answer>                      ends the turn; what follows is not read
    <tool_response>                           written by the model itself: cut off there

Without tags, a fenced or bare JSON object is a call if it names a known tool. Damaged JSON is
repaired. The tool is the one that is named, never guessed from words in the arguments.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from leadline.domain import ToolCall, ToolSpec
from leadline.text.repair import NotJson, parse_json, parse_values
from leadline.text.think import split_thoughts

MAX_CALLS: Final = 32

_TAG: Final = re.compile(r"<(tool_call|answer|tool_response)>")
_CALL_TAG: Final = re.compile(r"<(?:tool_call|answer|tool_response|think)>")
_CLOSE_CALL: Final = "</tool_call>"
_CLOSE_ANSWER: Final = "</answer>"
# Behind the JSON, so that a word in an argument is none.
_CODE_OPEN: Final = re.compile(r"[}`]\s{0,200}(<code>)")
_CODE_CLOSE: Final = "</code>"
_FUNCTION: Final = re.compile(r"\s*<function=([^>\n]{1,100})>")
_PARAMETER: Final = re.compile(r"<parameter=([^>\n]{1,100})>(.*?)(?:</parameter>|(?=<parameter=)|\Z)", re.DOTALL)
_FENCE: Final = re.compile(r"```(?:json|tool_call|tool)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
_PREFIX: Final = re.compile(r"^(?:functions?|tools?)[.:/]")
_NAME_KEYS: Final = ("name", "tool", "tool_name", "function_name", "function")
_ARGUMENT_KEYS: Final = ("arguments", "parameters", "args", "input", "params")


@dataclass(frozen=True, kw_only=True, slots=True)
class Calls:
    """The model asks for tools, in this order.

    `broken` tells what is wrong with further calls that could not be read; the model should see
    it. A name that no tool has is left as it is: the answer to it is the caller's.
    """

    calls: tuple[ToolCall, ...]
    thought: str = ""
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The model is done; `text` is its answer without tags. `tagged`: it stood in `<answer>`."""

    text: str
    thought: str = ""
    tagged: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Malformed:
    """The turn can be neither acted on nor shown.

    `reason` is a sentence for the model, `code` one of `empty`, `unclosed_thought`,
    `broken_call`, `too_many_calls`, `no_action`. `text` is the whole turn.
    """

    reason: str
    code: str
    text: str
    thought: str = ""


Turn: TypeAlias = Calls | Answer | Malformed


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """What one block or object holds: calls, and complaints about what is no call."""

    calls: tuple[tuple[str, Any], ...] = ()
    broken: tuple[str, ...] = ()


def parse_turn(
    text: str,
    native_calls: Sequence[ToolCall] = (),
    *,
    tools: Collection[ToolSpec] = (),
) -> Turn:
    """Return what the model wants.

    `native_calls` are those that the server itself read; they win over tags. `tools` are the
    tools on offer: their names tell a call without tags from an answer that happens to be JSON.
    """
    said, thought = split_thoughts(text)
    if native_calls:
        return _native(native_calls, text=text, thought=thought)
    if "<think>" in said:
        said, thought = _out_of_thought(said, thought)
    specs = {spec.name: spec for spec in tools}
    turn = _tagged(said, thought=thought, specs=specs, whole=text)
    if turn is not None:
        return turn
    said = said.strip()
    if said.startswith("<think>"):
        return Malformed(
            reason="The thought never ends: close it with </think>, then call a tool or answer.",
            code="unclosed_thought",
            text=text,
            thought=said.removeprefix("<think>").strip(),
        )
    if not said:
        # Some models put the call itself into the thought.
        inner = _tagged(thought, thought=thought, specs=specs, whole=text)
        if isinstance(inner, Calls):
            return inner
        reason = "The turn is empty: call a tool or give the answer."
        return Malformed(reason=reason, code="empty", text=text, thought=thought)
    return _untagged(said, thought=thought, specs=specs)


def extract_calls(raw: str) -> list[dict[str, Any]]:
    """Return the calls in `raw` as `{"name", "arguments"}`, arguments repaired but not judged.

    Looser than `parse_turn`: arguments may be any JSON value.
    """
    said, thought = split_thoughts(raw)
    if "<think>" in said:
        said, thought = _out_of_thought(said, thought)
    found = _blocks(said)
    if not found.calls and not said.strip():
        found = _blocks(thought)
    return [{"name": name, "arguments": arguments} for name, arguments in found.calls]


# --- the parts of a turn ---------------------------------------------------------------------


def _native(calls: Sequence[ToolCall], *, text: str, thought: str) -> Turn:
    if len(calls) > MAX_CALLS:
        return _too_many(text, thought)
    return Calls(calls=tuple(calls), thought=thought)


def _out_of_thought(said: str, thought: str) -> tuple[str, str]:
    """Split what follows an unclosed `<think>` at the first tag that ends it."""
    before, _, inside = said.partition("<think>")
    tag = _TAG.search(inside)
    if tag is None or tag[1] == "tool_response":
        return said, thought
    pieces = (thought, inside[: tag.start()])
    return before + inside[tag.start() :], "\n".join(p.strip() for p in pieces if p.strip())


def _tagged(said: str, *, thought: str, specs: dict[str, ToolSpec], whole: str) -> Turn | None:
    """Return the turn that the first decisive tag makes; `None` without one."""
    tag = _TAG.search(said)
    if tag is None:
        return None
    if tag[1] == "answer":
        body = said[tag.end() :]
        end = body.find(_CLOSE_ANSWER)
        text = (body if end < 0 else body[:end]).strip()
        if text:
            return Answer(text=text, thought=thought, tagged=True)
        reason = "The answer is empty: write it between <answer> and </answer>."
        return Malformed(reason=reason, code="empty", text=whole, thought=thought)
    if tag[1] == "tool_response":
        return _before_response(said[: tag.start()].strip(), thought=thought, specs=specs, whole=whole)
    return _turn_of(_blocks(said), specs=specs, thought=thought, whole=whole)


def _before_response(said: str, *, thought: str, specs: dict[str, ToolSpec], whole: str) -> Turn:
    if said and not said.startswith("<think>"):
        return _untagged(said, thought=thought, specs=specs)
    reason = "Do not write a tool's response yourself: call the tool, or give the answer."
    return Malformed(reason=reason, code="empty", text=whole, thought=thought)


def _turn_of(found: _Found, *, specs: dict[str, ToolSpec], thought: str, whole: str) -> Turn:
    if len(found.calls) + len(found.broken) > MAX_CALLS:
        return _too_many(whole, thought)
    calls: list[ToolCall] = []
    broken = list(found.broken)
    for name, arguments in found.calls:
        call = _call(name, arguments, specs)
        if isinstance(call, str):
            broken.append(call)
        else:
            calls.append(call)
    if calls:
        return Calls(calls=tuple(calls), thought=thought, broken=tuple(broken))
    reason = " ".join(broken) or "The call is empty."
    return Malformed(reason=reason, code="broken_call", text=whole, thought=thought)


def _untagged(said: str, *, thought: str, specs: dict[str, ToolSpec]) -> Turn:
    """Return calls that stand without tags but name known tools, else the answer."""
    body = said
    fence = _FENCE.search(said)
    if fence is not None:
        body = fence[1]
    if specs and body.lstrip()[:1] in {"{", "["}:
        found = _objects(body)
        calls = [_call(name, arguments, specs) for name, arguments in found.calls]
        known = [c for c in calls if isinstance(c, ToolCall) and c.name in specs]
        if known and len(known) == len(calls) <= MAX_CALLS:
            return Calls(calls=tuple(known), thought=thought)
    return Answer(text=said, thought=thought)


def _too_many(text: str, thought: str) -> Malformed:
    reason = f"Too many calls at once: make at most {MAX_CALLS}."
    return Malformed(reason=reason, code="too_many_calls", text=text, thought=thought)


# --- calls in tags ---------------------------------------------------------------------------


def _blocks(said: str) -> _Found:
    """Return the calls of all `<tool_call>` blocks up to an answer or a response."""
    calls: list[tuple[str, Any]] = []
    broken: list[str] = []
    at = 0
    while len(calls) + len(broken) <= MAX_CALLS:
        tag = _TAG.search(said, at)
        if tag is None or tag[1] != "tool_call":
            break
        end, at = _end_of_block(said, tag.end())
        found = _block(said[tag.end() : end])
        calls += found.calls
        broken += found.broken
    return _Found(calls=tuple(calls), broken=tuple(broken))


def _end_of_block(said: str, start: int) -> tuple[int, int]:
    """Return where the block's body ends and where reading goes on."""
    close = said.find(_CLOSE_CALL, start)
    code = _CODE_OPEN.search(said, start, close if close >= 0 else len(said))
    if code is not None:
        after = said.find(_CODE_CLOSE, code.end())
        if after >= 0:
            close = said.find(_CLOSE_CALL, after)
            start = after
    following = _CALL_TAG.search(said, start, close if close >= 0 else len(said))
    if following is None:
        return (close, close + len(_CLOSE_CALL)) if close >= 0 else (len(said), len(said))
    if close >= 0 and _is_json(said[start:close]):
        return close, close + len(_CLOSE_CALL)
    return following.start(), following.start()


def _is_json(body: str) -> bool:
    """Whether a tag inside `body` is data: it stands in a string of valid JSON."""
    try:
        return isinstance(orjson.loads(body.strip()), dict)
    except orjson.JSONDecodeError:
        return False


def _block(body: str) -> _Found:
    function = _FUNCTION.match(body)
    if function is not None:
        arguments = {k.strip(): _loose(v.strip("\n")) for k, v in _PARAMETER.findall(body)}
        return _Found(calls=((function[1].strip(), arguments),))
    opening = _CODE_OPEN.search(body)
    if opening is None:
        return _objects(body)
    head = _objects(body[: opening.start(1)])
    if not head.calls:
        return _objects(body)
    close = body.rfind(_CODE_CLOSE)
    code = body[opening.end() : close if close > opening.end() else len(body)].strip("\n")
    name, arguments = head.calls[-1]
    merged = {**arguments, "code": code} if isinstance(arguments, dict) else {"code": code}
    return _Found(calls=(*head.calls[:-1], (name, merged)), broken=head.broken)


def _loose(value: str) -> Any:  # noqa: ANN401 a JSON tree has no narrower type
    """Return a tagged parameter: JSON where it plainly is, else the text."""
    if value[:1] in {"{", "["} or value in {"true", "false", "null"} or value.isdigit():
        try:
            return parse_json(value)
        except NotJson:
            return value
    return value


def _objects(body: str) -> _Found:
    """Return the calls that the JSON objects in `body` describe."""
    if not body.strip():
        return _Found(broken=("The call is empty.",))
    try:
        values = parse_values(body, limit=MAX_CALLS + 1)
    except NotJson as error:
        return _Found(broken=(f"The call is not JSON: {error}.",))
    calls: list[tuple[str, Any]] = []
    broken: list[str] = []
    for value in values:
        for item in value if isinstance(value, list) else [value]:
            name, arguments = _named(item) if isinstance(item, dict) else ("", None)
            if name:
                calls.append((name, arguments))
            else:
                broken.append('A call needs the form {"name": ..., "arguments": {...}}.')
    if not values:
        broken.append("The call is not JSON.")
    return _Found(calls=tuple(calls), broken=tuple(broken[:MAX_CALLS]))


def _named(value: dict[str, Any]) -> tuple[str, Any]:
    """Return name and arguments of a call object in any of its usual shapes."""
    inner = value.get("function")
    if isinstance(inner, dict):
        value = inner
    key = next((k for k in _NAME_KEYS if isinstance(value.get(k), str) and value[k].strip()), None)
    if key is None:
        return "", None
    for holder in _ARGUMENT_KEYS:
        if holder in value:
            return value[key].strip(), _unwrapped(value[holder])
    return value[key].strip(), {k: v for k, v in value.items() if k not in {key, "id", "type"}}


def _unwrapped(arguments: Any) -> Any:  # noqa: ANN401 a JSON tree has no narrower type
    """Return arguments that were written as a JSON string as what they stand for."""
    if arguments is None:
        return {}
    if not isinstance(arguments, str) or arguments.lstrip()[:1] not in {"{", "["}:
        return arguments
    try:
        return parse_json(arguments)
    except NotJson:
        return arguments


def _call(name: str, arguments: Any, specs: dict[str, ToolSpec]) -> ToolCall | str:  # noqa: ANN401 any JSON value
    """Return the call, or what is wrong with it."""
    name = _known(name, specs)
    if isinstance(arguments, dict):
        return ToolCall(name=name, arguments=arguments)
    spec = specs.get(name)
    parameter = _only_parameter(spec) if spec is not None else None
    if parameter is not None and arguments not in ("", None):
        return ToolCall(name=name, arguments={parameter: arguments})
    if arguments in ("", []):
        return ToolCall(name=name, arguments={})
    return f"The arguments of `{name}` must be a JSON object."


def _known(name: str, specs: dict[str, ToolSpec]) -> str:
    """Return the tool's own spelling of `name` where only case or a prefix differs."""
    if name in specs:
        return name
    bare = _PREFIX.sub("", name)
    folded = {known.casefold(): known for known in specs}
    return folded.get(bare.casefold(), name)


def _only_parameter(spec: ToolSpec) -> str | None:
    """Return the one parameter that a bare value can only be meant for."""
    properties = spec.parameters.get("properties")
    required = spec.parameters.get("required")
    if isinstance(required, list) and len(required) == 1 and isinstance(required[0], str):
        return required[0]
    if isinstance(properties, dict) and len(properties) == 1:
        return next(iter(properties))
    return None
