"""What every provider of search promises; runs over each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.support.hosted import hosted

from leadline.domain import Hit
from leadline.extract.registry import extract
from leadline.extract.types import Extracted
from leadline.model.embedder import ServerEmbedder
from leadline.ports import Query, Search
from leadline.resilience import SystemClock
from leadline.search.corpus import Corpus
from leadline.testing import ScriptedServer
from leadline.testing.search import CannedSearch, hit

DOCUMENTS = {
    "harbour.md": "# Harbour\n\nThe lead line sounds the depth of the harbour.\n",
    "port.md": "# Port\n\nA harbour pilot boards at the outer buoy.\n",
    "港口.md": "# 港口\n\n港口的水深由测深锤测得。\n",
}
HOSTILE = [
    '"',
    "*",
    "harbour*",
    'NEAR("a" "b", 5)',
    "title: harbour",
    "a AND",
    "(((",
    "-",
    "^harbour",
    "{title body}: x",
    "'; DROP TABLE files; --",
    "\x00\ud800",
    "",
    "   ",
    "。，！",
    "\u202e",
]


class InProcess:
    """The parsers, without a process around them."""

    async def extract(self, source: bytes, /, *, name: str | None = None) -> Extracted:
        return await asyncio.to_thread(extract, source, name=name)


@pytest.fixture(params=["corpus", "corpus with vectors", "hosted", "canned"])
async def provider(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Search]:
    if request.param == "canned":
        hits: list[Hit] = [hit("https://a.example/1", rank=1), hit("https://a.example/2", rank=2)]
        yield CannedSearch({"harbour": hits, "港口": hits[:1]})
        return
    if request.param == "hosted":
        async with hosted(tmp_path, "c", {name: text.encode() for name, text in DOCUMENTS.items()}) as found:
            yield found
        return
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    index = tmp_path / "index"
    async with AsyncExitStack() as stack:
        embedder = None
        if request.param == "corpus with vectors":
            server = await stack.enter_async_context(ScriptedServer())
            embedder = await stack.enter_async_context(ServerEmbedder(server.url, name="bag"))
        corpus = await Corpus.open(index, [folder], parser=InProcess(), clock=SystemClock(), embedder=embedder)
        await stack.enter_async_context(corpus)
        await corpus.refresh()
        yield corpus


async def test_hits_come_ranked_and_can_be_visited(provider: Search) -> None:
    found = await provider.search(Query(text="harbour"), deadline=5)
    assert [at.rank for at in found.hits] == [1, 2]
    assert len({at.uri for at in found.hits}) == 2
    assert all(at.provider == provider.name and ":" in at.uri for at in found.hits)
    assert all(at.title for at in found.hits)


async def test_chinese_words_of_two_characters_are_found(provider: Search) -> None:
    assert len((await provider.search(Query(text="港口"), deadline=5)).hits) == 1


async def test_no_more_than_the_limit(provider: Search) -> None:
    assert len((await provider.search(Query(text="harbour", limit=1), deadline=5)).hits) == 1


async def test_nothing_is_an_empty_answer(provider: Search) -> None:
    found = await provider.search(Query(text="qqxyz zzzzy"), deadline=5)
    assert found.hits == ()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_no_text_is_a_command(provider: Search, text: str) -> None:
    await provider.search(Query(text=text), deadline=5)
    assert len((await provider.search(Query(text="harbour"), deadline=5)).hits) == 2


async def test_the_same_question_has_the_same_answer(provider: Search) -> None:
    first = await provider.search(Query(text="harbour pilot"), deadline=5)
    assert await provider.search(Query(text="harbour pilot"), deadline=5) == first


async def test_many_may_ask_at_once(provider: Search) -> None:
    async with asyncio.TaskGroup() as asking:
        tasks = [asking.create_task(provider.search(Query(text="harbour"), deadline=20)) for _ in range(50)]
    assert {len(task.result().hits) for task in tasks} == {2}
