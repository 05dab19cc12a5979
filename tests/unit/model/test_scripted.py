"""The model in the process itself."""

from __future__ import annotations

import pytest

from leadline.domain import Message, ModelAnswer, ModelRequest, ToolCall
from leadline.errors import ModelBroken, ModelUnavailable
from leadline.model.scripted import ScriptedModel

REQUEST = ModelRequest(messages=(Message(role="user", content="What is it?"),), model="m")


async def test_answers_come_in_order_and_are_counted() -> None:
    call = ToolCall(name="search", arguments={"query": "x"})
    model = ScriptedModel(
        ["one", call, ModelAnswer(text="three", finish="length", reasoning="hm"), ModelUnavailable("down")]
    )
    pieces: list[tuple[str, str]] = []
    first = await model.complete(REQUEST, deadline=1, session="s")
    second = await model.complete(REQUEST, deadline=1, session="s")
    third = await model.complete(REQUEST, deadline=1, session="s", progress=lambda k, t: pieces.append((k, t)))
    assert (first.text, first.finish, first.usage.model_calls) == ("one", "stop", 1)
    assert (second.tool_calls, second.finish) == ((call,), "tool_calls")
    assert third.usage.tokens > 0
    assert pieces == [("reasoning", "hm"), ("text", "three")]
    with pytest.raises(ModelUnavailable):
        await model.complete(REQUEST, deadline=1, session="s")
    with pytest.raises(ModelBroken, match="number 5"):
        await model.complete(REQUEST, deadline=1, session="s")
    assert model.calls == 5


async def test_a_function_sees_the_request() -> None:
    model = ScriptedModel(lambda request: request.messages[-1].content.upper())
    assert (await model.complete(REQUEST, deadline=1, session="s")).text == "WHAT IS IT?"
