"""A run in the published format of Tongyi DeepResearch: its five tools have their names, and work."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import orjson
import pytest
from tests.support.services import fake_service

from leadline import Leadline
from leadline.domain import Json, ToolCall
from leadline.events import ToolAnswered
from leadline.research.strategies.react import called
from leadline.settings import load
from leadline.testing import Reply, ScriptedServer

QUESTION = "How old was the Orlova when she sank? The file ship.txt may help."
ANSWER = "<think>\nDone.\n</think>\n<answer>The cruise ship Orlova sank in 2013. It had been built in 1976.</answer>"


def asks(name: str, **arguments: Json) -> Reply:
    return Reply(text=f"<think>\nNext.\n</think>\n{called(ToolCall(name=name, arguments=arguments, id=''))}")


@pytest.mark.parametrize("file", ["ship.txt", "file"])
async def test_all_five_tools_are_there_and_a_file_is_parsed_by_its_name(tmp_path: Path, file: str) -> None:
    path = tmp_path / "docs" / "ship.txt"
    path.parent.mkdir()
    path.write_text("The cruise ship Orlova sank in 2013. It had been built in 1976 in Yugoslavia.\n", encoding="utf-8")
    wanted = path.as_uri() if file == "file" else file
    script = [asks("search", query=["Orlova"]), asks("parse_file", files=[wanted, "deck.mp4"]), Reply(text=ANSWER)]
    async with ScriptedServer(script) as server, fake_service() as nothing:
        flags = {
            "data_dir": str(tmp_path / "data"),
            "model.urls": server.url,
            "model.name": "scripted",
            "model.context": "16000",
            "model.max_tokens": "1000",
            "model.dialect": "tongyi",
            "sandbox": "landlock",
            "search.providers": "searxng",
            "search.searxng.base_url": nothing.url,
        }
        async with Leadline(await asyncio.to_thread(lambda: load(flags=flags, environ={}))) as engine:
            options = engine.options(python=True, scholar=True, web=True)
            run_id = await engine.start(QUESTION, docs=[path.parent], options=options)
            report = await engine.result(run_id)
            events = [record.event for record in await engine.records(run_id)]
            assert await engine.replay(run_id) == report
        system = server.requests[0].body["messages"][0]["content"]
        seen = server.requests[2].body["messages"][-1]["content"]
    [tools] = re.findall(r"<tools>\n(\{.*?)\n</tools>", system, re.DOTALL)
    names = {orjson.loads(line)["function"]["name"] for line in tools.splitlines()}
    assert names == {"search", "visit", "google_scholar", "PythonInterpreter", "parse_file"}
    (parsed,) = [e for e in events if isinstance(e, ToolAnswered) and e.tool == "parse_file"]
    assert parsed.failure is None
    assert seen.startswith("<tool_response>\n")
    assert "built in 1976 in Yugoslavia" in seen
    assert "deck.mp4 could not be read (not_found)" in seen
    assert [source.uri for source in report.sources] == [path.as_uri()]
    assert report.claims[0].citations[0].quote
