"""`leadline sandbox`, and what `ask` says of a machine without one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from leadline.domain import ToolCall
from leadline.sandbox import tree
from leadline.testing import Reply, ScriptedServer

QUESTION = "When did the Orlova sink?"


@pytest.mark.server("bwrap")
def test_check_prints_the_proof_and_what_runs_use(leadline: Any) -> None:
    checked = leadline("sandbox", "check")
    assert (checked.returncode, checked.stderr) == (0, "")
    lines = checked.stdout.splitlines()
    assert lines[0] == "bwrap: holds"
    assert "  ok    a port on loopback cannot be reached" in lines
    assert "FAIL" not in checked.stdout.partition("landlock")[0]
    assert lines[-1] == "runs use: bwrap"
    assert "packages: none; install them with: leadline sandbox install" in lines


def test_check_fails_where_there_is_none(leadline: Any) -> None:
    off = leadline("sandbox", "check", env={"LEADLINE_SANDBOX": "off"})
    assert off.returncode == 3
    assert off.stderr == "leadline: `sandbox` is `off`: there is no Python tool\n"
    away = leadline("sandbox", "check", env={"LEADLINE_SANDBOX": "http://127.0.0.1:9"})
    assert away.returncode == 3
    assert "cannot be reached" in away.stderr


def test_a_wrong_choice_is_told_with_what_there_is(leadline: Any) -> None:
    wrong = leadline("settings", env={"LEADLINE_SANDBOX": "none"})
    assert wrong.returncode == 3
    assert "`auto`, `bwrap`, `landlock`, `off`" in wrong.stderr


@pytest.mark.slow
def test_without_an_index_install_says_so_and_leaves_nothing(leadline: Any, tmp_path: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": "/dev/null"}
    failed = leadline("sandbox", "install", env=nowhere)
    assert failed.returncode == 3
    assert "installing numpy, pandas, scipy, sympy, matplotlib" in failed.stderr
    assert "it needs a package index that it can reach" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert tree.find(tmp_path / "data" / "sandbox") is None
    assert list((tmp_path / "data" / "sandbox").iterdir()) == []


@pytest.mark.parametrize("flag", ["--no-python", None])
async def test_the_tool_can_be_left_out(leadline: Any, documents: Path, flag: str | None) -> None:
    script = [Reply(text="<answer>2013.</answer>")]
    async with ScriptedServer(script) as server:
        arguments = ["ask", QUESTION, "--docs", str(documents), *([flag] if flag else [])]
        env = {
            "LEADLINE_MODEL__URLS": server.url,
            "LEADLINE_MODEL__NAME": "m",
            "LEADLINE_SANDBOX": "http://127.0.0.1:9",
        }
        await asyncio.to_thread(lambda: leadline(*arguments, env=env))
        offered = [tool["function"]["name"] for tool in server.requests[0].body["tools"]]
    assert offered == ["search", "visit"] + (["python"] if flag is None else [])


async def test_a_machine_without_a_sandbox_is_told_of_once(leadline: Any, documents: Path) -> None:
    """Landlock is asked for and the interpreter's tree is damaged: nothing is run, and the report is written."""
    programs = [ToolCall(name="python", arguments={"code": f"print({n})"}, id=str(n)) for n in range(2)]
    visit = ToolCall(name="visit", arguments={"url": (documents / "orlova.txt").as_uri()}, id="v")
    script = [Reply(tool_calls=(call,)) for call in (*programs, visit)]
    script += [Reply(text="<answer>2013.</answer>"), Reply(text="ANSWER: The cruise ship Orlova sank in 2013 [1].\n")]
    home = documents.parent / "data"
    broken = await asyncio.to_thread(damaged, home / "sandbox")
    async with ScriptedServer(script) as server:
        env = {"LEADLINE_MODEL__URLS": server.url, "LEADLINE_MODEL__NAME": "m"}
        asked = await asyncio.to_thread(lambda: leadline("ask", QUESTION, "--docs", str(documents), env=env))
    assert asked.returncode == 0, asked.stderr
    told = [line for line in asked.stderr.splitlines() if "goes on without" in line]
    assert len(told) == 1
    assert told[0].startswith("warning: the run goes on without `python`: ")
    assert str(broken) in told[0]
    assert "2013" in asked.stdout


def damaged(folder: Path) -> Path:
    """Make a tree that is none, and return where it lies."""
    home = tree._home(folder)
    home.mkdir(parents=True)
    return home


async def test_a_markdown_file_has_its_pictures_beside_it(leadline: Any, documents: Path, tmp_path: Path) -> None:
    code = "open('table.csv', 'w').write('year,age\\n2013,37\\n')"
    calls = [
        ToolCall(name="visit", arguments={"url": (documents / "orlova.txt").as_uri()}, id="v"),
        ToolCall(name="python", arguments={"code": code}, id="p"),
    ]
    script = [Reply(tool_calls=(call,)) for call in calls]
    script += [Reply(text="<answer>2013.</answer>"), Reply(text="ANSWER: The cruise ship Orlova sank in 2013 [1].\n")]
    async with ScriptedServer(script) as server:
        env = {"LEADLINE_MODEL__URLS": server.url, "LEADLINE_MODEL__NAME": "m", "LEADLINE_SANDBOX": "landlock"}
        arguments = ("ask", QUESTION, "--docs", str(documents), "--python", "-o", "report.md")
        asked = await asyncio.to_thread(lambda: leadline(*arguments, env=env))
    assert asked.returncode == 0, asked.stderr
    beside = {path.suffix: path.read_text() for path in await asyncio.to_thread(listed, tmp_path / "artefacts")}
    assert beside == {"": "year,age\n2013,37\n", ".py": code}
    text = await asyncio.to_thread((tmp_path / "report.md").read_text)
    assert "table.csv (text/csv, 17 bytes)" in text
    assert all(f"(artefacts/{path.name})" in text for path in await asyncio.to_thread(listed, tmp_path / "artefacts"))


def listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())
