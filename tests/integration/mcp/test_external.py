"""Tools of other servers in a run: real servers over standard input and HTTP, pinned, hostile, replayed."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from leadline.api import Leadline
from leadline.cli.main import main
from leadline.domain import StrategyName, ToolCall
from leadline.errors import InputError, SettingsError, ToolFailed
from leadline.events import RunStarted, ToolAnswered
from leadline.research.reporting.report import to_json
from leadline.settings import Settings, load
from leadline.testing import Reply, Rule, ScriptedServer
from leadline.tools.mcp.bounded import MOST_BYTES

pytestmark = pytest.mark.xdist_group("mcp")

ROOT = Path(__file__).resolve().parents[3]
QUESTION = "When was the lighthouse at Skerryvore lit?"
LOOKUP = ToolCall(name="wiki__lookup", arguments={"title": "Skerryvore"}, id="c1")
ANSWER = "<answer>It was lit in 1844.</answer>"
REPORT = "ANSWER: The lighthouse was lit in 1844 [1].\n"
SCRIPT = (Reply(tool_calls=(LOOKUP,)), Reply(text=ANSWER), Reply(text=REPORT), Reply(text=REPORT))


def configured(folder: Path, table: str, model: str | None = None) -> Settings:
    """Return settings from a file of the operator's with a table of tool servers."""
    path = folder / "config.toml"
    path.write_text(table, encoding="utf-8")
    path.chmod(0o600)
    flags = {"data_dir": str(folder / "data"), "sandbox": "off"}
    if model is not None:
        flags |= {"model.urls": model, "model.name": "scripted", "model.context": "32768", "model.max_tokens": "1000"}
    return load(flags=flags, config=path, environ={})


def started(*more: str) -> str:
    """Return the table of a server that is started."""
    words = [sys.executable, "-m", "tests.support.mcp_server", "stdio", *more]
    return f'[mcp.servers.wiki]\ncommand = {words!r}\nenv = {{ PYTHONPATH = "{ROOT}" }}\n'


@asynccontextmanager
async def over_http() -> AsyncIterator[str]:
    """Yield the address of a server that runs as a program."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.mcp_server",
        str(port),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(30):
            while not await listens(port):
                assert process.returncode is None
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def answering(told: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """Yield the address of a server that answers whatever is asked with `told`."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", told)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
    finally:
        await runner.cleanup()


async def listens(port: int) -> bool:
    """Return whether something listens; where not, a moment later."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        await asyncio.sleep(0.05)
        return False
    writer.close()
    return True


async def ask(engine: Leadline) -> str:
    """Research the question with the server's tools and return the run's id."""
    run_id = await engine.start(
        QUESTION, options=engine.options(strategy=StrategyName.REACT, python=False), servers=("wiki",)
    )
    await engine.result(run_id)
    return run_id


async def pinned(engine: Leadline) -> None:
    await (await engine.external.servers()).named("wiki").pin()


async def carries_a_run(settings: Settings, model: ScriptedServer) -> None:
    async with Leadline(settings) as engine:
        with pytest.raises(InputError, match="nothing that is pinned"):
            await ask(engine)
        await pinned(engine)
        run_id = await ask(engine)
        records = await engine.records(run_id)
        report = await engine.report(run_id)
        again = await engine.replay(run_id)

    began = next(r.event for r in records if isinstance(r.event, RunStarted))
    assert [spec.name for spec in began.options.external] == ["wiki__lookup", "wiki__store"]
    assert [spec.idempotent for spec in began.options.external] == [True, False]
    answered = next(r.event for r in records if isinstance(r.event, ToolAnswered))
    assert answered.failure is None
    assert "1844" in report.claims[0].citations[0].quote
    assert report.sources[0].uri.startswith("mcp:wiki/lookup/")
    assert to_json(again) == to_json(report)
    shown = model.requests[1].last
    assert "lit in 1844" in shown
    assert "<tool_call>" not in shown


async def test_a_server_that_is_started_serves_a_run_which_replays(tmp_path: Path) -> None:
    async with ScriptedServer(list(SCRIPT)) as model:
        await carries_a_run(await asyncio.to_thread(configured, tmp_path, started(), model.url), model)


async def test_a_server_over_http_is_reached_past_our_own_proxy_alone(tmp_path: Path) -> None:
    async with ScriptedServer(list(SCRIPT)) as model, over_http() as url:
        table = f'[mcp.servers.wiki]\nurl = "{url}"\n'
        await carries_a_run(await asyncio.to_thread(configured, tmp_path, table, model.url), model)


async def test_a_changed_description_is_refused_until_it_is_pinned_again(tmp_path: Path) -> None:
    async with Leadline(await asyncio.to_thread(configured, tmp_path, started())) as engine:
        await pinned(engine)
        offered = await engine.external.offered(["wiki"])
    assert len(offered) == 2

    async with Leadline(await asyncio.to_thread(configured, tmp_path, started("--changed"))) as engine:
        servers = await engine.external.servers()
        standing = {one.tool.name: one.refused for one in await servers.named("wiki").standing()}
        now = await engine.external.offered(["wiki"])
        with pytest.raises(ToolFailed, match="otherwise than when it was pinned"):
            await servers.call(offered[0], {"title": "x"}, 10.0)
        await servers.named("wiki").pin()
        again = await engine.external.offered(["wiki"])

    assert standing == {"lookup": "its description changed since it was pinned", "store": ""}
    assert [spec.name for spec in now] == ["wiki__store"]
    assert [spec.name for spec in again] == ["wiki__lookup", "wiki__store"]


async def test_what_a_server_says_is_capped_and_its_failures_are_the_models_to_see(tmp_path: Path) -> None:
    async with Leadline(await asyncio.to_thread(configured, tmp_path, started())) as engine:
        await pinned(engine)
        servers = await engine.external.servers()
        lookup = (await engine.external.offered(["wiki"]))[0]
        long = await servers.call(lookup, {"title": "long"}, 10.0)
        with pytest.raises(ToolFailed, match="`wiki` says"):
            await servers.call(lookup, {"title": "broken"}, 10.0)
        well = await servers.call(lookup, {"title": "Skerryvore"}, 10.0)

    assert long.cut
    assert len(long.text) == 200_000
    assert "1844" in well.text


@pytest.mark.parametrize("packed", [True, False])
async def test_an_answer_without_bound_is_not_read(tmp_path: Path, packed: bool) -> None:
    whole = b'{"jsonrpc": "2.0", "id": 0, "filler": "' + b"a" * (2 * MOST_BYTES) + b'"}'
    body = gzip.compress(whole) if packed else whole
    sent: list[str] = []

    async def told(request: web.Request) -> web.Response:
        sent.append(request.headers["Accept-Encoding"])
        headers = {"Content-Type": "application/json"} | ({"Content-Encoding": "gzip"} if packed else {})
        return web.Response(body=body, headers=headers)

    async with answering(told) as url:
        table = f'[mcp.servers.wiki]\nurl = "{url}"\n'
        async with Leadline(await asyncio.to_thread(configured, tmp_path, table)) as engine:
            with pytest.raises(ToolFailed, match="packed, or too large"):
                await (await engine.external.servers()).named("wiki").standing()
    assert set(sent) == {"identity"}


async def test_a_guarded_server_on_this_machine_is_refused(tmp_path: Path) -> None:
    asked: list[str] = []

    async def told(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({})

    async with answering(told) as url:
        table = f'[mcp.servers.wiki]\nurl = "{url}"\nguarded = true\n'
        async with Leadline(await asyncio.to_thread(configured, tmp_path, table)) as engine:
            with pytest.raises(ToolFailed):
                await (await engine.external.servers()).named("wiki").standing()
    assert asked == []


async def test_private_text_does_not_go_to_a_server_but_what_it_said_itself_does(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    secret = "The merger with Globex closes on the ninth of March for eleven million"
    (documents / "memo.txt").write_text(f"{secret}. Nobody may know.\n")
    calls = (
        Reply(tool_calls=(ToolCall(name="search", arguments={"query": "merger"}, id="a"),)),
        Reply(tool_calls=(ToolCall(name="wiki__lookup", arguments={"title": "Skerryvore"}, id="b"),)),
        Reply(tool_calls=(ToolCall(name="wiki__store", arguments={"note": secret}, id="c"),)),
        Reply(tool_calls=(ToolCall(name="wiki__store", arguments={"note": "KEEPER-77-X9-alpha"}, id="d"),)),
        Reply(text=ANSWER),
    )
    script: list[Any] = [
        *(Rule(reply=reply, turn=turn) for turn, reply in enumerate(calls)),
        Rule(reply=Reply(text=REPORT)),
    ]
    async with ScriptedServer(script) as model:
        settings = await asyncio.to_thread(configured, tmp_path, started(), model.url)
        async with Leadline(settings) as engine:
            await pinned(engine)
            run_id = await engine.start(
                QUESTION,
                docs=[documents],
                options=engine.options(strategy=StrategyName.REACT, python=False),
                servers=("wiki",),
            )
            await engine.result(run_id)
            answered = [r.event for r in await engine.records(run_id) if isinstance(r.event, ToolAnswered)]

    stored = [event for event in answered if event.tool == "wiki__store"]
    assert [event.failure.code if event.failure else "" for event in stored] == ["forbidden", ""]


def test_the_operator_looks_at_tools_and_pins_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(tmp_path, started())
    words = ("--config", str(tmp_path / "config.toml"), "--data-dir", str(tmp_path / "data"))

    assert main(["mcp", "tools", "wiki", *words]) == 0
    before = capsys.readouterr().out
    assert main(["mcp", "pin", "wiki", *words]) == 0
    pinned = capsys.readouterr().out
    assert main(["mcp", "tools", "nobody", *words]) == 2

    assert "lookup  (it is not pinned)" in before
    assert "Look an article up." in before
    assert pinned == "wiki  lookup  pinned\nwiki  store  pinned\n"
    assert "no tool server is called" in capsys.readouterr().err


def test_a_command_comes_from_the_operators_file_alone(tmp_path: Path) -> None:
    flags = {"data_dir": str(tmp_path)}
    with pytest.raises(SettingsError):
        load(flags=flags, environ={"LEADLINE_MCP__SERVERS": '{"wiki": {"command": ["rm", "-rf", "x"]}}'})
    with pytest.raises(SettingsError):
        load(flags={**flags, "mcp.servers": '{"wiki": {"command": ["rm"]}}'}, environ={})

    found = load(flags=flags, environ={"LEADLINE_MCP__SERVERS": '{"wiki": {"url": "https://wiki.test/mcp"}}'})

    assert found.mcp.servers[0].url == "https://wiki.test/mcp"
