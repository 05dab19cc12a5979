"""A corpus beside an embedding endpoint: what vectors find, what they cost, and what happens without them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from leadline.errors import MissingExtra
from leadline.extract.registry import extract
from leadline.extract.types import Extracted
from leadline.model.embedder import ServerEmbedder
from leadline.ports import Query
from leadline.resilience import SystemClock
from leadline.search.corpus import Corpus, EmbedLimits, IndexProgress
from leadline.testing import Embeddings, Fault, Reply, ScriptedServer

SYNONYMS = {"automobile": "car", "doctor": "physician", "汽车": "car", "vessel": "ship"}
DOCUMENTS = {
    "road.md": "# Road\n\nA car needs a licence and a plate.\n",
    "ward.md": "# Ward\n\nThe physician comes at nine.\n",
    "tide.md": "# Tide\n\nThe tide turns twice a day.\n",
    "harbour.md": "# Harbour\n\nA ship waits for the pilot.\n",
}


class InProcess:
    """The parsers, without a process around them."""

    async def extract(self, source: bytes, /, *, name: str | None = None) -> Extracted:
        return await asyncio.to_thread(extract, source, name=name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "documents"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer(embeddings=Embeddings(synonyms=SYNONYMS)) as server:
        yield server


class Opens:
    """Opens corpora over one folder and one endpoint, and closes them with the test."""

    def __init__(self, tmp_path: Path, url: str) -> None:
        self.index = tmp_path / "index"
        self._folder = tmp_path.resolve() / "documents"
        self._url = url
        self._stack = AsyncExitStack()

    async def __call__(
        self, *, name: str = "bag", embedder: ServerEmbedder | None = None, limits: EmbedLimits | None = None
    ) -> Corpus:
        embedder = await self._stack.enter_async_context(embedder or ServerEmbedder(self._url, name=name))
        corpus = await Corpus.open(
            self.index,
            [self._folder],
            parser=InProcess(),
            clock=SystemClock(),
            embedder=embedder,
            embed_limits=limits,
        )
        return await self._stack.enter_async_context(corpus)

    async def close(self) -> None:
        await self._stack.aclose()

    def files(self) -> list[Path]:
        return sorted(self.index.glob("*.vectors.*.db"))


@pytest.fixture
async def opens(tmp_path: Path, folder: Path, server: ScriptedServer) -> AsyncIterator[Opens]:
    opens = Opens(tmp_path, server.url)
    yield opens
    await opens.close()


async def names(corpus: Corpus, text: str) -> list[str]:
    return [Path(hit.uri).name for hit in (await corpus.search(Query(text=text), deadline=5)).hits]


async def test_what_shares_no_word_is_found_by_its_vector(opens: Opens) -> None:
    corpus = await opens()
    assert await names(corpus, "automobile") == []
    report = await corpus.refresh()
    assert (report.embedded, report.pending, report.warnings) == (4, 0, ())
    assert await names(corpus, "automobile") == ["road.md"]
    assert await names(corpus, "the doctor's hour") == ["ward.md"]
    assert await names(corpus, "qqxyz") == []
    (passage,) = await corpus.passages("automobile", limit=5, deadline=5)
    assert "A car needs a licence" in passage.text
    assert await corpus.passages("automobile", limit=5, deadline=5, phrases=["automobile"]) == []


async def test_words_and_vectors_are_fused(opens: Opens, folder: Path) -> None:
    (folder / "log.md").write_text("# Log\n\nA vessel, a ship, was seen.\n", encoding="utf-8")
    corpus = await opens()
    await corpus.refresh()
    found = (await corpus.search(Query(text="vessel pilot"), deadline=5)).hits
    assert {Path(hit.uri).name for hit in found} == {"log.md", "harbour.md"}
    scores = [hit.score or 0.0 for hit in found]
    assert scores == sorted(scores, reverse=True)
    assert await names(corpus, '"vessel, a ship" pilot') == ["log.md", "harbour.md"]


async def test_only_what_is_new_is_sent(opens: Opens, folder: Path, server: ScriptedServer) -> None:
    corpus = await opens()
    await corpus.refresh()
    assert len(server.embeddings.texts) == 4
    assert (await corpus.refresh()).embedded == 0
    assert len(server.embeddings.texts) == 4
    (folder / "road.md").rename(folder / "street.md")
    (folder / "copy.md").write_text(DOCUMENTS["tide.md"], encoding="utf-8")
    (folder / "new.md").write_text("# New\n\nA barometer falls.\n", encoding="utf-8")
    (folder / "ward.md").unlink()
    report = await corpus.refresh()
    assert (report.embedded, report.pending) == (1, 0)
    assert server.embeddings.texts[4:] == ["New\n# New\n\nA barometer falls."]
    assert await names(corpus, "automobile") == ["street.md"]
    assert await names(corpus, "doctor") == []


async def test_a_new_index_needs_no_new_vectors(opens: Opens, server: ScriptedServer) -> None:
    corpus = await opens()
    await corpus.refresh()
    await opens.close()
    for path in opens.index.glob(f"{corpus.id}.db*"):
        path.unlink()
    again = await opens()
    report = await again.refresh()
    assert (report.added, report.embedded) == (4, 0)
    assert len(server.embeddings.texts) == 4
    assert await names(again, "automobile") == ["road.md"]


async def test_a_spent_budget_stops_and_the_next_refresh_goes_on(opens: Opens, server: ScriptedServer) -> None:
    corpus = await opens(limits=EmbedLimits(batch=2, tokens=20))
    first = await corpus.refresh()
    assert (first.embedded, first.pending, first.warnings) == (1, 3, ())
    second = await corpus.refresh()
    assert (second.embedded, second.pending) == (1, 2)
    rest = await opens(limits=EmbedLimits(batch=1))
    assert (await rest.refresh()).embedded == 2
    assert len(server.embeddings.texts) == 4
    none = await opens(name="other", limits=EmbedLimits(seconds=0))
    assert (await none.refresh()).pending == 4


async def test_a_dead_endpoint_costs_the_vectors_only(
    opens: Opens, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = await opens()
    await corpus.refresh()
    server.embeddings.status = 401
    found = await corpus.search(Query(text="car"), deadline=5)
    assert [Path(hit.uri).name for hit in found.hits] == ["road.md"]
    assert found.ignored == ("vectors",)
    other = await opens(name="other")
    report = await other.refresh()
    assert (report.added, report.unchanged, report.embedded, report.pending) == (0, 4, 0, 4)
    assert len(report.warnings) == 1
    assert "401" in report.warnings[0]
    await server.stop()
    assert [Path(hit.uri).name for hit in (await corpus.search(Query(text="car"), deadline=5)).hits] == ["road.md"]


async def test_a_hanging_endpoint_is_asked_no_more(
    opens: Opens, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadline.search.corpus_nearest._QUESTION_SECONDS", 0.05)
    corpus = await opens()
    await corpus.refresh()
    server.embeddings.fault = Fault.HANG_BEFORE_HEADERS
    before = len(server.embeddings.requests)
    for _ in range(4):
        assert (await corpus.search(Query(text="car"), deadline=5)).ignored == ("vectors",)
    assert len(server.embeddings.requests) == before + 2


async def test_an_endpoint_that_never_answers_is_told(opens: Opens, server: ScriptedServer) -> None:
    server.embeddings.fault = Fault.HANG_BEFORE_HEADERS
    report = await (await opens(limits=EmbedLimits(seconds=0.2))).refresh()
    assert (report.added, report.embedded, report.pending, len(report.warnings)) == (4, 0, 4, 1)


async def test_time_that_runs_out_is_no_failure(opens: Opens, server: ScriptedServer) -> None:
    class Slowing(Embeddings):
        """Answers once, and never again."""

        def reply(self, body: Mapping[str, Any]) -> Reply:
            self.fault = Fault.HANG_BEFORE_HEADERS if self.requests else Fault.NONE
            return super().reply(body)

    server.embeddings = Slowing()
    embedder = ServerEmbedder(server.url, name="bag", batch=1)
    corpus = await opens(embedder=embedder, limits=EmbedLimits(batch=1, seconds=0.4))
    report = await corpus.refresh()
    assert (report.embedded, report.pending, report.warnings) == (1, 3, ())


async def test_rubbish_is_no_vector(opens: Opens, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.embeddings.fault = Fault.WRONG_JSON
    corpus = await opens(limits=EmbedLimits(seconds=2))
    report = await corpus.refresh()
    assert (report.embedded, report.pending, len(report.warnings)) == (0, 4, 1)
    assert opens.files() == []


async def test_what_is_too_long_for_the_model_is_cut(opens: Opens, folder: Path, server: ScriptedServer) -> None:
    (folder / "long.md").write_text("# Long\n\n" + "A car is long. " * 60, encoding="utf-8")
    server.embeddings.longest = 400
    corpus = await opens()
    report = await corpus.refresh()
    assert (report.embedded, report.pending, report.warnings) == (5, 0, ())
    assert set(await names(corpus, "automobile")) == {"long.md", "road.md"}


async def test_vectors_of_another_length_replace_the_old_ones(opens: Opens, server: ScriptedServer) -> None:
    corpus = await opens()
    await corpus.refresh()
    (before,) = opens.files()
    server.embeddings.dimensions = 700
    found = await corpus.search(Query(text="automobile"), deadline=5)
    assert (found.hits, found.ignored) == ((), ("vectors",))
    report = await corpus.refresh()
    assert (report.embedded, report.pending) == (4, 0)
    assert await names(corpus, "automobile") == ["road.md"]
    (after,) = opens.files()
    assert after != before


async def test_a_refresh_that_meets_another_length_begins_anew(
    opens: Opens, folder: Path, server: ScriptedServer
) -> None:
    corpus = await opens()
    await corpus.refresh()
    server.embeddings.dimensions = 700
    (folder / "new.md").write_text("# New\n\nA barometer falls.\n", encoding="utf-8")
    report = await corpus.refresh()
    assert (report.embedded, report.pending, report.warnings) == (5, 0, ())
    assert await names(corpus, "automobile") == ["road.md"]
    assert len(opens.files()) == 1


async def test_models_have_files_of_their_own(opens: Opens, server: ScriptedServer) -> None:
    for name in ("one", "two"):
        await (await opens(name=name)).refresh()
    assert len(opens.files()) == 2
    assert len(server.embeddings.texts) == 8
    assert (await (await opens(name="one")).refresh()).embedded == 0


async def test_a_damaged_file_is_made_anew(opens: Opens) -> None:
    corpus = await opens()
    await corpus.refresh()
    await opens.close()
    (path,) = opens.files()
    path.write_bytes(b"no database at all" * 100)
    again = await opens()
    assert await names(again, "automobile") == []
    assert (await again.refresh()).embedded == 4
    assert await names(again, "automobile") == ["road.md"]


async def test_what_another_process_indexed_and_embedded_is_found(opens: Opens, folder: Path) -> None:
    corpus, other = await opens(), await opens()
    await corpus.refresh()
    assert await names(corpus, "automobile") == ["road.md"]
    (folder / "van.md").write_text("# Van\n\nA car with a roof.\n", encoding="utf-8")
    (folder / "road.md").unlink()
    await other.refresh()
    assert await names(corpus, "automobile") == ["van.md"]


async def test_two_at_once_embed_everything_once(opens: Opens, server: ScriptedServer) -> None:
    corpora = [await opens(), await opens()]
    async with asyncio.TaskGroup() as both:
        tasks = [both.create_task(corpus.refresh()) for corpus in corpora]
    assert sum(task.result().embedded for task in tasks) == 4
    assert len(server.embeddings.texts) == 4


async def test_progress_is_told(opens: Opens) -> None:
    seen: list[IndexProgress] = []
    corpus = await opens(limits=EmbedLimits(batch=1))
    await corpus.refresh(progress=seen.append)
    passages = [(at.done, at.found) for at in seen if at.what == "passages"]
    assert passages[-1] == (4, 4)


async def test_without_an_endpoint_there_is_no_file(tmp_path: Path, folder: Path) -> None:
    index = tmp_path / "index"
    async with await Corpus.open(index, [folder], parser=InProcess(), clock=SystemClock()) as corpus:
        report = await corpus.refresh()
        assert await names(corpus, "automobile") == []
    assert (report.embedded, report.pending, report.warnings) == (0, 0, ())
    assert list(index.glob("*vectors*")) == []


def test_without_an_endpoint_numpy_is_not_imported() -> None:
    program = "import sys, leadline.wiring, leadline.search.corpus, leadline.search.corpus_query; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.fixture
def without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("leadline.search.corpus_")]:
        if name.endswith(("nearest", "vectors", "embed")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numpy", None)


async def test_a_missing_numpy_is_named_with_its_command(without_numpy: None, opens: Opens) -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'leadline\[vectors\]'"):
        await opens()
