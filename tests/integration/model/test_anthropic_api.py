"""The messages client against a real HTTP server that speaks Anthropic's API, with its faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.support.clocks import PATIENT

from leadline.codec import encode
from leadline.domain import Message, ModelAnswer, ModelRequest, ToolCall, ToolSpec
from leadline.errors import (
    ContextOverflow,
    ModelBroken,
    ModelDenied,
    ModelError,
    ModelRateLimited,
    ModelTimeout,
    ModelUnavailable,
)
from leadline.model.anthropic_api import AnthropicModel
from leadline.model.attempt import Clocks
from leadline.resilience import Backoff
from leadline.testing import Fault, Reply, ScriptedServer
from leadline.testing.script import Script

KEY = "sk-ant-0123456789"
QUICK = Clocks(connect=30.0, first_token=0.2, gap=0.2, total=50.0)
"""Only where the server hangs for good: a stall of the machine would be taken for one."""
SEARCH = ToolSpec(
    name="search",
    description="Search the web.",
    parameters={"type": "object", "properties": {"query": {"type": "string"}}},
)
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"capital": {"type": "string"}}, "required": ["capital"]}


def asking(*messages: Message, **fields: Any) -> ModelRequest:
    said = messages or (
        Message(role="system", content="You are careful."),
        Message(role="user", content="What is the capital of France?"),
    )
    return ModelRequest(messages=said, model="claude-scripted", **fields)


@asynccontextmanager
async def served(script: Script, **options: Any) -> AsyncIterator[tuple[ScriptedServer, AnthropicModel]]:
    options.setdefault("backoff", Backoff(attempts=1))
    options.setdefault("clocks", PATIENT)
    async with (
        ScriptedServer(script, key=KEY) as server,
        AnthropicModel(server.url, api_key=KEY, **options) as model,
    ):
        yield server, model


async def ask(model: AnthropicModel, request: ModelRequest | None = None, **options: Any) -> ModelAnswer:
    options.setdefault("deadline", 50.0)
    return await model.complete(request or asking(), session="run-1", **options)


async def test_a_streamed_answer_comes_whole_with_its_usage() -> None:
    heard: list[tuple[str, str]] = []
    reply = Reply(text="The capital is 巴黎.", chunk=3, cached_tokens=7)
    async with served([reply]) as (server, model):
        answer = await ask(model, progress=lambda kind, text: heard.append((kind, text)))
    assert answer.text == "The capital is 巴黎."
    assert answer.finish == "stop"
    assert answer.model == "claude-scripted"
    assert len(heard) > 3
    assert "".join(text for _, text in heard) == answer.text
    assert answer.usage.cached_tokens == 7
    assert answer.usage.prompt_tokens > 7
    assert answer.usage.completion_tokens == len(answer.text) // 4 + 1
    sent = server.requests[0]
    assert sent.headers["x-api-key"] == KEY
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert "Authorization" not in sent.headers
    assert sent.body["system"][0]["text"] == "You are careful."
    assert sent.body["messages"][0]["content"][0]["text"] == "What is the capital of France?"


async def test_one_whole_document_is_understood_too() -> None:
    call = ToolCall(id="toolu_1", name="search", arguments={"query": "Paris"})
    async with served([Reply(text="Let me see.", tool_calls=(call,), streams=False)]) as (_server, model):
        answer = await ask(model, asking(tools=(SEARCH,)))
    assert (answer.text, answer.tool_calls, answer.finish) == ("Let me see.", (call,), "tool_calls")


async def test_thinking_goes_back_byte_for_byte_with_its_signature() -> None:
    thought = 'Paris?  Let me look.\n"quoted" \\u00e9 é 巴黎 \t end '
    call = ToolCall(id="toolu_1", name="search", arguments={"query": "capital of France"})
    first = Reply(reasoning=thought, text="I look it up.", tool_calls=(call,), chunk=5)
    async with served([first, Reply(text="Paris.")], thinking=2048) as (server, model):
        question = asking(tools=(SEARCH,))
        answer = await ask(model, question)
        assert answer.reasoning == thought
        assert answer.tool_calls == (call,)
        # As the journal keeps it: through JSON and back.
        opaque = orjson.loads(encode(answer.opaque))
        said = Message(role="assistant", content=answer.text, tool_calls=answer.tool_calls, opaque=opaque)
        result = Message(role="tool", content="Paris is the capital.", call_id="toolu_1")
        await ask(model, replace(question, messages=(*question.messages, said, result)))
    sent = server.requests[1].body
    assert sent["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert sent["max_tokens"] == 8192 + 2048
    assert "temperature" not in sent
    assistant = sent["messages"][1]
    assert [block["type"] for block in assistant["content"]] == ["thinking", "text", "tool_use"]
    assert assistant["content"][0]["thinking"] == thought
    assert len(assistant["content"][0]["signature"]) == 64
    assert sent["messages"][2]["content"][0] == {
        "type": "tool_result",
        "tool_use_id": "toolu_1",
        "content": "Paris is the capital.",
        "cache_control": {"type": "ephemeral"},
    }


async def test_several_results_are_one_turn() -> None:
    calls = tuple(ToolCall(id=f"t{at}", name="search", arguments={}) for at in range(2))
    messages = (
        Message(role="user", content="Both, please."),
        Message(role="assistant", content="", tool_calls=calls),
        Message(role="tool", content="one", call_id="t0"),
        Message(role="tool", content="two", call_id="t1"),
        Message(role="user", content="Go on."),
    )
    async with served(["ok"]) as (server, model):
        await ask(model, asking(*messages))
    sent = server.requests[0].body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert [block["type"] for block in sent[2]["content"]] == ["tool_result", "tool_result", "text"]


async def test_a_schema_is_asked_for_as_a_tool_and_comes_as_text() -> None:
    call = ToolCall(id="toolu_1", name="answer", arguments={"capital": "Paris"})
    async with served([Reply(tool_calls=(call,))]) as (server, model):
        answer = await ask(model, asking(schema=SCHEMA))
    assert orjson.loads(answer.text) == {"capital": "Paris"}
    assert answer.tool_calls == ()
    assert answer.finish == "stop"
    sent = server.requests[0].body
    assert sent["tool_choice"] == {"type": "tool", "name": "answer"}
    assert sent["tools"][0]["input_schema"] == SCHEMA


@pytest.mark.parametrize("options", [{"thinking": 1024}, {}], ids=["thinking", "tools"])
async def test_where_a_tool_cannot_be_forced_the_schema_is_told_in_words(options: dict[str, Any]) -> None:
    tools = () if options else (SEARCH,)
    async with served(['{"capital": "Paris"}'], **options) as (server, model):
        answer = await ask(model, asking(schema=SCHEMA, tools=tools))
    assert orjson.loads(answer.text) == {"capital": "Paris"}
    assert "tool_choice" not in server.requests[0].body
    assert '"capital"' in server.requests[0].body["system"][-1]["text"]


FAILURES = {
    "dead": (Reply(fault=Fault.DEAD), ModelUnavailable),
    "hangs": (Reply(fault=Fault.HANG_BEFORE_HEADERS), ModelTimeout),
    "hangs midway": (Reply(text="The capital is", chunk=2, fault=Fault.HANG_MIDWAY), ModelTimeout),
    "cut": (Reply(text="The capital is", chunk=2, fault=Fault.CUT), ModelBroken),
    "clean cut": (Reply(text="The capital is", chunk=2, fault=Fault.CLEAN_CUT), ModelBroken),
    "no finish": (Reply(text="The capital is", fault=Fault.NO_FINISH), ModelBroken),
    "error event": (Reply(text="The capital is", chunk=2, fault=Fault.ERROR_EVENT), ModelBroken),
    "wrong json": (Reply(text="The capital is", chunk=2, fault=Fault.WRONG_JSON), ModelBroken),
}


def refused(status: int, kind: str, message: str, **headers: str) -> Reply:
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return Reply(status=status, body=encode(body).decode(), headers=headers)


FAILURES |= {
    "429": (refused(429, "rate_limit_error", "slow down", **{"retry-after": "7"}), ModelRateLimited),
    "529": (refused(529, "overloaded_error", "Overloaded"), ModelUnavailable),
    "401": (refused(401, "authentication_error", "invalid x-api-key"), ModelDenied),
    "400": (refused(400, "invalid_request_error", "max_tokens: too many"), ModelError),
    "overflow": (
        refused(400, "invalid_request_error", "prompt is too long: 205668 tokens > 200000 maximum"),
        ContextOverflow,
    ),
    "overflow with answer": (
        refused(
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length",
        ),
        ContextOverflow,
    ),
    "413": (refused(413, "request_too_large", "Request exceeds the maximum size"), ContextOverflow),
}


@pytest.mark.parametrize("name", FAILURES, ids=str)
async def test_failures_are_typed(name: str) -> None:
    reply, kind = FAILURES[name]
    async with served([reply], clocks=QUICK if kind is ModelTimeout else PATIENT) as (_server, model):
        with pytest.raises(kind) as caught:
            await ask(model)
    assert type(caught.value) is kind
    if isinstance(caught.value, ContextOverflow) and name != "413":
        assert caught.value.window == 200_000
    if isinstance(caught.value, ModelRateLimited):
        assert caught.value.retry_after == 7


async def test_a_caller_that_leaves_stops_the_server_at_once() -> None:
    async with served([Reply(text="The capital is", chunk=2, fault=Fault.HANG_MIDWAY)]) as (server, model):
        loop = asyncio.get_running_loop()
        call = loop.create_task(ask(model))
        asked = await server.asked()
        call.cancel()
        await asyncio.wait_for(asked.over.wait(), 50.0)
        assert asked.left is not None, "left to itself, the server hangs for an hour"


async def test_another_apis_blocks_are_not_sent() -> None:
    from leadline.model.openai_api import OpenAIModel  # noqa: PLC0415 only here

    said = Message(role="assistant", content="Hm.", opaque={"anthropic_blocks": [{"type": "thinking"}]})
    async with ScriptedServer(["ok"]) as server, OpenAIModel(server.url) as model:
        request = asking(Message(role="user", content="hi"), said, Message(role="user", content="well?"))
        await model.complete(request, deadline=5.0, session="s")
    assert "anthropic_blocks" not in server.requests[0].body["messages"][1]
