"""Research as a model: OpenAI's own client against the service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.support.service import QUESTION, Running, small_service

from leadline.domain import RunState
from leadline.ports import Run
from leadline.ports.access import LOCAL, Role
from leadline.service import chat
from leadline.testing import Reply, ScriptedServer

pytestmark = pytest.mark.xdist_group("openai")

MODEL = "leadline-extractive"
MESSAGES: Any = [{"role": "user", "content": QUESTION}]
WEB: Any = {"leadline": {"web": True}}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with small_service(tmp_path, {}) as running:
        yield running


@pytest.fixture
async def client(running: Running) -> AsyncIterator[openai.AsyncOpenAI]:
    key = await running.key("acme")
    async with openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=key) as client:
        yield client


async def test_a_completion_is_the_report_with_its_citations(client: openai.AsyncOpenAI) -> None:
    done = await client.chat.completions.create(model=MODEL, messages=MESSAGES, extra_body=WEB)

    content = done.choices[0].message.content or ""
    assert "1844" in content
    assert "[1]" in content
    assert done.choices[0].finish_reason == "stop"
    assert done.usage is not None
    assert done.usage.total_tokens == 0  # no model was asked
    details: Any = done.model_extra["leadline"] if done.model_extra else {}
    assert details["citations"][0]["number"] == 1
    assert details["citations"][0]["quote"]
    assert {claim["verdict"] for claim in details["claims"]} == {"supported"}


async def test_a_stream_tells_what_is_done_and_then_the_same_report(client: openai.AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model=MODEL, messages=MESSAGES, extra_body=WEB)
    stream = await client.chat.completions.create(
        model=MODEL, messages=MESSAGES, extra_body=WEB, stream=True, stream_options={"include_usage": True}
    )

    reasoning, content, finish, usage = "", "", None, None
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            reasoning += getattr(choice.delta, "reasoning_content", None) or ""
            content += choice.delta.content or ""
            finish = choice.finish_reason or finish

    assert "Searching: " in reasoning
    assert "Reading: http://127.0.0.1" in reasoning
    assert finish == "stop"
    assert usage is not None
    told = (whole.choices[0].message.content or "").splitlines()
    # The last line tells how long it took.
    assert content.splitlines()[:-1] == told[:-1]


async def test_the_client_without_a_loop_works_too(running: Running) -> None:
    key = await running.key("acme")

    def work() -> str:
        with openai.OpenAI(base_url=f"{running.url}/v1", api_key=key) as client:
            done = client.chat.completions.create(model=MODEL, messages=MESSAGES, extra_body=WEB)
            return done.choices[0].message.content or ""

    assert "1844" in await asyncio.to_thread(work)


async def test_models_are_the_strategies_that_work_here(client: openai.AsyncOpenAI) -> None:
    listed = [model.id async for model in client.models.list()]

    assert listed == ["leadline", "leadline-extractive"]
    assert (await client.models.retrieve("leadline")).owned_by == "leadline"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("gpt-9")


async def test_errors_are_the_clients_own_kinds(running: Running, client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no such model"):
        await client.chat.completions.create(model="gpt-9", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError, match="the last message"):
        await client.chat.completions.create(model=MODEL, messages=[{"role": "assistant", "content": "x"}])
    with pytest.raises(openai.UnprocessableEntityError) as wrong:
        await client.chat.completions.create(model=MODEL, messages=MESSAGES, extra_body={"leadline": {"wep": True}})
    assert wrong.value.code == "invalid_request"
    parts: Any = [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
    with pytest.raises(openai.BadRequestError, match="only text"):
        await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])
    async with openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key="ll_wrong") as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.models.list()
    async with openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=await running.key("a", Role.READER)) as reader:
        with pytest.raises(openai.PermissionDeniedError):
            await reader.chat.completions.create(model=MODEL, messages=MESSAGES)


async def cancelled(running: Running, run_id: str) -> Run:
    """Return a run once it is cancelled, which is soon."""
    async with asyncio.timeout(30):
        while True:
            run = await running.services.runs.get(run_id, tenant="acme")
            if run.state is RunState.CANCELLED:
                return run
            await running.services.platform.store.changed(-1, timeout=0.1, of=run_id)


@asynccontextmanager
async def with_a_slow_model(folder: Path) -> AsyncIterator[Running]:
    slow = Reply(text="<answer>late</answer>", first_delay=30.0)
    async with (
        ScriptedServer([slow]) as model,
        small_service(folder, {"model__urls": model.url, "model__name": "scripted"}) as running,
    ):
        yield running


async def first_thought(stream: openai.AsyncStream[Any]) -> str:
    async for chunk in stream:
        if chunk.choices and getattr(chunk.choices[0].delta, "reasoning_content", None):
            return str(chunk.choices[0].delta.reasoning_content)
    raise AssertionError("nothing was told")


async def test_a_client_that_goes_away_cancels_its_run(tmp_path: Path) -> None:
    async with (
        with_a_slow_model(tmp_path) as running,
        openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=await running.key("acme")) as client,
    ):
        stream = await client.chat.completions.create(
            model="leadline-react", messages=MESSAGES, extra_body=WEB, stream=True
        )
        assert await first_thought(stream) == "Strategy: react\n"
        await stream.close()

        run = await cancelled(running, stream.response.headers["X-Leadline-Run"])
        assert run.origin.method == "openai"


async def test_a_run_that_fails_is_not_asked_again(tmp_path: Path) -> None:
    async with small_service(tmp_path, {}) as running:
        key = await running.key("acme")
        async with openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=key) as client:
            asking = asyncio.ensure_future(
                client.chat.completions.create(model=MODEL, messages=MESSAGES, extra_body=WEB)
            )
            store = running.services.platform.store
            while not (runs := await store.runs(tenant="acme")):
                await store.changed(-1, timeout=0.05)
            await running.services.runs.cancel(runs[0])
            with pytest.raises(openai.ConflictError):
                await asking
            assert len(await running.services.platform.store.runs(tenant="acme")) == 1


async def test_without_a_key_the_machines_own_user_may_ask(running: Running) -> None:
    async with openai.AsyncOpenAI(
        base_url=f"{running.url}/v1", api_key="none", default_headers={"Authorization": ""}
    ) as me:
        done = await me.chat.completions.create(model=MODEL, messages=MESSAGES, extra_body=WEB)

    assert done.choices[0].message.content
    assert await running.services.platform.store.runs(tenant=LOCAL)


def test_what_came_before_the_question_is_told_as_wishes() -> None:
    taken = chat.ChatTaken.model_validate(
        {
            "model": "leadline-heavy",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Who built Skerryvore?"},
                {"role": "assistant", "content": "Alan Stevenson."},
                {"role": "user", "content": [{"type": "text", "text": "And when?"}]},
            ],
            "temperature": 0.2,
        }
    )

    asked = chat.research_of(taken)

    assert asked.question == "And when?"
    assert asked.strategy == "heavy"
    assert asked.instructions is not None
    assert asked.instructions.startswith("Be brief.")
    assert "assistant: Alan Stevenson." in asked.instructions


async def test_who_is_not_let_in_any_more_gets_no_report(tmp_path: Path) -> None:
    slow = Reply(text="The harbour is deep. " * 20, delay=0.05, chunk=16)
    content: list[str] = []
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(ScriptedServer([slow]))
        flags = {"model__urls": server.url, "model__name": "scripted", "model__context": "32768"}
        flags |= {"service__heartbeat_seconds": "0.1"}
        running = await stack.enter_async_context(small_service(tmp_path, flags))
        key = await running.key("acme")
        asked = openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=key, max_retries=0)
        client = await stack.enter_async_context(asked)
        stream = await client.chat.completions.create(model="leadline-react", messages=MESSAGES, stream=True)

        async def read() -> None:
            async for chunk in stream:
                content.extend(choice.delta.content or "" for choice in chunk.choices)

        await running.services.accounts.keys.revoke("acme", key.split("_")[1])
        with pytest.raises(openai.APIError, match="not accepted"):
            await read()
    assert "".join(content) == ""
