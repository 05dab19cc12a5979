from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from leadline.domain import Json, ToolCall, ToolResult, ToolSpec
from leadline.errors import InvalidArguments, ToolFailed
from leadline.ports import CallContext
from leadline.tools.registry import ToolSet


class Echo:
    """Answers with its arguments; waits for ever where it is asked to."""

    def __init__(self, name: str = "echo") -> None:
        self.name = name
        self.deadlines: list[float] = []

    @property
    def spec(self) -> ToolSpec:
        properties: dict[str, Json] = {"text": {"type": "string"}, "wait": {"type": "boolean"}}
        parameters: dict[str, Json] = {
            "type": "object",
            "properties": properties,
            "required": ["text"],
        }
        return ToolSpec(name=self.name, description="", parameters=parameters)

    async def call(self, arguments: Mapping[str, Json], context: CallContext) -> ToolResult:
        self.deadlines.append(context.deadline)
        if arguments.get("wait"):
            await asyncio.Event().wait()
        return ToolResult(value=arguments["text"])

    def render(self, value: Json, texts: Mapping[str, str]) -> str:
        return f"{self.name}: {value}"


async def test_a_call_reaches_its_tool_with_mended_arguments(context: CallContext) -> None:
    tools = ToolSet([Echo(), Echo("other")])
    result = await tools.call(ToolCall(name="other", arguments={"text": ["hi"]}), context)
    assert result.value == "hi"
    assert tools.render("other", "hi", {}) == "other: hi"
    assert [spec.name for spec in tools.specs()] == ["echo", "other"]


async def test_an_unknown_tool_is_told_with_the_known_ones(context: CallContext) -> None:
    tools = ToolSet([Echo("search"), Echo("visit")])
    with pytest.raises(InvalidArguments, match="`search`, `visit`; did you mean `search`"):
        await tools.call(ToolCall(name="serach", arguments={}), context)
    with pytest.raises(InvalidArguments) as caught:
        await tools.call(ToolCall(name="x" * 100_000, arguments={}), context)
    assert len(str(caught.value)) < 300


async def test_the_nearer_of_two_limits_holds(context: CallContext) -> None:
    echo = Echo()
    tools = ToolSet([echo], seconds={"echo": 3.0})
    call = ToolCall(name="echo", arguments={"text": "hi"})
    await tools.call(call, context)
    await tools.call(call, replace(context, deadline=1.0))
    assert echo.deadlines == [3.0, 1.0]
    with pytest.raises(ToolFailed, match="no time is left"):
        await tools.call(call, replace(context, deadline=0.0))


async def test_a_call_ends_with_its_time(context: CallContext) -> None:
    tools = ToolSet([Echo()], seconds={"echo": 0.01})
    with pytest.raises(ToolFailed, match="took longer than"):
        await tools.call(ToolCall(name="echo", arguments={"text": "hi", "wait": True}), context)


async def test_a_cancelled_call_is_cancelled(context: CallContext) -> None:
    tools = ToolSet([Echo()])
    call = tools.call(ToolCall(name="echo", arguments={"text": "hi", "wait": True}), context)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await call


def test_two_tools_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="echo"):
        ToolSet([Echo(), Echo()])
