"""The client against a real HTTP server that plays every liberty and every fault."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from random import Random
from typing import Any

import pytest
from tests.support.clocks import PATIENT

from leadline.domain import Message, ModelRequest, ToolCall, ToolSpec
from leadline.errors import (
    ContextOverflow,
    ModelBroken,
    ModelDenied,
    ModelError,
    ModelRateLimited,
    ModelTimeout,
    ModelUnavailable,
    SettingsError,
)
from leadline.model.attempt import Clocks
from leadline.model.openai_api import OpenAIModel
from leadline.model.openai_wire import UNREADABLE
from leadline.resilience import Backoff
from leadline.testing import OVERFLOWS, FakeClock, Fault, Reply, ScriptedServer, refusal
from leadline.testing.script import Asked, Script

KEY = "sk-test-0123456789abcdef"
QUICK = Clocks(connect=30.0, first_token=0.15, gap=0.15, total=50.0)
"""Only where the server hangs for good: a stall of the machine would be taken for one."""
SEARCH = ToolSpec(
    name="search",
    description="Search the web.",
    parameters={"type": "object", "properties": {"query": {"type": "string"}}},
)


def asking(text: str = "What is the capital of France?", **fields: Any) -> ModelRequest:
    messages = (
        Message(role="system", content="You are careful."),
        Message(role="user", content=text),
    )
    return ModelRequest(messages=messages, model="scripted", **fields)


@asynccontextmanager
async def served(
    script: Script, *, attempts: int = 1, clocks: Clocks = PATIENT, key: str | None = None, **options: Any
) -> AsyncIterator[tuple[ScriptedServer, OpenAIModel]]:
    backoff = Backoff(attempts=attempts, base=0.0)
    async with (
        ScriptedServer(script, key=key) as server,
        OpenAIModel(server.url, api_key=KEY, clocks=clocks, backoff=backoff, random=Random(1), **options) as model,
    ):
        yield server, model


async def ask(model: OpenAIModel, request: ModelRequest | None = None, **options: Any) -> Any:
    options.setdefault("deadline", 50.0)
    return await model.complete(request or asking(), session="run-1", **options)


# --- what works --------------------------------------------------------------------------------


async def test_a_streamed_answer_comes_whole_with_its_usage() -> None:
    pieces: list[tuple[str, str]] = []
    reply = Reply(text="The capital is Paris.", chunk=3, cached_tokens=5)
    async with served([reply]) as (server, model):
        answer = await ask(model, progress=lambda kind, text: pieces.append((kind, text)))
    assert answer.text == "The capital is Paris."
    assert answer.finish == "stop"
    assert answer.model == "scripted"
    assert "".join(text for kind, text in pieces if kind == "text") == answer.text
    assert len(pieces) > 3
    assert answer.usage.model_calls == 1
    assert answer.usage.prompt_tokens > 5
    assert answer.usage.cached_tokens == 5
    asked = server.requests[0]
    assert asked.headers["x-session-id"] == "run-1"
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert asked.body["stream_options"] == {"include_usage": True}


async def test_a_server_that_does_not_stream_is_understood() -> None:
    call = ToolCall(name="search", arguments={"query": "Paris"}, id="c1")
    reply = Reply(text="Paris.", reasoning="easy", tool_calls=(call,), streams=False)
    async with served([reply]) as (_, model):
        answer = await ask(model)
    assert (answer.text, answer.reasoning, answer.finish) == ("Paris.", "easy", "tool_calls")
    assert answer.tool_calls == (call,)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "think"])
@pytest.mark.parametrize("chunk", [1, 2, 5, 1000])
async def test_reasoning_is_split_off_however_it_is_cut(field: str, chunk: int) -> None:
    reply = Reply(text="Paris.", reasoning="France, so", reasoning_field=field, chunk=chunk)
    async with served([reply]) as (_, model):
        answer = await ask(model)
    assert (answer.text, answer.reasoning) == ("Paris.", "France, so")


async def test_native_calls_are_put_together_in_order() -> None:
    calls = (
        ToolCall(name="search", arguments={"query": '首都 "Paris"'}, id="a"),
        ToolCall(name="visit", arguments={"url": ["https://example.org"], "deep": True}, id="b"),
    )
    async with served([Reply(tool_calls=calls, chunk=2)]) as (server, model):
        answer = await ask(model, asking(tools=(SEARCH,)))
    assert answer.tool_calls == calls
    assert answer.finish == "tool_calls"
    assert server.requests[0].body["tools"][0]["function"]["name"] == "search"


async def test_a_conversation_with_calls_goes_out_as_the_api_wants_it() -> None:
    messages = (
        Message(role="user", content="?"),
        Message(
            role="assistant",
            content="",
            tool_calls=(ToolCall(id="c1", name="search", arguments={"query": "x"}),),
            opaque={"reasoning_details": [{"type": "sealed"}]},
        ),
        Message(role="tool", content="nothing", call_id="c1"),
    )
    request = ModelRequest(messages=messages, model="scripted", stop=("END",), seed=7)
    async with served(["done"]) as (server, model):
        await ask(model, request)
    sent = server.requests[0].body
    assert sent["messages"][1] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"query":"x"}'}}],
        "reasoning_details": [{"type": "sealed"}],
    }
    assert sent["messages"][2] == {"role": "tool", "content": "nothing", "tool_call_id": "c1"}
    assert (sent["stop"], sent["seed"]) == (["END"], 7)


async def test_a_cut_answer_is_returned_as_cut() -> None:
    async with served([Reply(text="half of", finish="length")]) as (_, model):
        assert (await ask(model)).finish == "length"


async def test_missing_usage_is_estimated_by_what_was_learnt() -> None:
    text = "The quick brown fox jumps over the lazy dog. " * 40
    script = [Reply(text=text), Reply(text=text, usage="null"), Reply(text=text, usage="none")]
    async with served(script) as (_, model):
        counted, *estimated = [await ask(model, asking(text)) for _ in script]
    for answer in estimated:
        assert answer.usage.prompt_tokens == pytest.approx(counted.usage.prompt_tokens, rel=0.1)
        assert answer.usage.completion_tokens == pytest.approx(counted.usage.completion_tokens, rel=0.2)
        assert answer.usage.model_calls == 1


async def test_connections_are_used_again() -> None:
    script: list[Reply | str] = ["one", "two", refusal(400, "no"), "four"]
    async with served(script) as (server, model):
        for _ in range(2):
            await ask(model)
        with pytest.raises(ModelError, match="no"):
            await ask(model)
        await ask(model)
        assert len({asked.peer for asked in server.requests}) == 1


async def test_models_are_listed_with_their_window() -> None:
    async with served([]) as (_, model):
        (served_model,) = await model.models(deadline=2.0)
    assert (served_model.name, served_model.window) == ("scripted", 32_768)


# --- what is negotiated ------------------------------------------------------------------------


async def test_a_server_without_usage_option_is_asked_once_more_and_remembered() -> None:
    def script(asked: Asked) -> Reply:
        if "stream_options" in asked.body:
            return refusal(400, "unknown field `stream_options`", type="invalid_request_error")
        return Reply(text="ok", usage="none")

    async with served(script) as (server, model):
        assert (await ask(model)).text == "ok"
        assert (await ask(model)).text == "ok"
        assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 422, 500])
async def test_a_schema_is_asked_for_and_given_up_where_a_server_cannot(status: int) -> None:
    def script(asked: Asked) -> Reply:
        if "response_format" in asked.body:
            return refusal(status, "json_schema is not supported")
        return Reply(text='{"a": 1}')

    request = asking(schema={"type": "object"})
    async with served(script) as (server, model):
        assert (await ask(model, request)).text == '{"a": 1}'
        assert (await ask(model, request)).text == '{"a": 1}'
        assert len(server.requests) == 4
        formats: list[Any] = [request.body.get("response_format") for request in server.requests]
        assert formats[0]["json_schema"]["schema"] == {"type": "object"}
        assert formats[1] == {"type": "json_object", "schema": {"type": "object"}}
        assert formats[2:] == [None, None]
        assert "JSON schema" not in server.requests[0].last
        assert all('{"type":"object"}' in request.last for request in server.requests[1:])


async def test_a_server_that_takes_a_schema_and_ignores_it_is_found_out_at_once() -> None:
    async with served(["The capital is Paris.", '{"a": 1}']) as (server, model):
        request = asking(schema={"type": "object"})
        assert (await ask(model, request)).text == "The capital is Paris."
        assert (await ask(model, request)).text == '{"a": 1}'
        assert "response_format" in server.requests[0].body
        assert "response_format" not in server.requests[1].body
        assert "JSON schema" in server.requests[1].last


async def test_a_server_that_wants_the_new_token_field_gets_it() -> None:
    def script(asked: Asked) -> Reply:
        if "max_tokens" in asked.body:
            return refusal(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        return Reply(text=str(asked.body["max_completion_tokens"]))

    async with served(script) as (_, model):
        assert (await ask(model, asking(max_tokens=77))).text == "77"


async def test_any_other_refusal_is_final() -> None:
    async with served([refusal(400, "temperature must be positive")], attempts=3) as (server, model):
        with pytest.raises(ModelError, match="temperature must be positive") as caught:
            await ask(model)
        assert type(caught.value) is ModelError
        assert len(server.requests) == 1


# --- what goes wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(OVERFLOWS))
async def test_overflow_is_recognised_in_the_words_of_every_server(name: str) -> None:
    async with served([OVERFLOWS[name]], attempts=3) as (server, model):
        with pytest.raises(ContextOverflow) as caught:
            await ask(model)
        assert caught.value.window == (None if name == "ollama" else 4096)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.DEAD, ModelUnavailable),
        (Fault.HANG_BEFORE_HEADERS, ModelTimeout),
        (Fault.HANG_AFTER_HEADERS, ModelTimeout),
        (Fault.HANG_MIDWAY, ModelTimeout),
        (Fault.KEEPALIVE, ModelTimeout),
        (Fault.CUT, ModelBroken),
        (Fault.CLEAN_CUT, ModelBroken),
        (Fault.NO_FINISH, ModelBroken),
        (Fault.GARBAGE, ModelBroken),
        (Fault.WRONG_JSON, ModelBroken),
        (Fault.HTML, ModelBroken),
        (Fault.ERROR_EVENT, ModelBroken),
    ],
)
async def test_a_fault_has_its_type_and_is_retried(fault: Fault, error: type[ModelError]) -> None:
    bad = Reply(text="some text of an answer " * 4, fault=fault)
    hangs = error is ModelTimeout
    async with served([bad, bad, Reply(text="fine")], attempts=3, clocks=QUICK if hangs else PATIENT) as (
        server,
        model,
    ):
        assert (await ask(model)).text == "fine"
        assert len(server.requests) == 3
    async with served([bad], clocks=QUICK if hangs else PATIENT) as (_, model):
        with pytest.raises(error) as caught:
            await ask(model)
        assert type(caught.value) is error
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.ENDLESS_REASONING, ModelBroken), (Fault.HUGE_LINE, ModelBroken)],
)
async def test_an_endless_answer_is_cut_at_its_cap(fault: Fault, error: type[ModelError]) -> None:
    async with served([Reply(fault=fault)], max_answer=200_000) as (_, model):
        with pytest.raises(error, match="200000 bytes"):
            await ask(model)


async def test_endless_reasoning_ends_with_the_total_clock() -> None:
    clocks = Clocks(first_token=30.0, gap=30.0, total=0.2)
    reply = Reply(fault=Fault.ENDLESS_REASONING, delay=0.01)
    async with served([reply], clocks=clocks) as (_, model):
        with pytest.raises(ModelTimeout, match=r"not complete within 0\.2 s"):
            await ask(model)


async def test_the_deadline_cuts_every_clock() -> None:
    async with served([Reply(fault=Fault.HANG_BEFORE_HEADERS)], attempts=3, clocks=Clocks()) as (_, model):
        with pytest.raises(ModelTimeout, match="deadline"):
            await ask(model, deadline=0.1)


async def test_a_slow_drip_within_the_gap_is_no_failure() -> None:
    async with served([Reply(text="drip" * 4, chunk=4, first_delay=0.02, delay=0.02)]) as (_, model):
        assert (await ask(model)).text == "drip" * 4


async def test_a_stream_left_open_after_its_end_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadline.model.attempt._GRACE", 0.05)
    async with served([Reply(text="all of it", fault=Fault.NO_END)]) as (_, model):
        assert (await ask(model)).text == "all of it"


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_denial_is_final_and_says_what_to_do(status: int) -> None:
    async with served([refusal(status, f"no: {KEY}")], attempts=3) as (server, model):
        with pytest.raises(ModelDenied, match=r"check|key") as caught:
            await ask(model)
        assert KEY not in str(caught.value)
        assert len(server.requests) == 1


async def test_a_wrong_key_is_denied() -> None:
    async with served(["never"], key="another") as (_, model):
        with pytest.raises(ModelDenied, match="check the API key"):
            await ask(model)


@pytest.mark.parametrize("status", [500, 502, 503, 529])
async def test_a_server_error_is_retried(status: int) -> None:
    async with served([refusal(status, "busy"), Reply(text="fine")], attempts=2) as (_, model):
        assert (await ask(model)).text == "fine"
    async with served([refusal(status, "busy")]) as (_, model):
        with pytest.raises(ModelUnavailable, match="busy") as caught:
            await ask(model)
        assert type(caught.value) is ModelUnavailable


async def test_a_rate_limit_carries_the_servers_wish_and_it_is_kept() -> None:
    clock = FakeClock(auto=True)
    date = formatdate(clock.now() + 9, usegmt=True)
    script = [refusal(429, "slow down", retry_after="7"), refusal(429, "again", retry_after=date), Reply(text="ok")]
    async with served(script, attempts=3, clock=clock) as (_, model):
        assert (await ask(model, deadline=60.0)).text == "ok"
    assert clock.slept == [7.0, pytest.approx(2.0, abs=1.0)]


async def test_a_wish_beyond_the_deadline_is_not_waited_for() -> None:
    async with served([refusal(429, "slow down", retry_after="99")], attempts=3) as (server, model):
        with pytest.raises(ModelRateLimited) as caught:
            await ask(model, deadline=1.0)
        assert caught.value.retry_after == 99.0
        assert len(server.requests) == 1


async def test_used_up_quota_is_no_rate_limit() -> None:
    async with served([refusal(429, "no credit", code="insufficient_quota")], attempts=3) as (server, model):
        with pytest.raises(ModelDenied, match="quota"):
            await ask(model)
        assert len(server.requests) == 1


async def test_a_server_that_is_down_is_unavailable() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with OpenAIModel(f"http://127.0.0.1:{port}/v1", backoff=Backoff(attempts=1)) as model:
        with pytest.raises(ModelUnavailable, match="cannot be reached"):
            await ask(model)


async def test_a_retry_after_passed_text_announces_itself() -> None:
    pieces: list[tuple[str, str]] = []
    script = [Reply(text="wrong start of it", chunk=4, fault=Fault.CUT), Reply(text="right", chunk=100)]
    async with served(script, attempts=2) as (_, model):
        answer = await ask(model, progress=lambda kind, text: pieces.append((kind, text)))
    assert answer.text == "right"
    assert pieces[-2:] == [("status", "restart"), ("text", "right")]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(fault=Fault.HANG_BEFORE_HEADERS),
        Reply(text="x" * 400, chunk=2, delay=1.0),
        Reply(fault=Fault.HANG_AFTER_HEADERS),
    ],
    ids=["before headers", "midway", "after headers"],
)
async def test_a_cancel_closes_upstream_at_once(reply: Reply) -> None:
    async with served([reply], clocks=Clocks()) as (server, model):
        async with asyncio.timeout(50.0):
            task = asyncio.create_task(ask(model))
            asked = await server.asked()
            await asyncio.sleep(0.05)  # so that headers, where any come, have come
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asked.over.wait()
        assert asked.left is not None, "left to itself, the server goes on for minutes"


async def test_arguments_that_no_repair_helps_reach_the_tools_schema() -> None:
    answer_text = (
        b'{"choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":null,'
        b'"tool_calls":[{"id":"1","type":"function","function":{"name":"search","arguments":"{\'query\': Infinity,}"}},'
        b'{"id":"2","type":"function","function":{"name":"search","arguments":"no json at all"}}]}}]}'
    )
    reply = Reply(status=200, body=answer_text.decode())
    async with served([reply]) as (_, model):
        answer = await ask(model)
    assert [dict(call.arguments) for call in answer.tool_calls] == [{"query": None}, {UNREADABLE: "no json at all"}]


async def test_the_key_is_in_no_representation_of_the_client() -> None:
    async with OpenAIModel("http://127.0.0.1:1/v1", api_key=KEY) as model:
        assert KEY not in repr(model)
        assert KEY not in repr(vars(model)["_redact"])


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x/v1", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="model server"):
        OpenAIModel(url)
