"""`leadline serve-tool` as processes of their own, and runs whose tools are behind them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.quick import within

from leadline import Leadline
from leadline.domain import Report, ToolCall
from leadline.errors import InvalidArguments, ProviderDenied, ToolFailed
from leadline.events import ToolAnswered
from leadline.ports import Program
from leadline.sandbox.remote import RemoteSandbox
from leadline.sandbox.types import Limits
from leadline.settings import Settings, load
from leadline.testing import HostileWeb, Reply, ScriptedServer, WebPage
from leadline.wire.http import AiohttpHttp
from leadline.wire.tool_client import ToolClient

pytestmark = pytest.mark.timeout(240)

QUESTION = "When was the lighthouse at Skerryvore first lit?"
KEY = "e2e-key"
LIT = "The lighthouse at Skerryvore was first lit in 1844. It stands on a reef in the Atlantic."
FILLER = "<p>Seals lie on the skerries near it, and gannets fish off the reef all summer.</p>"
START_SECONDS = 60
PROGRAM = str(Path(sys.executable).with_name("leadline"))


class Service:
    """A running `serve-tool`."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    async def ended(self, number: int) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), START_SECONDS)


@asynccontextmanager
async def serving(tool: str, folder: Path, *options: str, **settings: str) -> AsyncIterator[Service]:
    named = {f"LEADLINE_{name.upper()}": value for name, value in settings.items()}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LEADLINE_DATA_DIR": str(folder / tool), **named}
    process = await asyncio.create_subprocess_exec(
        *(PROGRAM, "serve-tool", tool, "--port", "0", *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"LEADLINE_TOOLS__KEY": KEY, **environment},
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        yield Service(process, line.decode().strip())
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def settings(folder: Path, **flags: str) -> Settings:
    given = {"data_dir": str(folder), "cache": "off", **flags}
    named = {name.replace("__", "."): value for name, value in given.items()}
    return await asyncio.to_thread(lambda: load(flags=named, environ={}))


def pages(web: HostileWeb) -> dict[str, WebPage]:
    address = f"http://127.0.0.1:{web.port}"
    found = '{"results": [{"url": "%s/lit", "title": "Skerryvore", "content": "first lit in 1844"}]}' % address  # noqa: UP031 braces
    more = '<p>See <a href="/more">the journal of its keeper</a>.</p>'
    body = (
        f"<html><head><title>Skerryvore</title></head><body><main><p>{LIT}</p>{FILLER * 9}{more}</main></body></html>"
    )
    return {
        "/search": WebPage(body=found.encode(), content_type="application/json"),
        "/lit": WebPage(body=body.encode()),
        "/robots.txt": WebPage(status=404),
    }


def reaching(web: HostileWeb) -> dict[str, str]:
    return {
        "search__providers": "searxng",
        "search__searxng__base_url": f"http://127.0.0.1:{web.port}",
        "search__searxng__qps": "100",
        "fetch__allow_private": "127.0.0.1/32",
        "outgoing__host_seconds": "0",
        "cache": "off",
    }


def plain(report: Report) -> dict[str, Any]:
    """Return what a report says, without when and by which run it was said."""
    return {
        "answer": report.answer,
        "claims": [(claim.text, claim.verdict, claim.citations) for claim in report.claims],
        "sources": [(source.id, source.uri, source.raw_sha256, source.extractor) for source in report.sources],
        "unexamined": report.unexamined,
        "tools": report.usage.tool_calls,
    }


async def asked(engine: Leadline, **options: Any) -> tuple[str, Report, list[ToolAnswered]]:
    run_id = await engine.start(QUESTION, options=engine.options(**options))
    report = await engine.result(run_id)
    events = [record.event for record in await engine.records(run_id)]
    return run_id, report, [event for event in events if isinstance(event, ToolAnswered)]


async def test_a_run_says_the_same_wherever_its_tools_are(tmp_path: Path) -> None:
    async with HostileWeb() as web:
        web.pages.update(pages(web))
        elsewhere = {name: value for name, value in reaching(web).items() if name != "cache"}
        async with Leadline(await settings(tmp_path / "here", **reaching(web))) as engine:
            _, here, answers_here = await asked(engine, web=True)
        async with serving("search", tmp_path, **elsewhere) as search, serving("visit", tmp_path, **elsewhere) as visit:
            flags = {"tools__search": search.url, "tools__visit": visit.url, "tools__key": KEY}
            async with Leadline(await settings(tmp_path / "there", **flags)) as engine:
                run_id, there, answers_there = await asked(engine, web=True)
                before = len(web.requests)
                assert await engine.replay(run_id) == there
                assert len(web.requests) == before
            assert [await one.ended(signal.SIGTERM) for one in (search, visit)] == [0, 0]
    assert "1844" in there.claims[0].text
    assert plain(there) == plain(here)
    assert [(one.tool, one.value, one.sources, one.shown) for one in answers_there] == [
        (one.tool, one.value, one.sources, one.shown) for one in answers_here
    ]


async def test_a_dead_service_is_a_typed_failure_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "lit.txt").write_text(f"{LIT}\n", encoding="utf-8")
    async with HostileWeb() as web:
        web.pages.update(pages(web))
        async with serving("search", tmp_path, **reaching(web)) as search:
            flags = {"tools__search": search.url, "tools__visit": search.url, "tools__key": KEY}
            async with Leadline(await settings(tmp_path / "run", **flags)) as engine:
                await search.ended(signal.SIGKILL)
                run_id = await engine.start(QUESTION, docs=[tmp_path / "lit.txt"], options=engine.options(web=True))
                report = await engine.result(run_id)
                events = [record.event for record in await engine.records(run_id)]
                assert await engine.replay(run_id) == report
    assert "1844" in report.claims[0].text
    searched = next(event.value for event in events if isinstance(event, ToolAnswered) and event.tool == "search")
    assert isinstance(searched, dict)
    assert {one["code"] for one in searched["results"][0]["failures"]} == {"provider_unavailable"}


async def test_a_wrong_key_is_told_as_such(tmp_path: Path) -> None:
    async with (
        HostileWeb() as web,
        serving("search", tmp_path, **reaching(web)) as search,
        AiohttpHttp.open() as http,
    ):
        for key in ("", "wrong"):
            with pytest.raises(ProviderDenied, match="refuses the key"):
                await ToolClient(http, search.url, tool="search", key=key).ask({"query": "q"}, deadline=5)
        assert web.requests == []


@pytest.mark.parametrize("options", [["--host", "0.0.0.0"], ["--host", "::"]])  # noqa: S104 refused
async def test_without_a_key_it_serves_this_machine_alone(tmp_path: Path, options: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(PROGRAM, "serve-tool", "search", "--port", "0", *options),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LEADLINE_DATA_DIR": str(tmp_path / "data")},
    )
    _, told = await asyncio.wait_for(process.communicate(), START_SECONDS)
    assert process.returncode == 3
    assert b"LEADLINE_TOOLS__KEY" in told


async def test_a_drain_lets_what_is_under_way_end(tmp_path: Path) -> None:
    async with HostileWeb() as web:
        slow = pages(web)["/search"]
        web.pages["/search"] = WebPage(body=slow.body, content_type="application/json", delay=1.0)
        async with serving("search", tmp_path, **reaching(web)) as search, AiohttpHttp.open() as http:
            client = ToolClient(http, search.url, tool="search", key=KEY)
            async with asyncio.TaskGroup() as group:
                asking = group.create_task(client.ask({"query": "Skerryvore"}, deadline=8))
                await until(lambda: any(one.path == "/search" for one in web.requests))
                search.process.send_signal(signal.SIGTERM)
            assert len(asking.result()["results"]) == 1
            assert await asyncio.wait_for(search.process.wait(), START_SECONDS) == 0


@pytest.mark.server("bwrap")
async def test_programs_run_there_and_end_with_their_client(tmp_path: Path) -> None:
    async with serving("python", tmp_path) as python, RemoteSandbox(python.url, limits=Limits(), key=KEY) as sandbox:
        ran = await sandbox.run(Program(code="print(6 * 7)\nopen('a.txt', 'w').write('hi')", timeout=20))
        assert (ran.stdout, ran.exit, [(file.name, file.data) for file in ran.files]) == ("42\n", 0, [("a.txt", b"hi")])
        with pytest.raises(InvalidArguments):
            await sandbox.run(Program(code="1", files={"../a": b""}))
        served = psutil.Process(python.process.pid)
        before = set(served.children(recursive=True))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(sandbox.run(Program(code="import time; time.sleep(50)", timeout=60)))
            await until(lambda: bool(set(served.children(recursive=True)) - before))
            began = set(served.children(recursive=True)) - before
            await asyncio.sleep(0.3)  # so that it is the program that is cut off, not its start
            running.cancel()
            with within(2):
                await until(lambda: not any(one.is_running() and one.status() != "zombie" for one in began))
        assert (await sandbox.run(Program(code="print(1)"))).stdout == "1\n"
    with pytest.raises(ToolFailed):
        await sandbox.run(Program(code="print(1)"))


async def test_a_page_is_summed_up_by_a_service_and_the_run_replays(tmp_path: Path) -> None:
    said = f'{{"evidence": ["{LIT.split(". ", maxsplit=1)[0]}.", "It was lit in 1850."], "summary": "It was lit in 1844."}}'
    async with HostileWeb() as web, ScriptedServer([Reply(text=said)]) as small:
        web.pages.update(pages(web))
        url = f"http://127.0.0.1:{web.port}/lit"
        turns = [Reply(tool_calls=(ToolCall(name="visit", arguments={"url": url, "goal": "when lit"}, id="1"),))]
        turns += [Reply(text="<answer>1844.</answer>"), Reply(text="ANSWER: It was first lit in 1844 [1].\n")]
        own = {"summarizer__use": "own", "summarizer__urls": small.url, "summarizer__name": "scripted"}
        async with serving("summarize", tmp_path, **own) as service, ScriptedServer(turns) as large:
            flags = {
                **reaching(web),
                "model__urls": large.url,
                "model__name": "scripted",
                "summarizer__use": "own",
                "summarizer__kind": "service",
                "summarizer__urls": service.url,
                "summarizer__api_key": KEY,
                "visit__summarise_above": "300",
            }
            async with Leadline(await settings(tmp_path / "run", **flags)) as engine:
                run_id, report, (answered,) = await asked(engine, urls=(url,), python=False)
                assert await engine.replay(run_id) == report
            shown = str(large.requests[1].body)
    assert isinstance(answered.value, dict)
    (page,) = answered.value["pages"]
    assert (page["summary"]["text"], page["summary"]["dropped"]) == ("It was lit in 1844.", 1)
    assert "summary by service, not the page's own words" in shown
    assert answered.usage.model_calls == 1
    assert answered.usage.prompt_tokens > 0
    assert report.usage.prompt_tokens > answered.usage.prompt_tokens
    assert [claim.citations[0].quote for claim in report.claims] == [f"{LIT.split('. ', maxsplit=1)[0]}."]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(START_SECONDS):
        while not holds():  # noqa: ASYNC110 another process tells no event
            await asyncio.sleep(0.02)
