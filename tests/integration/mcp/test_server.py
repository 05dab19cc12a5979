"""Research over the Model Context Protocol: the protocol's own client, over HTTP and standard input."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from tests.support.service import QUESTION, Running, small_service

from leadline.ports.access import Action, Role

pytestmark = pytest.mark.xdist_group("mcp")

TOOLS = ["research_start", "research_status", "research_result", "research_cancel", "search", "visit"]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with small_service(tmp_path, {}) as running:
        yield running


@asynccontextmanager
async def host(running: Running, key: str, *, mode: str = "auto") -> AsyncIterator[Client]:
    """Yield the official client, with a key."""

    @asynccontextmanager
    async def transport() -> AsyncIterator[Any]:
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            httpx2.AsyncClient(headers=headers, trust_env=False) as http,
            streamable_http_client(f"{running.url}/mcp", http_client=http) as streams,
        ):
            yield streams

    async with Client(transport(), mode=mode) as client:
        yield client


def text_of(result: types.CallToolResult) -> str:
    """Return what a tool said."""
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))


async def said(client: Client, tool: str, **arguments: Any) -> Mapping[str, Any]:
    """Return a tool's answer as JSON."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    told: Mapping[str, Any] = result.structured_content
    return told


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_host_researches_a_question(running: Running, mode: str) -> None:
    async with host(running, await running.key("acme"), mode=mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == TOOLS

        began = await said(client, "research_start", question=QUESTION, strategy="extractive", web=True)
        done = await said(client, "research_status", run_id=began["run_id"], wait_seconds=30)
        report = text_of(await client.call_tool("research_result", {"run_id": began["run_id"]}))

    assert done["state"] == "done"
    assert "1844" in report
    assert "[1]" in report
    run = await running.services.runs.get(began["run_id"], tenant="acme")
    assert run.origin.method == "mcp"


async def test_a_host_searches_and_reads(running: Running) -> None:
    async with host(running, await running.key("acme")) as client:
        hits = text_of(await client.call_tool("search", {"query": "Skerryvore lighthouse"}))
        url = next(word for word in hits.split() if word.endswith("/skerryvore"))
        page = text_of(await client.call_tool("visit", {"url": url, "goal": "When was it lit?"}))

    assert "first lit in 1844" in page


async def test_a_run_is_cancelled_and_has_no_report(running: Running) -> None:
    async with host(running, await running.key("acme")) as client:
        began = await said(client, "research_start", question=QUESTION, strategy="extractive", web=True)
        await said(client, "research_cancel", run_id=began["run_id"])
        await said(client, "research_status", run_id=began["run_id"], wait_seconds=20)
        result = await client.call_tool("research_result", {"run_id": began["run_id"]})

    assert result.is_error
    assert "run_cancelled" in text_of(result)


async def test_who_may_not_is_told_and_nothing_is_done(running: Running) -> None:
    reading = await running.key("acme", scopes=frozenset({Action.RUNS_READ, Action.TOOLS_CALL}))
    async with host(running, await running.key("acme")) as client, host(running, reading) as reader:
        began = await said(client, "research_start", question=QUESTION, strategy="extractive", web=True)
        for tool, arguments in (
            ("research_start", {"question": QUESTION}),
            ("research_cancel", {"run_id": began["run_id"]}),
        ):
            refused = await reader.call_tool(tool, arguments)
            assert refused.is_error
            assert "not_permitted" in text_of(refused)
        async with host(running, await running.key("globex", Role.ADMIN)) as other:
            unknown = await other.call_tool("research_status", {"run_id": began["run_id"]})
            assert "unknown_run" in text_of(unknown)
        await said(client, "research_status", run_id=began["run_id"], wait_seconds=30)
    assert len(await running.services.platform.store.runs(tenant="acme")) == 1


async def test_each_call_is_audited_as_what_it_did(running: Running) -> None:
    acme = await running.key("acme")
    async with host(running, acme) as client:
        began = await said(client, "research_start", question=QUESTION, strategy="extractive", web=True)
        run_id = began["run_id"]
        await said(client, "research_status", run_id=run_id, wait_seconds=30)
        await client.call_tool("search", {"query": "Skerryvore"})
        assert (await client.call_tool("research_cancel", {"run_id": run_id})).is_error
    reader = await running.key("acme", role=Role.READER)
    async with host(running, reader) as client:
        assert (await client.call_tool("research_start", {"question": QUESTION})).is_error
    entries = await running.services.accounts.audit.list("acme")
    deeds = [entry.deed for entry in reversed(entries)]
    assert [(deed.action, deed.kind, deed.object, str(deed.outcome)) for deed in deeds] == [
        ("runs:start", "run", run_id, "done"),
        ("tools:call", "tool", "search", "done"),
        ("runs:steer", "run", run_id, "failed"),
        ("runs:start", "run", "research_start", "denied"),
    ]


async def test_without_a_key_nobody_is_served(running: Running) -> None:
    await running.key("acme")

    refused = await running.client().post("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})

    assert refused.status == 401


async def test_arguments_that_do_not_fit_are_the_models_to_mend(running: Running) -> None:
    async with host(running, await running.key("acme")) as client:
        wrong = await client.call_tool("research_start", {"question": QUESTION, "strategy": "guess"})
        unknown = await client.call_tool("research_everything", {})

    assert wrong.is_error
    assert "`strategy` must be one of" in text_of(wrong)
    assert "there is no tool" in text_of(unknown)


async def test_the_program_serves_the_host_that_starts_it(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "orlova.txt").write_text("The cruise ship Orlova sank in 2013 off the coast of Ireland.\n")
    environment = {**os.environ, "LEADLINE_DATA_DIR": str(tmp_path / "data")}
    program = StdioServerParameters(
        command=sys.executable, args=["-m", "leadline", "mcp", "--docs", str(documents)], env=environment
    )

    async with asyncio.timeout(50), Client(program) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == TOOLS
        began = await said(client, "research_start", question="When did the Orlova sink?", strategy="extractive")
        await said(client, "research_status", run_id=began["run_id"], wait_seconds=30)
        report = text_of(await client.call_tool("research_result", {"run_id": began["run_id"]}))
        hits = text_of(await client.call_tool("search", {"query": "Orlova"}))
        read = text_of(await client.call_tool("visit", {"url": (documents / "orlova.txt").as_uri(), "goal": "Orlova"}))
        refused = await client.call_tool("visit", {"url": "http://127.0.0.1/"})

    assert "2013" in report
    assert "orlova.txt" in hits
    assert "sank in 2013" in read
    assert refused.is_error
    assert "the web is off" in text_of(refused)
