"""Corpora of tenants as a run opens them: over real accounts, files and parsers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from leadline.accounts.corpora import SqlTenantCorpora
from leadline.blobs.memory import MemoryBlobs
from leadline.extract.children import ExtractPool
from leadline.ports import Query
from leadline.ports.corpora import CorpusDocument
from leadline.resilience import SystemClock
from leadline.search.hosted import AbsentCorpus
from leadline.settings import load
from leadline.wiring.hosted import SIGN, UNREAD, HostedCorpora

TENANT = "local"


@dataclass
class Kept:
    """What keeps corpora, with one that has documents nobody has read."""

    hosted: HostedCorpora
    corpus: str
    name: str


async def never() -> bool:
    return False


async def at_once() -> bool:
    return True


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    settings = await asyncio.to_thread(lambda: load(flags={"data_dir": str(tmp_path)}, environ={}))
    blobs = MemoryBlobs()
    async with AsyncExitStack() as stack:
        parser = await stack.enter_async_context(ExtractPool(workers=1))
        hosted = HostedCorpora(settings, folder=tmp_path, blobs=blobs, parser=parser, clock=SystemClock(), stack=stack)
        corpora = (await hosted.accounts()).corpora
        made = await corpora.create(TENANT, name="papers")
        for number in range(12):
            body = f"The harbour of part {number} was built of granite.\n".encode()
            document = CorpusDocument(
                name=f"{number}.txt",
                blob=await blobs.put(TENANT, body),
                size=len(body),
                type="text/plain",
                added_at=0.0,
            )
            made = await corpora.put(TENANT, made.id, document)
        yield Kept(hosted, made.id, f"{made.id}{SIGN}{made.version}")


async def test_what_is_unread_is_read_and_listed_only_now_and_then(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    listed, real = [], SqlTenantCorpora.documents

    async def noted(corpora: SqlTenantCorpora, tenant: str, corpus: str, **fields: Any) -> Any:
        found = await real(corpora, tenant, corpus, **fields)
        listed.append(len(found))
        return found

    monkeypatch.setattr(SqlTenantCorpora, "documents", noted)
    async with kept.hosted.using(TENANT, kept.name, stopped=never) as corpus:
        found = await corpus.search(Query(text="harbour", limit=20), deadline=10)
    assert len(found.hits) == 12
    assert sum(listed) <= 4 * 12, "else a corpus of n documents takes n times n rows"


async def test_a_run_that_is_stopped_reads_no_further(kept: Kept) -> None:
    async with kept.hosted.using(TENANT, kept.name, stopped=at_once) as corpus:
        assert isinstance(corpus, AbsentCorpus)
        with pytest.raises(Exception, match=UNREAD):
            await corpus.search(Query(text="harbour"), deadline=1)


async def test_another_tenant_finds_nothing_even_where_the_index_is_there(kept: Kept) -> None:
    async with (
        kept.hosted.using(TENANT, kept.name, stopped=never),
        kept.hosted.using("other", kept.name, stopped=never) as corpus,
    ):
        assert isinstance(corpus, AbsentCorpus)
