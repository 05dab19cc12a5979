"""`ask --web` as a user runs it: a process of its own, a search and pages on loopback, twice."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
import pytest

from leadline.testing import SmallWeb, WebPage

PROGRAM = Path(sys.executable).with_name("leadline")
QUESTION = "When was the lighthouse at Skerryvore first lit, and who designed it?"
Program = Callable[..., "subprocess.CompletedProcess[str]"]


def page(title: str, *paragraphs: str) -> WebPage:
    body = "".join(f"<p>{text}</p>" for text in paragraphs)
    html = f"<html lang='en'><head><title>{title}</title></head><body><main><h1>{title}</h1>{body}</main></body></html>"
    return WebPage(body=html.encode(), headers={"ETag": f'"{title}"'})


PAGES = {
    "/skerryvore": page(
        "Skerryvore",
        "The lighthouse at Skerryvore was first lit in 1844. It stands on a reef in the Atlantic.",
        "It was designed by Alan Stevenson, and building it took six years.",
    ),
    "/bell-rock": page("Bell Rock", "The lighthouse on the Bell Rock was first lit in 1811."),
    "/recipes": page("Soup", "Cut the leeks, then boil them for an hour with salt and butter."),
}


@pytest.fixture
def leadline(tmp_path: Path) -> Program:
    def run(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *arguments],
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            cwd=tmp_path,
            env={**os.environ, "LEADLINE_DATA_DIR": str(tmp_path / "data"), **env},
            check=False,
        )

    return run


async def test_a_question_is_answered_from_the_web_and_then_from_the_cache(leadline: Program) -> None:
    async with SmallWeb(PAGES) as web:
        first = await asyncio.to_thread(leadline, "ask", QUESTION, "--web", env=web.environment)
        assert first.returncode == 0, first.stderr
        assert "first lit in 1844" in first.stdout
        assert web.url("/skerryvore", host="127.0.0.1") in first.stdout
        assert web.asked("/search")
        assert len(web.asked("/skerryvore")) == 1
        before = len(web.requests)

        second = await asyncio.to_thread(leadline, "ask", QUESTION, "--web", env=web.environment)
        assert second.returncode == 0, second.stderr
        assert "first lit in 1844" in second.stdout
        assert len(web.requests) == before

        replayed = await asyncio.to_thread(leadline, "replay", "last", env=web.environment)
        assert replayed.stdout == second.stdout
        off = {**web.environment, "LEADLINE_CACHE": "off"}
        third = await asyncio.to_thread(leadline, "ask", QUESTION, "--web", env=off)
        assert third.returncode == 0, third.stderr
        assert len(web.requests) > before


async def test_a_batch_reads_the_web(leadline: Program, tmp_path: Path) -> None:
    rows = [{"id": "a", "question": QUESTION}, {"id": "b", "question": "When was the Bell Rock lighthouse first lit?"}]
    (tmp_path / "questions.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    async with SmallWeb(PAGES) as web:
        done = await asyncio.to_thread(
            leadline, "batch", "questions.jsonl", "--out", "out.jsonl", "--web", env=web.environment
        )
        assert done.returncode == 0, done.stderr
        assert len(web.asked("/skerryvore")) == 1  # two runs read it at the same time, or one after the other
    answers = {row["id"]: row for row in map(orjson.loads, (tmp_path / "out.jsonl").read_bytes().splitlines())}
    for row, year in (("a", "1844"), ("b", "1811")):
        assert any(year in claim["text"] for claim in answers[row]["claims"])


async def test_the_cache_is_looked_into_emptied_and_warmed(leadline: Program, tmp_path: Path) -> None:
    async with SmallWeb(PAGES) as web:

        async def run(*arguments: str) -> str:
            done = await asyncio.to_thread(leadline, *arguments, env=web.environment)
            assert done.returncode == 0, done.stderr
            return done.stdout

        await run("ask", QUESTION, "--web")
        asked = len(web.requests)
        assert "public" in await run("cache", "stats")
        assert (await run("cache", "warm", "--history", "7d")).startswith("0 loaded")
        await run("cache", "invalidate")
        assert "0 answers" in await run("cache", "stats")
        assert (await run("cache", "warm", "--history", "1h", "--max-loads", "1")).startswith("1 loaded")
        assert not (await run("cache", "warm", "--history", "1h")).startswith("0 loaded")
        warmed = len(web.requests)
        assert warmed > asked
        await run("ask", QUESTION, "--web")
        assert len(web.requests) == warmed

        assert "1 answer forgotten" in await run("cache", "invalidate", "--pattern", "*/skerryvore")
        (tmp_path / "list.txt").write_text(f"http://127.0.0.1:{web.port}/skerryvore\n", encoding="utf-8")
        assert (await run("cache", "warm", "list.txt")).startswith("1 loaded")
        assert len(web.requests) > warmed
