"""Answers that were cut at their limit, and JSON answers that do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from leadline.domain import Message, ModelAnswer, ModelRequest, ToolCall, Usage
from leadline.errors import ContextOverflow, ModelBroken
from leadline.model.continuing import ContinuingModel, overlap
from leadline.model.scripted import ScriptedModel, ScriptedReply
from leadline.model.structured import StructuredModel, fitted

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"capital": {"type": "string"}, "people": {"type": "integer", "minimum": 1}},
    "required": ["capital"],
    "additionalProperties": False,
}


def asking(**fields: Any) -> ModelRequest:
    return ModelRequest(messages=(Message(role="user", content="Tell me all."),), model="m", **fields)


def cut(text: str, **fields: Any) -> ModelAnswer:
    usage = Usage(model_calls=1, prompt_tokens=10, completion_tokens=5)
    return ModelAnswer(text=text, finish="length", usage=usage, **fields)


async def continued(script: Sequence[ScriptedReply], **options: Any) -> tuple[ModelAnswer, ScriptedModel]:
    inner = ScriptedModel(script)
    answer = await ContinuingModel(inner, **options).complete(asking(), deadline=9.0, session="s")
    return answer, inner


async def test_a_cut_answer_is_continued_where_it_stopped() -> None:
    answer, inner = await continued([cut("Paris is the cap"), "ital of France."])
    assert answer.text == "Paris is the capital of France."
    assert answer.finish == "stop"
    assert answer.usage.model_calls == 2
    assert answer.usage.prompt_tokens > 10
    assert [m.role for m in inner.requests[1].messages] == ["user", "assistant", "user"]
    assert inner.requests[1].messages[1].content == "Paris is the cap"


async def test_what_is_repeated_is_left_out() -> None:
    answer, _ = await continued([cut("It lies on the river Seine, in the"), "river Seine, in the north."])
    assert answer.text == "It lies on the river Seine, in the north."


async def test_it_ends_after_so_many_rounds() -> None:
    answer, inner = await continued([cut("one "), cut("two "), cut("three ")], rounds=2)
    assert (answer.text, answer.finish, inner.calls) == ("one two three ", "length", 3)


@pytest.mark.parametrize(
    "answer",
    [
        ModelAnswer(text="done", finish="stop"),
        cut(""),
        cut("", reasoning="still thinking"),
        cut("x", tool_calls=(ToolCall(id="1", name="search", arguments={}),)),
        cut('<tool_call>{"name": "sea'),
    ],
    ids=["whole", "empty", "thoughts", "call", "call in text"],
)
async def test_what_cannot_be_continued_stays_as_it_is(answer: ModelAnswer) -> None:
    found, inner = await continued([answer])
    assert found.text == answer.text
    assert inner.calls == 1


async def test_a_continuation_that_does_not_fit_leaves_the_answer() -> None:
    answer, _ = await continued([cut("half of it"), ContextOverflow("too long")])
    assert (answer.text, answer.finish) == ("half of it", "length")


@pytest.mark.parametrize(
    ("first", "rest", "count"),
    [
        ("abcdefghijklmnop", "efghijklmnopq", 12),
        ("abcdefghijklmnop", "mnopq", 0),  # as few as that may be chance
        ("x" * 900, "x" * 500, 400),
        ("", "abc", 0),
    ],
)
def test_overlaps_are_found_where_they_cannot_be_chance(first: str, rest: str, count: int) -> None:
    assert overlap(first, rest) == count


# --- JSON that fits ------------------------------------------------------------------------------


async def structured(script: Sequence[ScriptedReply], **options: Any) -> tuple[ModelAnswer, ScriptedModel]:
    inner = ScriptedModel(script)
    answer = await StructuredModel(inner, **options).complete(asking(schema=SCHEMA), deadline=9.0, session="s")
    return answer, inner


@pytest.mark.parametrize(
    "text",
    [
        '{"capital": "Paris", "people": 2100000}',
        'Here you are:\n```json\n{"capital": "Paris", "people": 2100000}\n```',
        "{'capital': 'Paris', 'people': 2100000,}",
    ],
    ids=["plain", "fenced", "sloppy"],
)
async def test_an_answer_is_repaired_and_given_as_json(text: str) -> None:
    answer, inner = await structured([text])
    assert orjson.loads(answer.text) == {"capital": "Paris", "people": 2_100_000}
    assert inner.calls == 1


async def test_an_answer_that_does_not_fit_is_asked_for_once_more_with_the_reason() -> None:
    answer, inner = await structured(['{"capital": "Paris", "people": 0}', '{"capital": "Paris", "people": 5}'])
    assert orjson.loads(answer.text)["people"] == 5
    asked = inner.requests[1].messages[-1].content
    assert "$.people" in asked
    assert '"minimum":1' in asked
    assert answer.usage.model_calls == 2


async def test_after_that_it_is_a_failure() -> None:
    with pytest.raises(ModelBroken, match="capital"):
        await structured(["{}", '{"people": 3}'])
    with pytest.raises(ModelBroken, match="not JSON"):
        await structured(["Paris.", "Paris!"])


async def test_without_a_schema_nothing_is_touched() -> None:
    inner = ScriptedModel(["{not json"])
    answer = await StructuredModel(inner).complete(asking(), deadline=9.0, session="s")
    assert answer.text == "{not json"


def test_what_is_wrong_is_told_in_order_and_not_at_length() -> None:
    wrong = fitted('{"people": "' + "x" * 9000 + '", "z": 1}', SCHEMA)
    assert isinstance(wrong, str)
    assert len(wrong) < 1500
