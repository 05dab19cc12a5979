"""What every reader promises; runs over each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest
from tests.support.hosted import hosted

from leadline.domain import sha256, source_id
from leadline.errors import NotFound
from leadline.extract.registry import extract
from leadline.extract.types import Extracted
from leadline.fetch.guard import Guard
from leadline.fetch.hosts import Hosts
from leadline.fetch.http import Fetcher
from leadline.fetch.reader import WebReader
from leadline.fetch.reader_api import FallbackReader, ReaderApi
from leadline.ports import Reader
from leadline.resilience import SystemClock
from leadline.search.addresses import AddressKind, file_uri
from leadline.search.corpus import Corpus
from leadline.testing import FakeClock, HostileWeb, WebPage
from leadline.testing.search import CannedReader

TEXT = "The lead line has marks at two, three and five fathoms.\r\n测深绳在二、三、五英寻处有记号。\n"


class Case(NamedTuple):
    reader: Reader
    there: str
    missing: str
    foreign: str


class InProcess:
    """The parsers, without a process around them."""

    async def extract(self, source: bytes, /, *, name: str | None = None, declared: str | None = None) -> Extracted:
        return await asyncio.to_thread(extract, source, name=name, declared=declared)


@asynccontextmanager
async def on_the_web(kind: str) -> AsyncIterator[Case]:
    """Yield a reader over a real server: straight, through a reader service, or one after the other."""
    clock = FakeClock()
    async with HostileWeb() as web:
        guard = Guard(allow_private=web.networks, resolve=web.resolve)
        there, missing = web.url("/lead%20line"), web.url("/gone")
        gone = b"Title: x\n\nWarning: Target URL returned error 404: Not Found\n\nMarkdown Content:\nOops"
        web.pages["/lead line"] = WebPage(body=TEXT.encode(), content_type="text/plain; charset=utf-8")
        web.pages[f"/r/{there}"] = WebPage(
            body=orjson.dumps({"data": {"content": TEXT}}), content_type="application/json"
        )
        web.pages[f"/r/{missing}"] = WebPage(body=gone, content_type="text/plain")
        if kind == "fallback":
            web.pages["/lead line"] = WebPage(status=403)
        async with (
            Fetcher(guard, clock=clock, hosts=Hosts(clock=clock, delay=0.0), robots="ignore") as fetcher,
            ReaderApi(f"http://127.0.0.1:{web.port}/r", guard=guard, parser=InProcess(), clock=clock) as api,
        ):
            direct = WebReader(fetcher, InProcess())
            readers: dict[str, Reader] = {"web": direct, "api": api, "fallback": FallbackReader(direct, api)}
            yield Case(readers[kind], there, missing, "file:///etc/passwd")


@pytest.fixture(params=["file", "document", "hosted", "canned", "web", "api", "fallback"])
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    if request.param in {"web", "api", "fallback"}:
        async with on_the_web(request.param) as case:
            yield case
        return
    if request.param == "hosted":
        async with hosted(tmp_path, "c", {"lead line.txt": TEXT.encode()}) as found:
            yield Case(found, "document:c/lead%20line.txt", "document:c/gone.txt", "document:d/lead%20line.txt")
        return
    if request.param == "canned":
        uri = "https://a.example/lead%20line"
        reader = CannedReader({uri: TEXT, "https://a.example/gone": NotFound("gone")})
        yield Case(reader, uri, "https://a.example/gone", "gopher://b.example/")
        return
    kind: AddressKind = request.param
    folder = tmp_path / "docu ments"
    folder.mkdir()
    (folder / "lead 线#1%.txt").write_bytes(TEXT.encode())
    async with await Corpus.open(
        tmp_path / "index", [folder], parser=InProcess(), clock=SystemClock(), uris=kind
    ) as corpus:
        await corpus.refresh()
        base = file_uri(folder.resolve()) if kind == "file" else f"document:{corpus.id}"
        name = "lead%20%E7%BA%BF%231%25.txt"
        yield Case(corpus, f"{base}/{name}", f"{base}/none.txt", "file:///etc/passwd")


async def test_a_source_is_its_text(case: Case) -> None:
    fetched = await case.reader.read(case.there, deadline=5)
    source = fetched.source
    assert fetched.text == TEXT
    assert source.sha256 == sha256(TEXT.encode())
    assert source.id == source_id(source.sha256)
    assert source.chars == len(TEXT)
    assert source.uri == case.there
    assert fetched.raw is not None
    assert sha256(fetched.raw) == source.raw_sha256


async def test_reading_twice_gives_the_same(case: Case) -> None:
    first = await case.reader.read(case.there, deadline=5)
    assert await case.reader.read(case.there, deadline=5) == first


async def test_what_is_not_there_is_not_found(case: Case) -> None:
    assert case.reader.reads(case.missing)
    with pytest.raises(NotFound):
        await case.reader.read(case.missing, deadline=5)


async def test_a_foreign_address_is_not_its_own(case: Case) -> None:
    assert case.reader.reads(case.there)
    assert not case.reader.reads(case.foreign)
    with pytest.raises(NotFound):
        await case.reader.read(case.foreign, deadline=5)
