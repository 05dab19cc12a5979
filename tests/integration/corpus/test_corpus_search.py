"""What a corpus finds, in which order, and where it stands in the stored text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from leadline.errors import ToolFailed
from leadline.extract.registry import extract
from leadline.extract.types import Extracted
from leadline.ports import Query
from leadline.resilience import SystemClock
from leadline.search.corpus import Corpus
from leadline.search.corpus_index import pack
from leadline.search.corpus_schema import connect

FILLER = "Boats come and go with the tide, and nobody counts them. "
DOCUMENTS = {
    "depth.md": f"# Depth\n\n{FILLER * 30}\n\n## Sounding\n\nA lead line sounds the depth of water.\n",
    "line.md": "# Line\n\nA line leads the lead horse. Depth is not meant here.\n",
    "old.html": (
        "<html><head><title>Chart of 1884</title>"
        '<meta property="article:published_time" content="1884-05-01"></head>'
        "<body><article><p>The chart shows the bank and its soundings.</p></article></body></html>"
    ),
    "new.html": (
        "<html><head><title>Chart of 2024</title>"
        '<meta property="article:published_time" content="2024-05-01"></head>'
        "<body><article><p>The chart shows the bank and its dredged channel.</p></article></body></html>"
    ),
    "accents.txt": "Le café du port sert un thé.\n",
    "繁體.txt": "測深錘用於測量水深。\n",
    "harrison.txt": "A maker of timepieces lived at Barrow.\n",
}


class InProcess:
    """The parsers, without a process around them."""

    async def extract(self, source: bytes, /, *, name: str | None = None) -> Extracted:
        return await asyncio.to_thread(extract, source, name=name)


async def built(tmp_path: Path, folder: Path) -> Corpus:
    corpus = await Corpus.open(tmp_path, [folder], parser=InProcess(), clock=SystemClock())
    await corpus.refresh()
    return corpus


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "documents"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
async def corpus(tmp_path: Path, folder: Path) -> AsyncIterator[Corpus]:
    async with await built(tmp_path / "index", folder) as corpus:
        yield corpus


async def names(corpus: Corpus, query: str | Query) -> list[str]:
    query = Query(text=query) if isinstance(query, str) else query
    found = await corpus.search(query, deadline=5)
    return [Path(hit.uri).name for hit in found.hits]


async def test_words_are_found_in_other_forms(corpus: Corpus) -> None:
    assert await names(corpus, "timepiece makers") == ["harrison.txt"]
    assert await names(corpus, "CAFE") == ["accents.txt"]
    assert await names(corpus, "测深") == ["%E7%B9%81%E9%AB%94.txt"]
    assert await names(corpus, "測深") == ["%E7%B9%81%E9%AB%94.txt"]


async def test_a_document_is_found_by_its_name(corpus: Corpus) -> None:
    assert await names(corpus, "harrison") == ["harrison.txt"]


async def test_a_title_weighs_more_than_a_mention(corpus: Corpus) -> None:
    assert (await names(corpus, "depth"))[0] == "depth.md"


async def test_words_in_quotation_marks_stand_together_first(corpus: Corpus) -> None:
    assert (await names(corpus, "lead line"))[0] == "line.md"
    assert (await names(corpus, '"lead line" horse'))[0] == "depth.md"
    assert (await names(corpus, "“lead line” horse"))[0] == "depth.md"
    assert await names(corpus, '"line horse tide"') == ["line.md", "depth.md"]


async def test_a_snippet_shows_the_place(corpus: Corpus) -> None:
    (hit, *_) = (await corpus.search(Query(text="who sounds water"), deadline=5)).hits
    assert "A lead line sounds the depth of water." in hit.snippet


async def test_dates_and_places_narrow_what_has_them(corpus: Corpus) -> None:
    chart = Query(text="chart bank")
    assert sorted(await names(corpus, chart)) == ["new.html", "old.html"]
    assert await names(corpus, replace(chart, since="2000-01-01")) == ["new.html"]
    assert await names(corpus, replace(chart, year=1884)) == ["old.html"]
    excluded = replace(chart, exclude=("file:///",))
    assert await names(corpus, excluded) == []


async def test_what_cannot_be_narrowed_is_told(corpus: Corpus) -> None:
    query = Query(text="lead line", sites=("a.example",), since="2024-01-01", year=2024)
    found = await corpus.search(query, deadline=5)
    assert len(found.hits) == 2
    assert set(found.ignored) == {"sites", "since", "year"}
    dated = await corpus.search(Query(text="dredged", since="2024-01-01"), deadline=5)
    assert dated.ignored == ()


async def test_passages_are_spans_of_the_stored_text(corpus: Corpus) -> None:
    passages = await corpus.passages("sounding depth", limit=10, deadline=5)
    assert [at.score for at in passages] == sorted((at.score for at in passages), reverse=True)
    for passage in passages:
        fetched = await corpus.read(passage.uri, deadline=5)
        assert fetched.text[passage.start : passage.end] == passage.text
        assert fetched.source.id == passage.source_id
    assert "sounds the depth" in passages[0].text


async def test_a_needed_phrase_must_occur(corpus: Corpus) -> None:
    passages = await corpus.passages("depth", limit=10, deadline=5, phrases=["leads the lead"])
    assert [Path(at.uri).name for at in passages] == ["line.md"]


async def test_where_a_passage_stands_is_told(corpus: Corpus) -> None:
    (hit, *_) = (await corpus.search(Query(text="sounding water"), deadline=5)).hits
    source = (await corpus.read(hit.uri, deadline=5)).source
    assert [mark.label for mark in source.marks] == ["heading: Depth", "heading: Depth › Sounding"]


@pytest.mark.parametrize("text", ["depth " * 200_000, "深" * 1_000_000, "x" * 1_000_000])
async def test_a_query_of_a_megabyte_is_bounded(corpus: Corpus, text: str) -> None:
    await corpus.search(Query(text=text, limit=10**9), deadline=2)


async def test_time_over_is_a_failure_not_an_empty_answer(corpus: Corpus) -> None:
    with pytest.raises(ToolFailed):
        await corpus.search(Query(text="depth"), deadline=0.0)


async def test_equal_folders_give_equal_answers(tmp_path: Path, folder: Path) -> None:
    twin = tmp_path / "twin"
    twin.mkdir()
    for name in reversed(DOCUMENTS):
        (twin / name).write_text(DOCUMENTS[name], encoding="utf-8")
    answers = []
    for place in (folder, twin):
        async with await built(tmp_path / f"index-{place.name}", place) as corpus:
            found = await corpus.search(Query(text="the depth of the line chart"), deadline=5)
        answers.append([(Path(hit.uri).name, hit.score, hit.snippet) for hit in found.hits])
    assert answers[0] == answers[1]
    assert len(answers[0]) == 4


async def test_common_words_do_not_drown_rare_ones(tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(60):
        rare = " The astrolabe is kept here." if number == 37 else ""
        (many / f"{number:02}.txt").write_text(f"Harbour log of watch {number}.{rare}\n", encoding="utf-8")
    async with await built(tmp_path / "index-many", many) as corpus:
        found = await names(corpus, "harbour log watch astrolabe")
        assert found[0] == "37.txt"
        assert len(await names(corpus, "harbour log watch")) == 10


async def test_a_damaged_text_is_never_read(tmp_path: Path, corpus: Corpus) -> None:
    (hit,) = (await corpus.search(Query(text="harrison"), deadline=5)).hits
    (index,) = (tmp_path / "index").glob("*.db")
    await asyncio.to_thread(damage, index)
    with pytest.raises(ToolFailed, match="damaged"):
        await corpus.read(hit.uri, deadline=5)


def damage(index: Path) -> None:
    with closing(connect(index)) as connection:
        connection.execute("UPDATE blocks SET data = ?", (pack(b"another text"),))
