"""Whole runs in which a model computes: in a real sandbox, in two dialects, replayed to the same bytes."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.reports import english

from leadline import Leadline
from leadline.domain import Artefact, Report, ToolCall, sha256
from leadline.errors import SettingsError, ToolMissing
from leadline.events import ToolAnswered
from leadline.research.reporting.markdown import to_markdown
from leadline.settings import Settings, load
from leadline.telling.artefacts import paths
from leadline.testing import Reply, ScriptedServer
from leadline.wiring import programs

QUESTION = "How old was the Orlova when she sank?"
PROGRAM = """\
import struct, zlib

def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

def plot(path, title, width=64, height=48):
    rows = b"".join(b"\\0" + bytes((200, 90, 40 + 4 * y)) * width for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    secret = chunk(b"tEXt", b"Comment\\0hidden by the program")
    with open(path, "wb") as file:
        file.write(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head) + secret
                   + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))

print("age:", 2013 - 1976)
plot("age.png", title="Age of the Orlova")
with open("table.csv", "w") as file:
    file.write("year,age\\n1976,0\\n2013,37\\n")
"""
RUN = ToolCall(name="python", arguments={"code": PROGRAM}, id="2")
WRITTEN = "ANSWER: The ship sank in 2013 [1].\n\n## Her age\nShe had been built in 1976 [1].\n"
EITHER = pytest.mark.parametrize("design", [pytest.param("bwrap", marks=pytest.mark.server("bwrap")), "landlock"])


async def settings(tmp_path: Path, server: ScriptedServer, **flags: str) -> Settings:
    (tmp_path / "ship.txt").write_text(
        "The cruise ship Orlova sank in 2013. It had been built in 1976 in Yugoslavia.\n", encoding="utf-8"
    )
    given = {
        "data_dir": str(tmp_path / "data"),
        "model.urls": server.url,
        "model.name": "scripted",
        "model.context": "16000",
        "model.max_tokens": "1000",
        **{name.replace("__", "."): value for name, value in flags.items()},
    }
    return await asyncio.to_thread(lambda: load(flags=given, environ={}))


@asynccontextmanager
async def opened(tmp_path: Path, script: list[Reply], **flags: str) -> AsyncIterator[Leadline]:
    async with (
        ScriptedServer(script) as server,
        Leadline(await settings(tmp_path, server, **flags)) as engine,
    ):
        yield engine


async def carried(engine: Leadline, tmp_path: Path, **options: Any) -> tuple[str, Report]:
    run_id = await engine.start(QUESTION, docs=[tmp_path / "ship.txt"], options=engine.options(**options))
    return run_id, await engine.result(run_id)


async def answers(engine: Leadline, run_id: str, tool: str) -> list[ToolAnswered]:
    events = [record.event for record in await engine.records(run_id)]
    return [event for event in events if isinstance(event, ToolAnswered) and event.tool == tool]


def native(tmp_path: Path, *calls: ToolCall) -> list[Reply]:
    look = ToolCall(name="visit", arguments={"url": (tmp_path / "ship.txt").as_uri()}, id="0")
    turns = [Reply(tool_calls=(call,)) for call in (look, *calls)]
    return [*turns, Reply(text="<answer>37 years.</answer>"), Reply(text=WRITTEN)]


def trained(*turns: str) -> list[Reply]:
    return [Reply(text=turn) for turn in turns]


@EITHER
async def test_a_model_computes_and_what_its_program_made_is_in_the_report(tmp_path: Path, design: str) -> None:
    async with opened(tmp_path, native(tmp_path, RUN), sandbox=design) as engine:
        run_id, report = await carried(engine, tmp_path)
        (ran,) = await answers(engine, run_id, "python")
        assert isinstance(ran.value, dict)
        assert ran.value["stdout"] == "age: 37\n"
        made = {one.name: one for one in report.artefacts}
        assert set(made) == {"age.png", "table.csv"}
        assert made["age.png"].is_picture
        assert made["age.png"].program == sha256(PROGRAM.strip().encode())
        assert await engine.replay(run_id) == report
        await _is_shown(engine, report, run_id, tmp_path)
    assert "1976" in report.sections[0].sentences[0].text


async def _is_shown(engine: Leadline, report: Report, run_id: str, tmp_path: Path) -> None:
    """Every form shows the picture, encoded by us, and the program that made it."""
    page, text = await engine.render(report, "html"), await engine.render(report, "md")
    beside = await engine.beside(report)
    assert beside.keys() == paths(report).keys()
    picture = next(body for name, body in beside.items() if name.endswith(".png"))
    assert b"hidden by the program" not in picture
    assert "img-src data:;" in page
    assert '<img src="data:image/png;base64,' in page
    assert "Figure 1" in page
    assert "print(&quot;age:&quot;, 2013 - 1976)" in page
    assert f"(artefacts/{sha256(picture)}.png)" in text
    assert 'print("age:", 2013 - 1976)' in text
    with zipfile.ZipFile(io.BytesIO(await engine.render(report, "docx"))) as package:
        assert package.read("word/media/picture1.png") == picture
        assert b"2013 - 1976" in package.read("word/document.xml")
    archive = tmp_path / "export.zip"
    await engine.export(run_id, archive)
    assert (await engine.verify(archive)).ok
    with zipfile.ZipFile(archive) as exported:
        assert {name: exported.read(name) for name in beside} == dict(beside)


@EITHER
async def test_the_published_format_of_tongyi(tmp_path: Path, design: str) -> None:
    """The program stands behind the JSON, in tags; tools have the names that the model was trained on."""
    uri = (tmp_path / "ship.txt").as_uri()
    look = (
        "<think>\nWhere?\n</think>\n<tool_call>\n"
        f'{{"name": "visit", "arguments": {{"url": ["{uri}"], "goal": "her age"}}}}\n</tool_call>'
    )
    compute = (
        "<think>\nCompute it.\n</think>\n<tool_call>\n"
        f'{{"name": "PythonInterpreter", "arguments": {{}}}}\n<code>\n{PROGRAM}</code>\n</tool_call>'
    )
    answer = (
        "<think>\nDone.\n</think>\n<answer>The cruise ship Orlova sank in 2013. It had been built in 1976.</answer>"
    )
    async with ScriptedServer(trained(look, compute, answer)) as server:
        flags = {"sandbox": design, "model__dialect": "tongyi"}
        async with Leadline(await settings(tmp_path, server, **flags)) as engine:
            run_id, report = await carried(engine, tmp_path)
            (ran,) = await answers(engine, run_id, "PythonInterpreter")
            assert ran.failure is None
            assert isinstance(ran.value, dict)
            assert ran.value["stdout"] == "age: 37\n"
            assert [made.name for made in report.artefacts] == ["age.png", "table.csv"]
            assert await engine.replay(run_id) == report
        system = server.requests[0].body["messages"][0]["content"]
        last = server.requests[2].body["messages"][-1]["content"]
    assert '"PythonInterpreter"' in system
    assert "enclosed within <code> and </code>" in system
    assert '"python"' not in system
    assert last.startswith("<tool_response>")
    assert "age: 37" in last


@pytest.mark.server("bwrap")
async def test_programs_of_a_run_may_share_their_names(tmp_path: Path) -> None:
    first = ToolCall(name="python", arguments={"code": "age = 2013 - 1976"}, id="1")
    second = ToolCall(name="python", arguments={"code": "print(age)"}, id="2")
    async with opened(tmp_path, native(tmp_path, first, second), python__keeps_state="true") as engine:
        run_id, report = await carried(engine, tmp_path)
        values = [event.value for event in await answers(engine, run_id, "python")]
        assert [(value["stdout"], value["fresh"]) for value in values if isinstance(value, dict)] == [
            ("", True),
            ("37\n", False),
        ]
        assert await engine.replay(run_id) == report


async def test_where_no_sandbox_holds_the_run_goes_on_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never unsandboxed: each program is refused with the reason, and the report is written."""
    wanted: list[object] = []

    def refuse(options: object) -> Any:
        wanted.append(options)
        raise SettingsError("no sandbox holds on this machine")

    monkeypatch.setattr("leadline.sandbox.choose.open_sandbox", refuse)
    monkeypatch.setattr("leadline.sandbox.choose.may_hold", lambda _choice: True)
    more = replace(RUN, arguments={"code": "print(2)"}, id="3")
    async with opened(tmp_path, native(tmp_path, RUN, more)) as engine:
        run_id, report = await carried(engine, tmp_path)
        told = [event.failure for event in await answers(engine, run_id, "python")]
    assert [failure.code for failure in told if failure is not None] == [ToolMissing.code] * 2
    assert len(wanted) == 1
    assert report.artefacts == ()
    assert report.claims


async def test_without_a_sandbox_the_tool_is_not_offered(tmp_path: Path) -> None:
    async with opened(tmp_path, native(tmp_path), sandbox="off") as engine:
        assert not engine.options().python
        run_id, _ = await carried(engine, tmp_path)
        with pytest.raises(SettingsError, match="no sandbox"):
            await carried(engine, tmp_path, python=True)
        assert not (await engine.run(run_id)).options.python


async def test_what_programs_made_outlives_a_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadline.api.keeping.FRESH", -1.0)
    async with opened(tmp_path, native(tmp_path, RUN)) as engine:
        _, report = await carried(engine, tmp_path)
        before = await engine.beside(report)
        await engine.gc(older_than_days=None)
        assert await engine.beside(report) == before
        assert len(before) == 3


def test_a_program_with_a_fence_cannot_leave_its_listing() -> None:
    """The listing's fence is longer than any in the program."""
    made = english().report
    body = b"x = '''\n```\n<script>\n````'''\n"
    one = Artefact(name="a.png", sha256="a" * 64, media_type="image/png", size=1, program=sha256(body))
    text = to_markdown(replace(made, artefacts=(one,)), {sha256(body): body})
    assert "`````python\nx = '''\n```\n<script>\n````'''\n`````" in text


def test_the_limits_are_those_of_the_settings(tmp_path: Path) -> None:
    flags = {"python.memory": "512MiB", "python.processes": "9", "python.workers": "3", "python.key": "k"}
    given = load(flags=flags, environ={})
    options = programs.sandbox_options(given, tmp_path)
    assert (options.limits.memory, options.limits.processes) == (512 << 20, 9)
    assert (options.workers, options.key, options.folder) == (3, "k", tmp_path / "sandbox")
