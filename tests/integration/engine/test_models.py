"""Whole runs over several model servers, of which one does what it should not."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leadline import Leadline
from leadline.domain import Report, StopReason, ToolCall
from leadline.events import ModelAnswered
from leadline.settings import load
from leadline.testing import Asked, Fault, Reply, ScriptedServer, refusal
from leadline.testing.script import Script

QUESTION = "When did the Orlova sink?"
RUNS = 8
FAULTS = {
    "dead": Reply(fault=Fault.DEAD),
    "503": refusal(503, "overloaded"),
    "429": refusal(429, "too many", retry_after="1"),
    "hangs": Reply(fault=Fault.HANG_BEFORE_HEADERS),
    "hangs midway": Reply(text="The ship Orlova sank in 1066.", chunk=2, fault=Fault.HANG_MIDWAY),
    "cuts the stream": Reply(text="The ship Orlova sank in 1066.", chunk=2, fault=Fault.CUT),
    "ends it as if whole": Reply(text="The ship Orlova sank in 1066.", chunk=2, fault=Fault.CLEAN_CUT),
    "garbage": Reply(fault=Fault.GARBAGE),
    "denies": refusal(401, "who are you"),
    "endless reasoning": Reply(fault=Fault.ENDLESS_REASONING),
}

pytestmark = pytest.mark.blocking("opens an engine, whose parts read small files")


def script(asked: Asked) -> Reply:
    if asked.body["max_tokens"] == 1:
        return Reply(text="ok")
    if "numbered excerpts" in asked.system:
        return Reply(text="ANSWER: The Orlova sank in 2013 [1].")
    if asked.turn == 0:
        return Reply(tool_calls=(ToolCall(name="search", arguments={"query": "Orlova"}, id="s"),))
    found = re.search(r"file:\S+", asked.last)
    if asked.turn == 1 and found:
        return Reply(tool_calls=(ToolCall(name="visit", arguments={"url": found[0]}, id="v"),))
    return Reply(text="<answer>2013</answer>")


@asynccontextmanager
async def engine(
    folder: Path, scripts: Sequence[Script], **values: str
) -> AsyncIterator[tuple[list[ScriptedServer], Leadline]]:
    documents = folder / "documents"
    documents.mkdir()
    (documents / "orlova.txt").write_text("The cruise ship Orlova sank in 2013 off Ireland.\n", encoding="utf-8")
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(ScriptedServer(script)) for script in scripts]
        flags = {
            "data_dir": str(folder / "data"),
            "model.urls": ",".join(server.url for server in servers),
            "model.name": "scripted",
            "model.first_token_seconds": "1.5",
            "model.gap_seconds": "1.5",
            "model.total_seconds": "4",
            "worker.concurrency": str(RUNS),
        }
        settings = await asyncio.to_thread(
            load, flags=flags | {name.replace("__", "."): value for name, value in values.items()}
        )
        yield servers, await stack.enter_async_context(Leadline(settings))


async def reports(leadline: Leadline, folder: Path, count: int = RUNS) -> list[Report]:
    """Carry runs through side by side."""
    ids = [await leadline.start(QUESTION, docs=[folder / "documents"]) for _ in range(count)]
    found = [await leadline.result(run_id) for run_id in ids]
    for run_id in ids:
        answered = [r.event for r in await leadline.records(run_id) if isinstance(r.event, ModelAnswered)]
        assert [event.failure for event in answered] == [None] * len(answered)
    return found


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_bad_server_of_four_costs_no_run_anything(
    tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="leadline.model.pool")

    def bad(_asked: Asked) -> Reply:
        return FAULTS[fault]

    # By its weight most runs are at home at the bad one, whatever their names and the ports are.
    async with engine(tmp_path, [bad, script, script, script], model__weights="9,1,1,1") as (servers, leadline):
        for report in await reports(leadline, tmp_path):
            assert report.stop_reason == StopReason.ANSWERED
            assert report.answer == "The Orlova sank in 2013."
            assert "1066" not in str(report)
        assert len(servers[0].requests) >= (1 if fault == "429" else 3)
    if fault != "429":  # busy is no illness
        (told,) = [record for record in caplog.records if record.message == "model_server_unhealthy"]
        assert told.__dict__["server"] == servers[0].url
        assert told.__dict__["reason"]


async def test_a_run_keeps_its_server_and_runs_spread(tmp_path: Path) -> None:
    async with engine(tmp_path, [script] * 4, model__probe="none") as (servers, leadline):
        await reports(leadline, tmp_path, count=64)
    seen: dict[str, list[int]] = {}
    for at, server in enumerate(servers):
        for asked in server.requests:
            seen.setdefault(asked.headers["x-session-id"], []).append(at)
    turns = [Counter(homes) for homes in seen.values()]
    later = sum(turn.total() - 1 for turn in turns)
    assert sum(max(turn.values()) - 1 for turn in turns) / later >= 0.95
    assert max(len(server.requests) for server in servers) <= 1.5 * sum(map(len, seen.values())) / 4


def most_at_once(server: ScriptedServer) -> int:
    """Return how many requests a server had under way at a time."""
    ends = [(asked.ended or asked.began, -1) for asked in server.requests]
    steps = sorted([*((asked.began, 1) for asked in server.requests), *ends])
    return max(sum(step for _, step in steps[: at + 1]) for at in range(len(steps)))


async def test_servers_hold_no_more_than_they_may(tmp_path: Path) -> None:
    def slow(asked: Asked) -> Reply:
        return replace(script(asked), first_delay=0.02)

    async with engine(tmp_path, [slow, slow], model__concurrency="1,2", model__probe="none") as (servers, leadline):
        await reports(leadline, tmp_path)
    assert [most_at_once(server) for server in servers] == [1, 2]


async def test_a_run_holds_no_more_calls_than_it_may(tmp_path: Path) -> None:
    def slow(asked: Asked) -> Reply:
        return replace(script(asked), first_delay=0.2)

    async with engine(tmp_path, [slow], model__at_once="2", model__at_once_run="1") as (servers, leadline):
        for report in await reports(leadline, tmp_path, count=4):
            assert report.stop_reason == StopReason.ANSWERED
    assert most_at_once(servers[0]) == 2


async def test_a_tenant_waits_for_its_budget_within_a_calls_deadline(tmp_path: Path) -> None:
    async with engine(tmp_path, [script], model__tenant_requests="240") as (servers, leadline):
        await reports(leadline, tmp_path, count=4)
        assert len(servers[0].requests) == 16


async def test_answers_of_a_thinking_model_go_back_as_they_came(tmp_path: Path) -> None:
    """The signed thinking of Anthropic's API passes the journal and comes back with the next turn."""
    asked_for: list[dict[str, Any]] = []

    def thinking(asked: Asked) -> Reply:
        asked_for.append(asked.body)
        return replace(script(asked), reasoning="The documents may tell.")

    async with engine(tmp_path, [thinking], model__kind="anthropic", model__thinking="2048") as (_servers, leadline):
        (report,) = await reports(leadline, tmp_path, count=1)
    assert report.answer == "The Orlova sank in 2013."
    assert asked_for[0]["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    blocks = [b for m in asked_for[1]["messages"] if m["role"] == "assistant" for b in m["content"]]
    assert blocks[0]["type"] == "thinking"
    assert blocks[0]["thinking"] == "The documents may tell."
    assert blocks[0]["signature"]
