"""The engine over a corpus with vectors: the settings wire it, and a replay needs no endpoint."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from leadline import Leadline
from leadline.settings import Settings, load
from leadline.testing import Embeddings, ScriptedServer

QUESTION = "When did the Orlova sink?"
KEY = "embed-key-1"


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "ferry.md").write_text("# Ferry\n\nThe cruise ship Orlova sank in 2013 off Ireland.\n", encoding="utf-8")
    (folder / "tide.md").write_text("# Tide\n\nThe tide turns twice a day.\n", encoding="utf-8")
    return folder


async def settings(tmp_path: Path, url: str) -> Settings:
    flags = {"data_dir": str(tmp_path / "data"), "embed.url": url, "embed.name": "bag", "embed.api_key": KEY}
    return await asyncio.to_thread(lambda: load(flags=flags, environ={}))


async def test_a_run_asks_the_endpoint_and_its_replay_does_not(tmp_path: Path, documents: Path) -> None:
    words = Embeddings()
    async with ScriptedServer(embeddings=words, key=KEY) as server:
        async with Leadline(await settings(tmp_path, server.url)) as engine:
            indexed = await engine.index([documents])
            assert (indexed.embedded, indexed.pending, indexed.warnings) == (2, 0, ())
            run_id = await engine.start(QUESTION, docs=[documents])
            report = await engine.result(run_id)
            asked = len(words.texts)
            assert asked > indexed.embedded
            assert await engine.replay(run_id) == report
        assert len(words.texts) == asked
        await server.stop()
        async with Leadline(await settings(tmp_path, server.url)) as engine:
            assert await engine.replay(run_id) == report
    assert "2013" in report.claims[0].text


async def test_a_run_goes_on_by_words_where_the_endpoint_is_gone(tmp_path: Path, documents: Path) -> None:
    async with ScriptedServer(key=KEY) as server:
        pass
    async with Leadline(await settings(tmp_path, server.url)) as engine:
        indexed = await engine.index([documents])
        assert (indexed.embedded, indexed.pending, len(indexed.warnings)) == (0, 2, 1)
        report = await engine.result(await engine.start(QUESTION, docs=[documents]))
    assert "2013" in report.claims[0].text
