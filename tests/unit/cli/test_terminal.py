"""What a person at a terminal reads: text instead of Markdown, help instead of a failure, a next step."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.conftest import Seen

from leadline.cli.views import IndexLines
from leadline.errors import Unauthenticated

ASK = ("ask", "When did __it__ sink?", "--docs", "ship.txt")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Have standard output be a terminal."""
    del capsys  # it stands where standard output was
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_text(leadline: Any, tmp_path: Path) -> None:
    told = leadline(*ASK)
    assert (told.code, told.out.startswith("When did __it__ sink?\n=====================\n")) == (0, True)
    assert leadline("show", "last").out == told.out
    assert leadline("show", "last", "--format", "md").out.startswith("md report")
    assert leadline(*ASK, "-o", str(tmp_path / "r.md")).code == 0
    assert (tmp_path / "r.md").read_text(encoding="utf-8").startswith("md report")


def test_a_pipe_gets_markdown_and_text_where_it_is_asked_for(leadline: Any, tmp_path: Path) -> None:
    assert leadline(*ASK).out.startswith("md report")
    assert leadline(*ASK, "--format", "text").out.startswith("When did __it__ sink?\n=")
    leadline(*ASK, "-o", str(tmp_path / "r.txt"))
    assert (tmp_path / "r.txt").read_text(encoding="utf-8").startswith("When did __it__ sink?\n=")


@pytest.mark.parametrize("arguments", [(), ("keys",), ("cache",)])
def test_a_missing_command_shows_the_help_as_it_is(leadline: Any, arguments: tuple[str, ...]) -> None:
    told = leadline(*arguments)
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("Usage: leadline")
    assert "(see:" not in told.err


def test_markdown_is_refused_by_verify_with_what_can_be_checked(leadline: Any, tmp_path: Path) -> None:
    report = tmp_path / "r.md"
    report.write_text("# Q\n", encoding="utf-8")
    refused = leadline("verify", str(report))
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "--format json" in refused.err
    assert "no such run" not in refused.err


@pytest.mark.parametrize("form", ["bibtex", "ris", "csl"])
def test_a_bibliography_of_nothing_is_told(leadline: Any, tmp_path: Path, form: str) -> None:
    leadline(*ASK)
    told = leadline("show", "last", "--format", form, "-o", str(tmp_path / "o"))
    assert (told.code, told.err) == (0, "the report of run r1001 cites no source, so there is nothing to list\n")


def test_a_key_that_is_missing_is_named_as_the_setting_that_it_is(leadline: Any, script: Any) -> None:
    script.failures[ASK[1]] = Unauthenticated("a key is needed: `Authorization: Bearer ll_...`")
    assert "LEADLINE_SERVER__KEY" in leadline(*ASK).err


async def test_an_index_is_told_of_though_one_document_takes_long() -> None:
    told: list[str] = []
    heard = asyncio.Event()

    def say(text: str) -> None:
        told.append(text)
        if len(told) == 2:
            heard.set()

    lines = IndexLines(say, every=0.001)
    lines.note(Seen(1_000, 999, "a.txt"))
    async with asyncio.timeout(10):
        await heard.wait()
    lines.rest()
    count = len(told)
    await asyncio.sleep(0.01)
    assert told == ["indexing: 999 of 1,000 documents"] * count
